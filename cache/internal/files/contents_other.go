//go:build !unix

package files

import (
	"io"
	"os"
)

// OpenContents opens a regular file to read it.
func OpenContents(path string) (*os.File, error) { return os.Open(path) }

// ReadSmall reads the beginning of a regular file into buf.
func ReadSmall(path string, buf []byte) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if n, err = f.Read(buf); err == io.EOF {
		err = nil
	}
	return n, err
}
