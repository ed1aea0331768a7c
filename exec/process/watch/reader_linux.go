//go:build amd64 || arm64

package watch

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// reader receives calls, looks at what they name, and lets them through. One
// at a time is active; where a file system doesn't answer it, the watchdog lets
// its call through and puts another in its place.
type reader struct {
	*Watch
	n    *trap.Notification
	slot int
	tid  atomic.Int32
	busy atomic.Uint64 // the call at hand
	// waits is set for a call that may wait for something of its own, and opens
	// is the name that is opened.
	waits   bool
	opens   []byte
	name    [2 * unix.PathMax]byte
	two     [2 * unix.PathMax]byte
	path    [unix.PathMax]byte
	link    [unix.PathMax]byte
	entries []byte
	st      unix.Statx_t
}

// newReader makes a reader, which needs a place for the calls that it receives, the active
// one.
func (w *Watch) newReader(slot int) *reader {
	r := &reader{Watch: w, slot: slot}
	w.active.Store(r)
	return r
}

func (r *reader) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.tid.Store(int32(unix.Gettid()))
	for {
		switch errno := trap.Receive(r.listener, r.n); errno {
		case 0:
		case unix.EINTR, unix.ENOENT:
			continue
		default:
			r.mu.Lock()
			if r.active.CompareAndSwap(r, nil) {
				r.seen.unseen("the system handed over no more calls: " + errno.Error())
				close(r.ended)
			}
			r.mu.Unlock()
			return
		}
		r.busy.Store(r.n.ID)
		if r.resting.Load() {
			r.rouse()
		}
		last := int(r.n.PID) == r.starterID && r.stopping.Load()
		if !last {
			r.mu.Lock()
			r.waits, r.opens = false, nil
			r.handle(r.n)
			r.passed(r.n)
			r.mu.Unlock()
		}
		r.busy.Store(0)
		trap.LetThrough(r.listener, r.n.ID)
		if last {
			if r.active.CompareAndSwap(r, nil) {
				close(r.ended)
			}
			return
		}
	}
}

// outside is called before what may wait for a file system, with mu held, and
// inside after it. A reader whose place was taken meanwhile doesn't return.
func (r *reader) outside() { r.mu.Unlock() }

func (r *reader) inside() {
	r.mu.Lock()
	if r.active.Load() != r {
		r.mu.Unlock()
		runtime.Goexit()
	}
}

// watchdog lets calls through whose names can't be looked at in time. Time is
// counted in steps: on a busy machine we may not have run for all of it.
func (w *Watch) watchdog() {
	const steps = 5
	var id uint64
	var same, idle int
	tick := time.NewTicker(w.late / steps)
	defer tick.Stop()
	for {
		select {
		case <-w.ended:
			return
		case <-tick.C:
		}
		r := w.active.Load()
		if r == nil {
			return
		}
		now := r.busy.Load()
		switch {
		case now == 0:
			if idle++; idle > 20*steps {
				tick.Stop()
				w.resting.Store(true)
				select {
				case <-w.ended:
					return
				case <-w.wake:
				}
				idle = 0
				tick.Reset(w.late / steps)
			}
			same = 0
		case now != id:
			same, idle = 0, 0
		default:
			idle = 0
			if same++; same >= steps && r.sleeps() {
				w.replace(r, now)
				same = 0
			}
		}
		id = now
	}
}

// sleeps reports whether the reader waits for the system, and not only for a
// processor.
func (r *reader) sleeps() bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", r.tid.Load()))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "R")
}

func (w *Watch) rouse() {
	if w.resting.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// replace puts another reader in the place of one that is stuck.
func (w *Watch) replace(r *reader, id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.busy.Load() != id || w.active.Load() != r {
		return
	}
	w.seen.unseen("a file system did not answer in time")
	w.stuck = true
	if r.slot+1 == trap.Slots {
		// They are all stuck: from now on nothing is seen.
		w.active.Store(nil)
		close(w.ended)
		w.keeper.HandOver()
	} else {
		next := w.newReader(r.slot + 1)
		next.n = w.keeper.Call(next.slot)
		go next.run()
	}
	trap.LetThrough(w.listener, id)
}
