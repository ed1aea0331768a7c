//go:build unix

package inputs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// nothingThere reports whether an error of stat says that a program finds nothing by
// a name.
func nothingThere(err error) bool {
	var number unix.Errno
	if !errors.As(err, &number) {
		return false
	}
	switch number {
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG:
		return true
	}
	return false
}

func mayRead(name string) bool { return unix.Access(name, unix.R_OK) == nil }

func mayExecute(name string) bool { return unix.Access(name, unix.X_OK) == nil }
