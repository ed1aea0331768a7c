//go:build linux || darwin || freebsd || netbsd || dragonfly

package cache

import (
	"errors"
	"os"
	"time"

	sys "golang.org/x/sys/unix"
)

// canKeepMapped: a mapped file can be replaced here, so one stays mapped.
const canKeepMapped = true

// mapped is a file and what it holds.
type mapped struct {
	file *os.File
	data []byte
}

// mapAll maps a file, which is close's from now on.
func (b *Bolt) mapAll(f *os.File, size int64) (m mapped, err error) {
	data, err := sys.Mmap(int(f.Fd()), 0, int(size), sys.PROT_READ, sys.MAP_SHARED)
	if err != nil {
		return m, &os.PathError{Op: "map", Path: b.path, Err: err}
	}
	sys.Madvise(data, sys.MADV_RANDOM) // pages next to each other are no neighbours
	return mapped{f, data}, nil
}

// lockMapped waits until no foreign program writes: with one of ours we share rwLock.
func (b *Bolt) lockMapped(m *mapping) error {
	const again = 50 * time.Millisecond
	for end := time.Now().Add(b.foreignTimeout()); ; time.Sleep(again) {
		switch err := sys.Flock(int(m.file.Fd()), sys.LOCK_SH|sys.LOCK_NB); {
		case err == nil, errors.Is(err, sys.ENOTSUP), errors.Is(err, sys.ENOLCK):
			return nil
		case !errors.Is(err, sys.EWOULDBLOCK) && !errors.Is(err, sys.EINTR):
			return err
		case time.Now().After(end):
			return ErrLockTimeout
		}
	}
}

func (m *mapping) unlock() { sys.Flock(int(m.file.Fd()), sys.LOCK_UN) }

func (m *mapping) close() {
	sys.Munmap(m.data)
	m.file.Close()
}
