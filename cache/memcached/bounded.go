package memcached

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
)

const (
	// maxValue is the largest value that is stored, in bytes: the longest
	// command and all output that is kept, with room. What claims to be larger
	// isn't ours.
	maxValue = 8 << 20
	// maxValues is how many values a request asks for at most.
	maxValues = 3
	// maxLine and maxLines are how long a line of an answer is, and how many
	// there are, at most: the statistics of a server are the longest answer.
	maxLine  = 4096
	maxLines = 1024
)

// bounded is a connection to a server that is believed no more than what is
// stored there could make it say: the library makes room for as many bytes as a
// server announces, and takes as many values as it sends.
type bounded struct {
	net.Conn
	line   []byte // the beginning of one
	value  int    // bytes of a value that are still to come
	values int    // in the answer to the latest request
	lines  int
}

// Write begins a request, or goes on with one.
func (b *bounded) Write(p []byte) (int, error) {
	b.values, b.lines = 0, 0
	return b.Conn.Write(p)
}

// Read hands on what is within the bounds. Its error comes before the line does
// that is beyond them.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if b.value > 0 {
			skip := min(b.value, len(rest))
			b.value -= skip
			rest = rest[skip:]
			continue
		}
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		if len(b.line)+end > maxLine {
			return 0, fmt.Errorf("it answers a line of more than %d bytes", maxLine)
		}
		b.line = append(b.line, rest[:end]...)
		rest = rest[end:]
		if b.line[len(b.line)-1] != '\n' {
			continue
		}
		if err := b.header(strings.TrimRight(string(b.line), "\r\n")); err != nil {
			return 0, err
		}
		b.line = b.line[:0]
	}
	return n, err
}

// header takes note of a line: VALUE, name, flags, size, and maybe a number more.
func (b *bounded) header(line string) error {
	if b.lines++; b.lines > maxLines {
		return fmt.Errorf("it answers more than %d lines", maxLines)
	}
	fields := strings.Split(line, " ")
	if fields[0] != "VALUE" || len(fields) < 4 {
		return nil
	}
	if b.values++; b.values > maxValues {
		return fmt.Errorf("it answers more than the %d values that were asked for", maxValues)
	}
	size, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || size > maxValue {
		return fmt.Errorf("it announces a value of %.20s bytes, and dvlcache stores none above %d", fields[3], maxValue)
	}
	b.value = int(size) + len("\r\n")
	return nil
}
