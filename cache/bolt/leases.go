package bolt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/share"
)

// leases hands out the right to evaluate a key, by a lock file per key in one
// folder. A holder that ends removes its file before it unlocks; so whoever
// gets a lock and no longer finds its file under that name knows that the
// holder ended, and whoever still finds it knows that the holder died. A holder
// touches its file while it is alive; one that is stopped doesn't.
type leases struct{ dir string }

func (l leases) acquire(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	if err := share.Make(l.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	path := filepath.Join(l.dir, id.String())
	var left func() time.Duration
	if wait > 0 {
		left = patience(path, wait)
	}
	f, waited, err := takeLock(ctx, lockName{path, true}, false, left)
	if errors.Is(err, errWait) {
		return cache.NewLease(cache.LeaseTimeout, true, nil), nil
	} else if err != nil {
		return nil, err
	}
	if !f.isAt(path) {
		f.close()
		return cache.NewLease(cache.LeaseEnded, waited, nil), nil
	}
	end := showLife(path, cache.LifeSign)
	return cache.NewLease(cache.LeaseHeld, waited, func(ended bool) {
		end()
		if ended {
			os.Remove(path)
		}
		f.close()
	}), nil
}

// sweep removes the lock files of holders that died, whose calls nobody has
// asked for since.
func (l leases) sweep() {
	folder, err := files.OpenFolder(l.dir)
	if err != nil {
		return
	}
	defer folder.Close()
	left, _ := fs.ReadDir(folder.FS(), ".")
	for _, file := range left {
		f, err := openLock(filepath.Join(l.dir, file.Name()), true)
		if err != nil {
			continue
		}
		if ok, err := f.try(false); ok && err == nil {
			// Who waits for it meanwhile takes us for a holder that
			// ended, and looks again.
			folder.Remove(file.Name())
		}
		f.close()
	}
}
