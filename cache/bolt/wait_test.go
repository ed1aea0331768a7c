//go:build linux

package bolt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/storetest"
)

// opened counts the open descriptors of this process, among which those of waits are.
func opened(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// threads counts the threads of this process.
func threads(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// settled waits until no wait is under way any more.
func settled(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		waits.mu.Lock()
		left, givenUp := len(waits.of), waits.givenUp
		waits.mu.Unlock()
		if left == 0 && givenUp == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d queues are left, and %d waits that were given up", left, givenUp)
		}
	}
}

// TestWaitsThatAreGivenUp: a process that asks again and again for what another
// holds runs out of neither descriptors nor threads, and gets it in the end.
func TestWaitsThatAreGivenUp(t *testing.T) {
	const tries, slack = 60, 12
	background := context.Background()
	cancelled := func(f func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		return f(ctx)
	}
	for _, tt := range []struct {
		name string
		// hold has somebody else hold what is asked for; try asks, and is refused.
		hold func(t *testing.T, s *Store) (release func())
		try  func(s *Store, i int) error
	}{
		{"the gate", holdLock("gate.lock"), func(s *Store, i int) error {
			_, err := s.lock.acquire(background, i%2 == 0)
			return err
		}},
		{"the lock", holdLock("cache.lock"), func(s *Store, i int) error {
			_, err := s.lock.acquire(background, i%2 == 0)
			return err
		}},
		{"calls that are cancelled", holdLock("cache.lock"), func(s *Store, i int) error {
			return cancelled(func(ctx context.Context) error {
				_, err := s.lock.acquire(ctx, i%2 == 0)
				return err
			})
		}},
		{"many at once", holdLock("gate.lock"), func(s *Store, i int) error {
			var wg sync.WaitGroup
			errs := make([]error, 3)
			for k := range errs {
				wg.Go(func() { _, errs[k] = s.lock.acquire(background, k == 0) })
			}
			wg.Wait()
			return errs[i%3]
		}},
		{"a lease", holdLeases(1), func(s *Store, _ int) error { return tryLease(background, s, 0) }},
		{"a lease, cancelled", holdLeases(1), func(s *Store, _ int) error {
			return cancelled(func(ctx context.Context) error { return tryLease(ctx, s, 0) })
		}},
		{"many leases", holdLeases(tries), func(s *Store, i int) error { return tryLease(background, s, i) }},
		{"many leases, cancelled", holdLeases(tries), func(s *Store, i int) error {
			return cancelled(func(ctx context.Context) error { return tryLease(ctx, s, i) })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(t.TempDir(), time.Millisecond, nil)
			release := tt.hold(t, s)
			files, busy := opened(t), threads(t)
			for i := range tries {
				if err := tt.try(s, i); err == nil {
					t.Fatal("it was not held")
				}
			}
			if n := opened(t) - files; n > mostGivenUp {
				t.Errorf("%d more descriptors are open", n)
			}
			if n := threads(t) - busy; n > slack {
				t.Errorf("there are %d more threads", n)
			}
			release()
			settled(t)
			s.lock.timeout = time.Minute
			for _, shared := range []bool{true, false} {
				release, err := s.lock.acquire(background, shared)
				if err != nil {
					t.Fatal(err)
				}
				release()
			}
		})
	}
}

// holdLock holds a lock file until its release, as another process does.
func holdLock(name string) func(*testing.T, *Store) func() {
	return func(t *testing.T, s *Store) func() {
		l, err := openLock(filepath.Join(filepath.Dir(s.path), name), false)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := l.try(false); !ok {
			t.Fatal(err)
		}
		return l.close
	}
}

func leaseOf(i int) cache.ID { return cache.ID{Namespace: "n", Key: storetest.Numbered(i)} }

func tryLease(ctx context.Context, s *Store, i int) error {
	l, err := s.Lease(ctx, leaseOf(i), time.Millisecond)
	if err == nil && l.State == cache.LeaseTimeout {
		err = errWait
	}
	return err
}

// holdLeases holds as many leases.
func holdLeases(n int) func(*testing.T, *Store) func() {
	return func(t *testing.T, s *Store) func() {
		var held []*cache.Lease
		for i := range n {
			l, err := s.Lease(context.Background(), leaseOf(i), 0)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, l)
		}
		return func() {
			for _, l := range held {
				l.Release()
			}
		}
	}
}

// TestWaitIsTakenOver: who comes after a wait that was given up has its place in the
// queue: of two that ask when the lock comes free, neither is left out, and one that
// was given up for a file that is gone is of no use.
func TestWaitIsTakenOver(t *testing.T) {
	ctx := context.Background()
	name := lockName{filepath.Join(t.TempDir(), "lock"), false}
	soon := func() time.Duration { return 0 }
	held, _, err := takeLock(ctx, name, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, waited, err := takeLock(ctx, name, false, soon); !waited || !errors.Is(err, errWait) {
		t.Fatal(waited, err)
	}
	first := waits.of[queueName{name.path, false}].underWay
	got := make(chan *lockFile, 2)
	for range 2 {
		go func() {
			l, waited, err := takeLock(ctx, name, false, nil)
			if err != nil || !waited {
				t.Error(waited, err)
			}
			got <- l
		}()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // until both stand in the queue
		waits.mu.Lock()
		n := waits.of[queueName{name.path, false}].members
		waits.mu.Unlock()
		if n == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d stand in the queue", n)
		}
	}
	held.close()
	l := <-got
	if l != first.file {
		t.Error("the wait that was given up was not taken over")
	}
	l.close()
	(<-got).close()
	settled(t)

	// The file is removed while one waits who gives up.
	if held, _, err = takeLock(ctx, name, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := takeLock(ctx, name, false, soon); !errors.Is(err, errWait) {
		t.Fatal(err)
	}
	os.Remove(name.path)
	fresh, waited, err := takeLock(ctx, name, false, soon)
	if err != nil || waited {
		t.Fatal(waited, err)
	}
	other := make(chan *lockFile)
	go func() {
		l, _, err := takeLock(ctx, name, false, nil)
		if err != nil {
			t.Error(err)
		}
		other <- l
	}()
	fresh.close()
	(<-other).close()
	held.close()
	settled(t)
}
