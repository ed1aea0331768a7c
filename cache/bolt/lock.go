package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
)

// errWait is lockWithin's answer when the lock isn't to be had in time.
var errWait = errors.New("timed out")

// newLock is the lock that a file stands for. A pipe in its place does not hang
// us.
func newLock(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDONLY|files.Nonblock))
}

// lockWithin takes f, waiting in the kernel's queue for at most timeout (0: as
// long as it takes) or, if more isn't nil, for what that returns, again and again
// until it is nothing. A wait in flock(2) can't be called off, so one that is given
// up goes on in the background and lets go as soon as it succeeds.
func lockWithin(ctx context.Context, f *flock.Flock, shared bool, timeout time.Duration, more func() time.Duration) error {
	try, block := f.TryLock, f.Lock
	if shared {
		try, block = f.TryRLock, f.RLock
	}
	if ok, err := try(); ok || err != nil {
		return err
	}
	if more != nil {
		timeout = max(more(), time.Millisecond) // 0 would be for ever
	}
	got := make(chan error, 1)
	go func() {
		err := block()
		for errors.Is(err, syscall.EINTR) {
			err = block()
		}
		got <- err
	}()
	abandon := func() {
		go func() {
			if <-got == nil {
				f.Unlock()
			}
		}()
	}
	var expired <-chan time.Time
	var t *time.Timer
	if timeout > 0 {
		t = time.NewTimer(timeout)
		defer t.Stop()
		expired = t.C
	}
	for {
		select {
		case err := <-got:
			return err
		case <-ctx.Done():
			abandon()
			return context.Cause(ctx)
		case <-expired:
			select {
			case err := <-got: // in time; it was we who did not run
				return err
			default:
			}
			if more != nil {
				if left := more(); left > 0 {
					t.Reset(left)
					continue
				}
			}
			abandon()
			return errWait
		}
	}
}

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
	var more func() time.Duration
	if l.timeout > 0 {
		more = l.patience()
	}
	gate := newLock(l.gate)
	if err := lockWithin(ctx, gate, false, l.timeout, more); err != nil {
		return nil, l.explain(err)
	}
	defer gate.Unlock()
	lock := newLock(l.lock)
	if err := lockWithin(ctx, lock, shared, l.timeout, more); err != nil {
		return nil, l.explain(err)
	}
	if !shared {
		// Where that is refused, a wait is as long as the timeout at most.
		now := time.Now()
		os.Chtimes(l.lock, now, now)
	}
	return func() { lock.Unlock() }, nil
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
				now := time.Now()
				os.Chtimes(l.lock, now, now)
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
		if info, err := os.Stat(l.lock); err == nil && !info.ModTime().Equal(touched) {
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
