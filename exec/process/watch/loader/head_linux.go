//go:build amd64 || arm64

package loader

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// Head is what the beginning of an executable says to the kernel.
type Head struct {
	Interpreter string // of a #! line or an ELF file, as it stands there
	Script      bool
	Foreign     bool // for another architecture
	ELF         bool
}

// Read reads what a file says to the kernel.
func Read(name string) (h Head, err error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return h, err
	}
	defer f.Close()
	b := make([]byte, 256) // what the kernel reads of it
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return h, err
	}
	b = b[:n]
	if line, ok := bytes.CutPrefix(b, []byte("#!")); ok {
		h.Script = true
		line, _, _ = bytes.Cut(line, []byte("\n"))
		line = bytes.Trim(line, " \t")
		if i := bytes.IndexAny(line, " \t\x00"); i >= 0 {
			line = line[:i]
		}
		h.Interpreter = string(line)
		return h, nil
	}
	if len(b) < 64 || string(b[:4]) != "\x7fELF" {
		return h, nil
	}
	h.ELF = true
	const class64 = 2
	if b[4] != class64 || binary.LittleEndian.Uint16(b[18:]) != trap.Machine {
		h.Foreign = true
		return h, nil
	}
	// The program headers, of which one names the loader.
	offset, size, count := int64(binary.LittleEndian.Uint64(b[32:])), int(binary.LittleEndian.Uint16(b[54:])), int(binary.LittleEndian.Uint16(b[56:]))
	const interp, headerSize = 3, 56
	if size < headerSize || count > 256 {
		return h, nil
	}
	headers := make([]byte, size*count)
	if _, err := f.ReadAt(headers, offset); err != nil {
		return h, nil // the kernel will refuse it
	}
	for ; len(headers) >= size; headers = headers[size:] {
		if binary.LittleEndian.Uint32(headers) != interp {
			continue
		}
		at, length := int64(binary.LittleEndian.Uint64(headers[8:])), binary.LittleEndian.Uint64(headers[32:])
		if length > unix.PathMax {
			break
		}
		text := make([]byte, length)
		if _, err := f.ReadAt(text, at); err == nil {
			h.Interpreter = unix.ByteSliceToString(text)
		}
		break
	}
	return h, nil
}
