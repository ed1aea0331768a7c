//go:build unix

package cache

import (
	"os"
	"syscall"
)

// openFile opens a file to read it, and does not hang on a pipe that took its
// place.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
