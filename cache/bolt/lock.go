package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
)

// rwLock queues the processes that want a file: many readers or one writer.
// Everybody passes the gate before the lock, and waits for the lock while
// holding the gate, so that a stream of readers can't starve a writer.
//
// A long queue that moves is no reason to give up: each writer that gets the
// lock touches its file, and a wait is too long only if nobody did that for the
// timeout. Readers don't: one that is stopped lets other readers by, and
// they would keep a writer waiting for ever.
type rwLock struct {
	gate, lock string
	timeout    time.Duration // 0: none
}

// acquire returns the function that gives the lock back. Its error is
// ErrLockTimeout, the context's, or the file system's.
func (l rwLock) acquire(ctx context.Context, shared bool) (release func(), err error) {
	var left func() time.Duration
	if l.timeout > 0 {
		left = l.patience()
	}
	gate, _, err := takeLock(ctx, lockName{l.gate, false}, false, left)
	if err != nil {
		return nil, l.explain(err)
	}
	defer gate.close()
	lock, _, err := takeLock(ctx, lockName{l.lock, false}, shared, left)
	if err != nil {
		return nil, l.explain(err)
	}
	if !shared {
		// Where that is refused, a wait is as long as the timeout at most.
		files.Touch(l.lock)
	}
	return lock.close, nil
}

// goesOn shows those who wait, until end is called, that the holder of the lock
// is at work: what it does with a large file may take longer than the timeout.
func (l rwLock) goesOn() (end func()) {
	done := make(chan struct{})
	every := time.NewTicker(max(l.timeout/5, 100*time.Millisecond))
	go func() {
		for {
			select {
			case <-every.C:
				files.Touch(l.lock)
			case <-done:
				every.Stop()
				return
			}
		}
	}()
	return func() { close(done) }
}

// patience returns what says how long to wait still. It is asked only where
// there is something to wait for.
func (l rwLock) patience() func() time.Duration {
	start := time.Now()
	var touched time.Time
	return func() time.Duration {
		if info, err := os.Lstat(l.lock); err == nil && !info.ModTime().Equal(touched) {
			if !touched.IsZero() {
				start = time.Now()
			}
			touched = info.ModTime()
		}
		return max(l.timeout-time.Since(start), 0)
	}
}

func (l rwLock) explain(err error) error {
	if errors.Is(err, errWait) {
		return fmt.Errorf("%s: %w for longer than %v", l.lock, cache.ErrLockTimeout, l.timeout)
	}
	return err
}
