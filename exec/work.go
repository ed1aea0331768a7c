package exec

import (
	"context"
	"errors"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
)

// work is an evaluation that is called for, and the lines that wait for it.
type work struct {
	call  *call
	id    cache.ID // under which it is pending
	slots []*slot
	lease *cache.Lease
	busy  bool // another process had its turn
	found bool // … and its number answers
	idle  bool // no program runs for it any more
	ended bool // nor is anything left to be stored
	// what came of it
	answer Answer
	err    error
}

// start starts evaluations while there is work and room, and sees to it that
// there is some. Work whose turn another process has comes last.
func (b *batch) start(ctx context.Context) {
	// A program takes three descriptors, and we some for ourselves.
	jobs := max(min(b.Jobs, (process.Descriptors()-12)/3), 1)
	ahead := jobs
	if n := b.counts[stats.Evaluations]; n > 0 && b.counts[stats.NanosSpent]/n < int64(50*time.Millisecond) {
		// Where evaluations are short, what leads up to them counts;
		// where they are long, another batch may want the next.
		ahead = 4 * jobs
	}
	// Leases hold descriptors, which programs may need.
	ahead = min(ahead, max(1, process.Descriptors()/8-jobs))
	if !b.stopping && !b.preparing && len(b.cold) > 0 && len(b.ready) < (ahead+1)/2 {
		n := min(len(b.cold), ahead)
		works := b.cold[:n:n]
		b.cold = b.cold[n:]
		b.preparing = true
		go func() {
			b.prepare(ctx, works)
			b.step(ctx, func() {
				b.preparing = false
				b.take(ctx, works)
			})
		}()
	}
	for b.state.Running < jobs && !b.stopping {
		var w *work
		switch {
		case len(b.ready) > 0:
			w, b.ready = b.ready[0], b.ready[1:]
		case len(b.busy) > 0 && !b.preparing:
			w, b.busy = b.busy[0], b.busy[1:]
		default:
			return
		}
		b.state.Running++
		go func() {
			b.evaluate(ctx, w)
			b.step(ctx, func() {
				if w.idle {
					b.storing--
				} else {
					b.state.Running--
				}
				w.ended = true
				b.finish(ctx, w)
			})
		}()
	}
}

// prepare takes leases for works, and looks up those again, together, that it
// has got: another process may have stored them just before.
func (b *batch) prepare(ctx context.Context, works []*work) {
	var leased []*work
	var ids []cache.ID
	for _, w := range works {
		leaser := w.call.leaser()
		if leaser == nil {
			continue
		}
		if lease, err := leaser.Lease(ctx, w.call.id, time.Millisecond); process.Scarce(err) {
			// Leases only save work: what they hold, programs need.
			for _, w := range leased {
				w.lease.Abandon()
				w.lease = nil
			}
			return
		} else if err != nil {
			continue
		} else if w.lease = lease; lease.State == cache.LeaseTimeout {
			w.busy = true
			continue
		}
		leased, ids = append(leased, w), append(ids, w.call.id)
	}
	if len(leased) == 0 {
		return
	}
	for i, got := range cache.GetAll(ctx, b.Memo.Store, ids) {
		w := leased[i]
		if w.answer, w.found, w.err = w.call.found(ctx, got); w.found || w.err != nil {
			giveBack(ctx, w.lease)
		}
	}
}

// take sorts prepared works.
func (b *batch) take(ctx context.Context, works []*work) {
	var seeds []*call
	for _, w := range works {
		switch {
		case w.busy:
			w.call.waited = true
			w.call.counts[stats.Waits]++
			b.busy = append(b.busy, w)
		case w.found && w.call.unsaved:
			seeds = append(seeds, w.call)
			fallthrough
		case w.found, w.err != nil:
			b.finish(ctx, w)
		default:
			b.ready = append(b.ready, w)
		}
	}
	b.seed(ctx, seeds)
}

func (b *batch) evaluate(ctx context.Context, w *work) {
	for try := 0; ; try++ {
		if try == b.Retries && !b.Halt { // a failure may be the last to start
			w.call.ran = sync.OnceFunc(func() {
				// Another goes on while the store waits for the disk.
				b.stepSoon(ctx, func() {
					if !w.ended {
						w.idle = true
						b.state.Running--
						b.storing++
					}
				})
			})
		}
		switch {
		case try == 0 && !w.busy && !w.call.outdated(ctx):
			if w.err = w.call.recursion(); w.err != nil {
				w.lease.Release()
				return
			}
			w.answer, w.err = w.call.evaluateUnder(ctx, w.lease)
			var short *process.ShortageError
			if errors.As(w.err, &short) {
				// Its lease is given back by now, which may be what was missing.
				w.call.counts[stats.Misses]--
				w.answer, w.err = w.call.evaluateUnder(ctx, nil)
			}
		default:
			w.lease.Release()
			if w.err = w.call.identifyAnew(ctx); w.err == nil {
				w.answer, w.err = w.call.takeTurn(ctx)
			}
		}
		if w.err == nil || try >= b.Retries || !defaultable(w.err) && !isTimeout(w.err) || ctx.Err() != nil {
			return
		}
	}
}

// outdated reports whether a file that counts has changed since the key was
// made: a line may have waited long.
func (c *call) outdated(ctx context.Context) bool {
	if c.key == nil {
		return false
	}
	changed, _ := c.key.Changed(ctx)
	appeared, _ := c.key.Appeared()
	return changed != "" || appeared != ""
}

// identifyAnew makes the key of what the files are now.
func (c *call) identifyAnew(ctx context.Context) error {
	if !c.outdated(ctx) {
		return nil
	}
	c.key, c.stored, c.series = nil, false, &cache.Series{}
	return c.identify(ctx)
}

func isTimeout(err error) bool {
	var t *process.TimeoutError
	return errors.As(err, &t)
}

// finish takes note of what came of an evaluation.
func (b *batch) finish(ctx context.Context, w *work) {
	b.count(w.call)
	b.state.Cold--
	if !w.found {
		b.state.Evaluated++
	}
	delete(b.pending, w.id)
	if w.err != nil || w.answer.Unstored != "" {
		delete(b.refreshed, w.id) // what is stored is the number of before still
	}
	if ctx.Err() != nil && w.err != nil {
		return // it was ended, not answered
	}
	a, err := w.call.orDefault(w.answer, w.err)
	for i, s := range w.slots {
		if i > 0 && err == nil && a.Count > 0 {
			a.Cached = true
		}
		b.done(ctx, s, a, err)
	}
}
