//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Nonblock keeps an opening from waiting for the other end of a pipe.
const Nonblock = syscall.O_NONBLOCK

// Open opens a file to read it, and does not hang on a pipe that took its
// place.
func Open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|Nonblock, 0)
}

// Missing reports, without the cost of an error, that there is nothing by that
// name, which isn't "" nor begins with an "@". It may report false where it doesn't
// know.
func Missing(name string) bool {
	if name == "" || name[0] == '@' || len(name) > 4096 {
		return false
	}
	var info syscall.Stat_t
	return syscall.Stat(name, &info) == syscall.ENOENT
}

// OpenRegular is os.OpenFile for what is a regular file: it doesn't offer it to
// Go's poller, which has no use for one, and would cost a hit six system calls.
func OpenRegular(path string, flag int, perm os.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
