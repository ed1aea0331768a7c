//go:build unix

package cache

import (
	"os"
	"syscall"
)

// nonblock keeps an opening from waiting for the other end of a pipe.
const nonblock = syscall.O_NONBLOCK

// openFile opens a file to read it, and does not hang on a pipe that took its
// place.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|nonblock, 0)
}
