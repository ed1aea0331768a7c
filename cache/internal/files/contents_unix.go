//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenContents opens what should be a regular file to read it. It does not hang on
// a pipe that took its place: look what it is before reading. As OpenRegular it
// spares the file Go's poller. It waits for a descriptor; see patiently.
func OpenContents(path string) (*os.File, error) {
	fd, err := patiently(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	unix.FcntlInt(uintptr(fd), unix.F_SETFL, 0)
	return os.NewFile(uintptr(fd), path), nil
}

// ReadSmall reads the beginning of a regular file into buf, by as few system calls as
// can be. It does not hang on a pipe that took its place, and waits for a descriptor.
func ReadSmall(path string, buf []byte) (n int, err error) {
	fd, err := patiently(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	if n, err = retry(func() (int, error) { return syscall.Read(fd, buf) }); err != nil {
		return 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return n, nil
}
