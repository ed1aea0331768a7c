//go:build !(linux || darwin || freebsd || netbsd || dragonfly)

package bolt

import (
	"os"

	"github.com/gofrs/flock"
)

// lockFile is an open file that stands for a lock.
type lockFile struct{ *flock.Flock }

func openLock(path string, _ bool) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &lockFile{flock.New(path)}, f.Close()
}

// try takes the lock if it is to be had now.
func (l *lockFile) try(shared bool) (bool, error) {
	if shared {
		return l.TryRLock()
	}
	return l.TryLock()
}

// block takes the lock when it is to be had.
func (l *lockFile) block(shared bool) error {
	if shared {
		return l.RLock()
	}
	return l.Lock()
}

// sameAs reports whether two stand for the same lock.
func (l *lockFile) sameAs(other *lockFile) bool { return l.Path() == other.Path() }

// isAt reports whether the file is still the one of that name.
func (l *lockFile) isAt(path string) bool {
	mine, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// close gives the lock back.
func (l *lockFile) close() { l.Unlock() }
