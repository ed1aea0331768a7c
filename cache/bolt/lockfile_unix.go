//go:build linux || darwin || freebsd || netbsd || dragonfly

package bolt

import (
	"errors"
	"os"

	sys "golang.org/x/sys/unix"

	"dvlcache/cache/internal/files"
)

// lockFile is an open file that stands for a lock.
type lockFile struct {
	fd int
	// again opens it to write as well, which NFS wants of who locks it for itself
	// alone; nil if it is so already.
	again func() (int, error)
}

// openLock opens a file of the cache's folder, or, below it, of one that lies there,
// which it makes if it isn't there.
func openLock(path string, below bool) (*lockFile, error) {
	open := files.OpenDescriptor
	if below {
		open = files.OpenDescriptorBelow
	}
	fd, err := open(path, os.O_CREATE|os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &lockFile{fd, func() (int, error) { return open(path, os.O_RDWR) }}, nil
}

func (l *lockFile) flock(shared bool, how int) error {
	if shared {
		how |= sys.LOCK_SH
	} else {
		how |= sys.LOCK_EX
	}
	for {
		err := sys.Flock(l.fd, how)
		if (errors.Is(err, sys.EBADF) || errors.Is(err, sys.EIO)) && l.again != nil {
			if fd, openErr := l.again(); openErr == nil {
				sys.Close(l.fd)
				l.fd, err = fd, sys.EINTR
			}
			l.again = nil
		}
		if !errors.Is(err, sys.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}

// try takes the lock if it is to be had now.
func (l *lockFile) try(shared bool) (bool, error) {
	err := l.flock(shared, sys.LOCK_NB)
	if errors.Is(err, sys.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// block takes the lock when it is to be had.
func (l *lockFile) block(shared bool) error { return l.flock(shared, 0) }

// sameAs reports whether two stand for the same lock.
func (l *lockFile) sameAs(other *lockFile) bool {
	var a, b sys.Stat_t
	return sys.Fstat(l.fd, &a) == nil && sys.Fstat(other.fd, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// isAt reports whether the file is still the one of that name.
func (l *lockFile) isAt(path string) bool {
	var a, b sys.Stat_t
	return sys.Fstat(l.fd, &a) == nil && sys.Lstat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// close gives the lock back, also where a process that was just forked has the file
// open for a moment still.
func (l *lockFile) close() {
	sys.Flock(l.fd, sys.LOCK_UN)
	sys.Close(l.fd)
	l.fd = -1 // which is nobody else's, if it is closed again
}
