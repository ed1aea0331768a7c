package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/storetest"
)

// TestLockGivesWriterItsTurn: a stream of readers does not keep a writer out.
func TestLockGivesWriterItsTurn(t *testing.T) {
	dir := t.TempDir()
	l := rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock")}
	stop := make(chan struct{})
	var reads atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range 4 {
		wg.Go(func() {
			for {
				release, err := l.acquire(context.Background(), true)
				if err != nil {
					t.Error(err)
					return
				}
				// Until another one reads: so that the lock is never
				// free, unless all of them are kept out.
				mine := reads.Add(1)
				for i := 0; i < 100 && reads.Load() == mine; i++ {
					time.Sleep(time.Millisecond)
				}
				release()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	written := make(chan error, 5)
	go func() {
		for range 5 {
			for before := reads.Load(); reads.Load() < before+4; {
				time.Sleep(time.Millisecond)
			}
			release, err := l.acquire(context.Background(), false)
			if err == nil {
				release()
			}
			written <- err
		}
	}()
	for range 5 {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the writer is kept out")
		}
	}
}

func TestLockTimeout(t *testing.T) {
	dir := t.TempDir()
	l := rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock"), timeout: 30 * time.Millisecond}
	release, err := l.acquire(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.acquire(context.Background(), true); !errors.Is(err, cache.ErrLockTimeout) {
		t.Errorf("a reader: %v", err)
	}
	if _, err := l.acquire(context.Background(), false); !errors.Is(err, cache.ErrLockTimeout) {
		t.Errorf("a writer: %v", err)
	}
	release()
	// Waits that were given up must not hold it when they get it at last.
	l.timeout = time.Minute
	for range 3 {
		release, err := l.acquire(context.Background(), false)
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
}

// moreTime tries a lock with longer and longer timeouts: on a busy machine one
// may pass in which nobody ran.
func moreTime(t *testing.T, try func(l rwLock) error) {
	t.Helper()
	var err error
	for timeout := 500 * time.Millisecond; timeout < 10*time.Second; timeout *= 4 {
		dir := t.TempDir()
		if err = try(rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock"), timeout: timeout}); err == nil {
			return
		}
	}
	t.Error(err)
}

// TestLongQueueIsNoTimeout: 16 writers take three times the timeout together,
// and none of them gives up.
func TestLongQueueIsNoTimeout(t *testing.T) {
	moreTime(t, func(l rwLock) error {
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				release, err := l.acquire(context.Background(), false)
				if err != nil {
					errs[i] = err
					return
				}
				time.Sleep(l.timeout / 5)
				release()
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// TestLongRewriteIsNoTimeout: who holds the lock for three times the timeout, and
// shows that it is at work, is waited for; who doesn't is not.
func TestLongRewriteIsNoTimeout(t *testing.T) {
	moreTime(t, func(l rwLock) error {
		release, err := l.acquire(context.Background(), false)
		if err != nil {
			return err
		}
		if _, err := l.acquire(context.Background(), true); !errors.Is(err, cache.ErrLockTimeout) {
			t.Fatalf("the holder does nothing; the next: %v", err)
		}
		end := l.goesOn()
		go func() {
			time.Sleep(3 * l.timeout)
			end()
			release()
		}()
		second, err := l.acquire(context.Background(), true)
		if err == nil {
			second()
		}
		return err
	})
}

// TestLongLookIsNoTimeout: a writer waits for who goes over all of a large file, and
// not for a reader that is stopped.
func TestLongLookIsNoTimeout(t *testing.T) {
	ctx := context.Background()
	moreTime(t, func(l rwLock) error {
		s := New(filepath.Dir(l.lock), l.timeout, nil)
		if err := storetest.PutNumbered(s, "n", 0, 1); err != nil {
			return err
		}
		write := func() error {
			_, err := s.Delete(ctx, cache.ID{Namespace: "n", Key: storetest.Numbered(0)})
			return err
		}
		for _, look := range []struct {
			at   func(context.Context, func(*pages.Tree) error) error
			long bool
		}{{s.viewOnly, false}, {s.viewAll, true}} {
			begun, end, ended := make(chan bool), make(chan bool), make(chan error)
			go func() {
				ended <- look.at(ctx, func(*pages.Tree) error {
					close(begun)
					select {
					case <-end:
					case <-time.After(3 * l.timeout):
						if !look.long {
							<-end
						}
					}
					return nil
				})
			}()
			<-begun
			err := write()
			close(end)
			if lookErr := <-ended; lookErr != nil {
				return lookErr
			}
			if !look.long && !errors.Is(err, cache.ErrLockTimeout) {
				t.Fatalf("a reader does nothing; the writer: %v", err)
			} else if look.long && err != nil {
				return err
			}
		}
		return nil
	})
}
