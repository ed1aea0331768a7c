package wire

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
)

// shortestRun is from how many numbers on a list of them is written as differences.
const shortestRun = 8

// AppendNumbers writes a text of which most is lists of whole numbers, as subsets
// are: in turn, what stands before a list, and the list as the difference of each number
// to the one before. Any text is read back as it was.
func AppendNumbers(b []byte, s string) []byte {
	var numbers []int64
	start := 0 // of what is not written yet
	for i := 0; i < len(s); {
		if digits(s[i:]) == 0 {
			i++
			continue
		}
		var between string
		var last, end int
		numbers, between, last, end = numbersOf(s[i:], numbers[:0])
		if len(numbers) < shortestRun {
			i += last
			if last == 0 {
				i += digits(s[i:])
			}
			continue
		}
		b = AppendBytes(b, s[start:i])
		b = binary.AppendUvarint(b, uint64(len(numbers)))
		b = AppendBytes(b, between)
		before := int64(0)
		for _, n := range numbers {
			b = binary.AppendVarint(b, n-before)
			before = n
		}
		i += end
		start = i
	}
	b = AppendBytes(b, s[start:])
	return binary.AppendUvarint(b, 0)
}

// numbersOf appends the numbers that a text begins with, and returns what stands
// between each two, one or two signs, and where the last one begins and ends.
func numbersOf(s string, numbers []int64) (all []int64, between string, last, end int) {
	for at := 0; ; at += len(between) {
		n := digits(s[at:])
		if n == 0 || n > 18 || n > 1 && s[at] == '0' {
			return numbers, between, last, end
		}
		number, _ := strconv.ParseInt(s[at:at+n], 10, 64)
		numbers = append(numbers, number)
		last, end = at, at+n
		at = end
		switch rest := s[at:]; {
		case len(numbers) > 1:
		case len(rest) > 1 && digits(rest[1:]) > 0:
			between = rest[:1]
		case len(rest) > 2 && digits(rest[2:]) > 0:
			between = rest[:2]
		}
		if between == "" || !strings.HasPrefix(s[at:], between) {
			return numbers, between, last, end
		}
	}
}

// digits is how many digits a text begins with.
func digits(s string) (n int) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// ReadNumbers reads what AppendNumbers wrote.
func ReadNumbers(r *Reader) string {
	var s []byte
	for !r.Bad {
		s = append(s, r.Bytes()...)
		n := r.Count(1)
		if n == 0 {
			break
		}
		between := r.Bytes()
		if r.Bad = r.Bad || len(between) > 2; r.Bad {
			break
		}
		number := int64(0)
		for i := range n {
			if i > 0 {
				s = append(s, between...)
			}
			number += r.Varint()
			s = strconv.AppendInt(s, number, 10)
		}
	}
	return string(s)
}

// mostInflated bounds what a compressed command may become, in bytes: more than any
// system takes for the arguments of a program.
const mostInflated = 64 << 20

// deflators are kept, since each is a megabyte.
var deflators = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return w
}}

// Deflate appends a text in compressed form, behind its length.
func Deflate(b, text []byte) []byte {
	out := bytes.NewBuffer(binary.AppendUvarint(b, uint64(len(text))))
	w := deflators.Get().(*flate.Writer)
	defer deflators.Put(w)
	w.Reset(out)
	w.Write(text)
	w.Close() // a buffer takes all
	return out.Bytes()
}

var inflators = sync.Pool{New: func() any { return flate.NewReader(nil) }}

// Inflate reads what Deflate wrote.
func Inflate(r *Reader) []byte {
	n := r.Uvarint()
	if n > mostInflated || n/1100 > uint64(len(r.Rest)) { // no text is compressed to less
		r.Bad = true
		return nil
	}
	in := inflators.Get().(io.ReadCloser)
	defer inflators.Put(in)
	rest := bytes.NewReader(r.Rest)
	in.(flate.Resetter).Reset(rest, nil)
	text := make([]byte, n)
	if _, err := io.ReadFull(in, text); err != nil {
		r.Bad = true
	} else if n, err := in.Read(make([]byte, 1)); n > 0 || err != io.EOF || rest.Len() > 0 {
		r.Bad = true
	}
	r.Rest = nil
	return text
}
