//go:build linux || darwin || freebsd || netbsd || dragonfly

package bolt

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	sys "golang.org/x/sys/unix"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
)

// mapped is a file, locked against foreign writers, and what it holds.
type mapped struct {
	fd   int
	data []byte
}

// mapFile maps the file. One that isn't there, or is empty, is errNoFile.
func (b *Store) mapFile() (m mapped, err error) {
	m.fd, err = files.OpenDescriptor(b.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return m, errNoFile
	} else if err != nil {
		return m, err
	}
	var info sys.Stat_t
	if err = b.lockForeign(m.fd); err == nil {
		if err = sys.Fstat(m.fd, &info); err == nil {
			switch {
			case info.Mode&sys.S_IFMT != sys.S_IFREG:
				err = errForeign
			case info.Size == 0: // a creation that was cut short
				err = errNoFile
			default:
				m.data, err = sys.Mmap(m.fd, 0, int(info.Size), sys.PROT_READ, sys.MAP_SHARED)
			}
		}
	}
	if err != nil {
		sys.Close(m.fd)
		var refused syscall.Errno
		if errors.As(err, &refused) {
			err = &os.PathError{Op: "map", Path: b.path, Err: err}
		}
		return m, err
	}
	sys.Madvise(m.data, sys.MADV_RANDOM) // pages next to each other are no neighbours
	return m, nil
}

// lockForeign waits until no foreign program writes: with those of ours we share
// rwLock.
func (b *Store) lockForeign(fd int) error {
	const again = 50 * time.Millisecond
	for end := time.Now().Add(b.foreignTimeout()); ; time.Sleep(again) {
		switch err := sys.Flock(fd, sys.LOCK_SH|sys.LOCK_NB); {
		case err == nil, errors.Is(err, sys.ENOTSUP), errors.Is(err, sys.ENOLCK):
			return nil
		case !errors.Is(err, sys.EWOULDBLOCK) && !errors.Is(err, sys.EINTR):
			return err
		case time.Now().After(end):
			return cache.ErrLockTimeout
		}
	}
}

// close lets go of the file, and so of its lock.
func (m mapped) close() {
	sys.Munmap(m.data)
	sys.Close(m.fd)
}
