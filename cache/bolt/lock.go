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
		left = patience(l.lock, l.timeout)
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
	return showLife(l.lock, max(l.timeout/5, 100*time.Millisecond))
}

// showLife touches a file again and again until end is called, which shows those
// who wait by patience that its holder is alive.
func showLife(path string, every time.Duration) (end func()) {
	done := make(chan struct{})
	go func() {
		again := time.NewTicker(every)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				files.Touch(path)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// patience returns what says how long to wait still for who holds a file: for the
// timeout since it was last seen to be touched, or removed, as by one who is about to
// end. It is asked only where there is something to wait for.
func patience(path string, timeout time.Duration) func() time.Duration {
	start := time.Now()
	var seen time.Time // its latest touch; zero if it isn't there
	asked := false
	return func() time.Duration {
		var touched time.Time
		if info, err := os.Lstat(path); err == nil {
			touched = info.ModTime()
		}
		if asked && !touched.Equal(seen) {
			start = time.Now()
		}
		asked, seen = true, touched
		return max(timeout-time.Since(start), 0)
	}
}

func (l rwLock) explain(err error) error {
	if errors.Is(err, errWait) {
		return fmt.Errorf("%s: %w for longer than %v", l.lock, cache.ErrLockTimeout, l.timeout)
	}
	return err
}
