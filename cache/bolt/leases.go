package bolt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dvlcache/cache"
)

// leases hands out the right to evaluate a key, by a lock file per key in one
// folder. A holder that ends removes its file before it unlocks; so whoever
// gets a lock and no longer finds its file under that name knows that the
// holder ended, and whoever still finds it knows that the holder died.
type leases struct{ dir string }

func (l leases) acquire(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	if err := os.Mkdir(l.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	path := filepath.Join(l.dir, id.String())
	f := newLock(path)
	ok, err := f.TryLock()
	if err != nil {
		return nil, err
	}
	waited := !ok
	if waited {
		if err := lockWithin(ctx, f, false, wait, nil); errors.Is(err, errWait) {
			return cache.NewLease(cache.LeaseTimeout, true, nil), nil
		} else if err != nil {
			return nil, err
		}
	}
	mine, err := f.Stat()
	if err != nil {
		f.Unlock()
		return nil, err
	}
	if there, err := os.Stat(path); err != nil || !os.SameFile(mine, there) {
		f.Unlock()
		return cache.NewLease(cache.LeaseEnded, waited, nil), nil
	}
	return cache.NewLease(cache.LeaseHeld, waited, func(ended bool) {
		if ended {
			os.Remove(path)
		}
		f.Unlock()
	}), nil
}

// sweep removes the lock files of holders that died, whose calls nobody has
// asked for since.
func (l leases) sweep() {
	files, _ := os.ReadDir(l.dir)
	for _, file := range files {
		path := filepath.Join(l.dir, file.Name())
		f := newLock(path)
		if ok, err := f.TryLock(); ok && err == nil {
			// Who waits for it meanwhile takes us for a holder that
			// ended, and looks again.
			os.Remove(path)
			f.Unlock()
		}
	}
}
