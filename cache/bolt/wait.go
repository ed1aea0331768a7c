package bolt

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A wait in flock(2) can't be called off. One that is given up goes on in the
// background, with a thread and a descriptor, and a process that asks again and
// again while another holds the lock would run out of both. So a process waits in
// flock(2) once for each lock at a time: those of its goroutines that want the lock
// stand in a queue, and the first of them takes over the wait that was given up.

// errWait is takeLock's answer when the lock isn't to be had in time.
var errWait = errors.New("timed out")

// lockName says which file stands for a lock, and whether it lies below the cache's
// folder.
type lockName struct {
	path  string
	below bool
}

// takeLock takes the lock of a name, shared or alone. It waits while left, which may
// be nil, returns more than nothing; if it had to wait at all, waited is true.
func takeLock(ctx context.Context, name lockName, shared bool, left func() time.Duration) (l *lockFile, waited bool, err error) {
	l, err = openLock(name.path, name.below)
	if err != nil {
		return nil, false, err
	}
	if ok, err := l.try(shared); ok {
		return l, false, nil
	} else if err != nil {
		l.close()
		return nil, false, err
	}
	q := waits.join(queueName{name.path, shared})
	defer q.leave()
	if _, err := receive(ctx, q.turn, left); err != nil {
		l.close()
		return nil, true, err
	}
	defer func() { q.turn <- struct{}{} }()
	w := q.wait(l)
	if w == nil { // too many are under way already
		if err := poll(ctx, l, shared, left); err != nil {
			l.close()
			return nil, true, err
		}
		return l, true, nil
	}
	failed, err := receive(ctx, w.done, left)
	if err != nil {
		w.giveUp()
		return nil, true, err
	}
	w.end()
	if failed != nil {
		w.file.close()
		return nil, true, failed
	}
	return w.file, true, nil
}

// receive receives from a channel, unless the context ends before or no time is
// left.
func receive[T any](ctx context.Context, from <-chan T, left func() time.Duration) (v T, err error) {
	var expired <-chan time.Time
	var t *time.Timer
	if left != nil {
		t = time.NewTimer(max(left(), time.Millisecond))
		defer t.Stop()
		expired = t.C
	}
	for {
		select {
		case v := <-from:
			return v, nil
		case <-ctx.Done():
			return v, context.Cause(ctx)
		case <-expired:
			select {
			case v := <-from: // in time; it was we who did not run
				return v, nil
			default:
			}
			more := left()
			if more <= 0 {
				return v, errWait
			}
			t.Reset(more)
		}
	}
}

// poll takes a lock by trying again and again, which leaves nothing behind and is
// unfair.
func poll(ctx context.Context, l *lockFile, shared bool, left func() time.Duration) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if ok, err := l.try(shared); ok || err != nil {
			return err
		}
		if left != nil && left() <= 0 {
			return errWait
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// mostGivenUp is how many waits that were given up a process leaves under way:
// those for the gate and for the lock, and one more. A process that gives up many
// leases polls for the next ones.
const mostGivenUp = 4

// waits are those of this process.
var waits = lockWaits{of: map[queueName]*lockQueue{}}

type queueName struct {
	path   string
	shared bool
}

type lockWaits struct {
	mu      sync.Mutex
	of      map[queueName]*lockQueue
	givenUp int
}

// lockQueue is where the goroutines stand that want one lock.
type lockQueue struct {
	name     queueName
	turn     chan struct{} // whoever has received from it may wait
	members  int
	underWay *lockWait // or nil
}

// lockWait is a wait in flock(2).
type lockWait struct {
	queue  *lockQueue
	file   *lockFile
	done   chan error // receives one value, if the wait is wanted
	wanted bool
}

func (ws *lockWaits) join(name queueName) *lockQueue {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	q := ws.of[name]
	if q == nil {
		q = &lockQueue{name: name, turn: make(chan struct{}, 1)}
		q.turn <- struct{}{}
		ws.of[name] = q
	}
	q.members++
	return q
}

func (q *lockQueue) leave() {
	waits.mu.Lock()
	defer waits.mu.Unlock()
	q.members--
	q.forget()
}

// forget removes a queue that nobody uses.
func (q *lockQueue) forget() {
	if q.members == 0 && q.underWay == nil {
		delete(waits.of, q.name)
	}
}

// wait returns the wait for a lock that is under way already, or begins one with l,
// a file for it that is open; or nil if enough of them were given up. The other file
// is closed.
func (q *lockQueue) wait(l *lockFile) *lockWait {
	waits.mu.Lock()
	defer waits.mu.Unlock()
	if w := q.underWay; w != nil && w.file.sameAs(l) { // or somebody has removed the file
		l.close()
		w.wanted = true
		waits.givenUp--
		return w
	}
	if waits.givenUp >= mostGivenUp {
		return nil
	}
	w := &lockWait{queue: q, file: l, done: make(chan error, 1), wanted: true}
	q.underWay = w
	go func() {
		err := w.file.block(q.name.shared)
		waits.mu.Lock()
		defer waits.mu.Unlock()
		if w.wanted {
			w.done <- err
			return
		}
		w.file.close()
		waits.givenUp--
		w.over()
	}()
	return w
}

// giveUp leaves a wait to the next who wants the lock.
func (w *lockWait) giveUp() {
	waits.mu.Lock()
	defer waits.mu.Unlock()
	select {
	case <-w.done: // it has ended after all
		w.file.close()
		w.over()
	default:
		w.wanted = false
		waits.givenUp++
	}
}

// end says that a wait has ended and was wanted.
func (w *lockWait) end() {
	waits.mu.Lock()
	defer waits.mu.Unlock()
	w.over()
}

func (w *lockWait) over() {
	if w.queue.underWay == w {
		w.queue.underWay = nil
		w.queue.forget()
	}
}
