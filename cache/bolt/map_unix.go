//go:build linux || darwin || freebsd || netbsd || dragonfly

package bolt

import (
	"errors"
	"os"
	"time"

	sys "golang.org/x/sys/unix"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
)

// mapped is a file, locked against foreign writers, and what it holds.
type mapped struct {
	file *os.File
	data []byte
}

// mapFile maps the file, which has to be there.
func (b *Store) mapFile() (m mapped, err error) {
	if m.file, err = files.OpenRegular(b.path, os.O_RDONLY, 0); err != nil {
		return m, err
	}
	if err = b.lockForeign(m.file); err == nil {
		var info os.FileInfo
		if info, err = m.file.Stat(); err == nil {
			m.data, err = sys.Mmap(int(m.file.Fd()), 0, int(info.Size()), sys.PROT_READ, sys.MAP_SHARED)
		}
		if err != nil {
			err = &os.PathError{Op: "map", Path: b.path, Err: err}
		}
	}
	if err != nil {
		m.file.Close()
		return m, err
	}
	sys.Madvise(m.data, sys.MADV_RANDOM) // pages next to each other are no neighbours
	return m, nil
}

// lockForeign waits until no foreign program writes: with those of ours we share
// rwLock.
func (b *Store) lockForeign(f *os.File) error {
	const again = 50 * time.Millisecond
	for end := time.Now().Add(b.foreignTimeout()); ; time.Sleep(again) {
		switch err := sys.Flock(int(f.Fd()), sys.LOCK_SH|sys.LOCK_NB); {
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
	m.file.Close()
}
