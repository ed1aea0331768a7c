package process

import (
	"context"
	"errors"
	"syscall"
	"time"

	"dvlcache/exec/process/watch"
)

// Descriptors, counted with many programs running.
const (
	// ours are those of our streams, Go's runtime, and the tables of digests and marks;
	// those that the store takes while it is asked, and while others hold its locks; and
	// those that a program takes only while it is started.
	ours = 22
	// A program takes its stdout, its process, its lease, and one to look after its files
	// with; under watch the listener, the keeper's pipe, its process once more, and its
	// empty stdin, too, and the reader opens files.
	perProgram, perWatched = 4, 9
)

// Most is how many programs can run side by side with the descriptors there are, at least
// one. More would take from the store what it needs, so that nothing could be kept.
func Most(watched bool) int {
	each := perProgram
	if watched && watch.Supported {
		each = perWatched
	}
	return max((Descriptors()-ours)/each, 1)
}

// begin starts a program, and returns when it was started. Where there is too little
// left for that, there may be enough soon: as long as another runs, and half a second
// longer, begin tries again, and then, where it may, without watching. Where even that was
// in vain, it isn't waited for again before there was enough.
func (r *Runner) begin(ctx context.Context, c Command) (p *running, start time.Time, err error) {
	const tries = 50
	var unwatched error
	for idle := 0; ; idle++ {
		start = time.Now()
		if p, err = r.start(c); !Scarce(err) || ctx.Err() != nil {
			break
		}
		if r.busy() {
			idle = 0
		} else if idle >= tries || c.Watch == WatchIfPossible && r.short.Load() {
			if c.Watch != WatchIfPossible {
				break
			}
			unwatched, c.Watch, idle = tooLittle(err), Unwatched, 0
			r.short.Store(true)
			continue
		}
		time.Sleep(10 * time.Millisecond)
	}
	switch {
	case c.Watch == WatchOrFail && Scarce(err):
		err = tooLittle(err)
	case err == nil && unwatched != nil:
		p.unwatched = unwatched
	case err == nil && p.watch != nil:
		r.short.Store(false)
	}
	return p, start, err
}

// tooLittle is why a program can't be watched for want of what may be there again soon.
func tooLittle(err error) error {
	var unavailable *watch.Unavailable
	if errors.As(err, &unavailable) {
		return unavailable
	}
	return &watch.Unavailable{Reason: "there is too little left for it", Err: err}
}

// beyondLimit says of EBADF, which dup3(2) says of a number beyond the limit, what it
// means.
func beyondLimit(err error) error {
	if errors.Is(err, syscall.EBADF) {
		return syscall.EMFILE
	}
	return err
}

// busy reports whether a program is running.
func (r *Runner) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.groups) > 0
}
