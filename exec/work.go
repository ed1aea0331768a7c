package exec

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
)

// workState is where a work is on its way.
//
//	cold ──→ preparing ──→ ready ──→ running ──→ storing ──→ ended
//	  ↑       │      └───→ busy ──────↑  │                     ↑
//	  │       └── answered by the store ─┼─────────────────────┤
//	  └── a file changed while it ran ←──┴── it failed ────────┘
type workState int

const (
	workCold      workState = iota // in works.cold
	workPreparing                  // its lease is asked for, and the store a second time
	workReady                      // in works.ready: it has its lease, if there are any, or had it
	workBusy                       // in works.busy: another process has its turn
	workRunning                    // its program runs, or waits for its turn
	workStoring                    // its program has ended; the store is waited for
	workEnded
)

// work is an evaluation that is called for, and the lines that wait for it. Who has
// taken it out of works, to prepare it or to run it, may use all but state and slots
// without the batch's lock.
type work struct {
	state workState
	call  *call
	id    cache.ID // under which it is pending
	slots []*slot
	lease *cache.Lease
	// returned says that its lease was given back.
	returned bool
	again    bool // a file changed meanwhile: its key has to be made anew
	times    int  // how often it was evaluated while a file changed
	// what came of it
	fromStore bool // another's number answers
	answer    Answer
	err       error
}

// works are the works of a batch that haven't ended.
type works struct {
	cold    []*work // in the order of lines
	ready   []*work
	busy    []*work
	pending map[cache.ID]*work // by address, those that have one
	// preparing says that somebody prepares works, storing how many are in that
	// state.
	preparing bool
	storing   int
	// held says that a lease that was taken ahead had to be given back since the last
	// program ended: no more are.
	held bool
}

// idle reports whether nothing goes on but programs.
func (w *works) idle() bool { return w.storing == 0 && !w.preparing }

// add makes work of a line that the store doesn't answer, or has it wait for the
// work that its key has already.
func (b *batch) add(m miss) {
	c := m.call
	if c.usesStore {
		if w := b.works.pending[c.id]; w != nil {
			w.slots = append(w.slots, m.slot)
			return
		}
		// A line that comes again is refreshed once.
		if c.Refresh = c.Refresh && !b.refreshed[c.id]; c.Refresh {
			b.refreshed[c.id] = true
		}
	}
	w := &work{call: c, id: c.id, slots: []*slot{m.slot}}
	if c.usesStore {
		b.works.pending[c.id] = w
	}
	b.works.cold = append(b.works.cold, w)
	b.state.Cold++
}

// start starts evaluations while there is work and room, and sees to it that
// there is some. Work whose turn another process has comes last.
func (b *batch) start(ctx context.Context) {
	if b.stopping {
		return
	}
	ws := &b.works
	jobs := max(min(b.Jobs, process.Most(b.Query.Reads != ReadsOff && b.Memo.Observer != nil)), 1)
	if n := min(len(ws.cold), b.toPrepare(jobs)); n > 0 && !ws.preparing {
		works := ws.cold[:n:n]
		ws.cold = ws.cold[n:]
		ws.preparing = true
		for _, w := range works {
			w.state = workPreparing
		}
		go func() {
			b.prepare(ctx, works)
			b.step(ctx, func() {
				ws.preparing = false
				b.take(ctx, works)
			})
		}()
	}
	for b.state.Running < jobs {
		var w *work
		switch {
		case len(ws.ready) > 0:
			w, ws.ready = ws.ready[0], ws.ready[1:]
		case len(ws.busy) > 0 && !ws.preparing:
			w, ws.busy = ws.busy[0], ws.busy[1:]
		default:
			return
		}
		waits := w.state == workBusy || w.returned
		w.state = workRunning
		b.state.Running++
		go func() {
			b.evaluate(ctx, w, waits)
			b.step(ctx, func() {
				b.programEnded(w)
				ws.storing--
				b.finish(ctx, w)
			})
		}()
	}
}

// programEnded takes note that no program runs for a work any more.
func (b *batch) programEnded(w *work) {
	if w.state == workRunning {
		w.state = workStoring
		b.state.Running--
		b.works.storing++
		b.works.held = false
	}
}

// toPrepare is how many works to prepare: as many as there is room for, and, where
// evaluations are short, so that what leads up to them counts, some more.
func (b *batch) toPrepare(jobs int) int {
	ws := &b.works
	n := b.counts[stats.Evaluations]
	if n == 0 || b.counts[stats.NanosSpent]/n > int64(50*time.Millisecond) || ws.held {
		return jobs - b.state.Running - len(ws.ready)
	}
	// Leases hold descriptors, which programs may need.
	ahead := min(4*jobs, max(1, process.Descriptors()/8-jobs))
	if len(ws.ready) >= (ahead+1)/2 {
		return 0
	}
	return ahead
}

// prepare takes leases for works, and looks up those again, together, that it
// has got: another process may have stored them just before.
func (b *batch) prepare(ctx context.Context, works []*work) {
	var second []*work
	var ids []cache.ID
	short := false
	for _, w := range works {
		if w.again {
			if w.again, w.err = false, w.call.identify(ctx); w.err != nil {
				continue
			}
		}
		if !w.call.usesStore {
			continue
		}
		// Leases only save work: what they hold, programs need.
		if leaser := w.call.leaser(); leaser != nil && !short {
			lease, err := leaser.Lease(ctx, w.call.id, time.Millisecond)
			if short = process.Scarce(err); short {
				for _, w := range second {
					w.lease.Abandon()
					w.lease = nil
				}
			}
			if err == nil {
				w.lease = lease
			}
		}
		if !w.blocked() {
			second, ids = append(second, w), append(ids, w.call.id)
		}
	}
	if len(second) == 0 {
		return
	}
	var seeds []*call
	for i, got := range cache.GetAll(ctx, b.finder.memo.Store, ids) {
		w := second[i]
		if w.answer, w.fromStore, w.err = w.call.answerFrom(ctx, got); w.fromStore || w.err != nil {
			giveBack(ctx, w.lease)
		}
		if w.fromStore && w.call.fromOutput {
			seeds = append(seeds, w.call)
		}
	}
	seed(ctx, b.finder.memo.Store, seeds)
}

// blocked reports whether another process has the work's lease.
func (w *work) blocked() bool { return w.lease != nil && w.lease.State == cache.LeaseTimeout }

// leasedAhead is how long a lease is kept for a program that doesn't run yet. Others
// wait for it meanwhile, maybe one that the running programs wait for.
const leasedAhead = 20 * time.Millisecond

// take sorts prepared works.
func (b *batch) take(ctx context.Context, works []*work) {
	ws := &b.works
	var leased []*work
	for _, w := range works {
		if w.call.usesStore && w.id != w.call.id {
			// A key that was made anew.
			if w.id = w.call.id; ws.pending[w.id] == nil {
				ws.pending[w.id] = w
			}
		}
		switch {
		case w.fromStore, w.err != nil:
			b.finish(ctx, w)
		case w.blocked():
			w.state = workBusy
			w.call.waited = true
			w.call.counts[stats.Waits]++
			ws.busy = append(ws.busy, w)
		default:
			w.state = workReady
			ws.ready = append(ws.ready, w)
			if w.lease != nil {
				leased = append(leased, w)
			}
		}
	}
	if len(leased) > 0 {
		time.AfterFunc(leasedAhead, func() { b.returnLeases(ctx, leased) })
	}
}

// returnLeases gives the leases of works back that aren't running yet: nobody may
// wait for long for a lease whose program doesn't run. The works keep their place, and
// take their turn when they run.
func (b *batch) returnLeases(ctx context.Context, leased []*work) {
	var late []*cache.Lease
	b.step(ctx, func() {
		for _, w := range b.works.ready {
			if !b.over && w.lease != nil && slices.Contains(leased, w) {
				late = append(late, w.lease)
				w.lease, w.returned = nil, true
			}
		}
		b.works.held = b.works.held || len(late) > 0
	})
	for _, l := range late {
		l.Abandon()
	}
}

// evaluate evaluates a work, which may have to wait for its turn, and tries again
// where that fails.
func (b *batch) evaluate(ctx context.Context, w *work, waits bool) {
	for try := 0; ; try++ {
		var ended func()
		if try == b.Retries && !b.Halt { // a failure may be the last to start
			ended = sync.OnceFunc(func() {
				// Another goes on while the store waits for the disk.
				b.stepSoon(ctx, func() { b.programEnded(w) })
			})
		}
		switch {
		case try == 0 && !waits && !w.call.outdated(ctx):
			if w.err = w.call.recursion(); w.err != nil {
				w.lease.Release()
				return
			}
			w.answer, w.err = w.call.evaluateUnder(ctx, w.lease, ended)
			var short *process.ShortageError
			if errors.As(w.err, &short) {
				// Its lease is given back by now, which may be what was missing.
				w.call.counts[stats.Misses]--
				w.answer, w.err = w.call.evaluateUnder(ctx, nil, ended)
			}
		default:
			w.lease.Release()
			if w.err = w.call.identifyAnew(ctx); w.err == nil {
				w.answer, w.err = w.call.takeTurn(ctx, ended)
			}
		}
		if w.err == nil || try >= b.Retries || !defaultable(w.err) && !isTimeout(w.err) || ctx.Err() != nil {
			return
		}
	}
}

func isTimeout(err error) bool {
	var t *process.TimeoutError
	return errors.As(err, &t)
}

// finish takes note of what came of a work. Where a file changed while it ran, its
// number may be of neither contents, and it is evaluated again.
func (b *batch) finish(ctx context.Context, w *work) {
	w.state = workEnded
	b.count(&w.call.counts)
	if !w.fromStore {
		b.state.Evaluated++
	}
	if b.works.pending[w.id] == w {
		delete(b.works.pending, w.id)
	}
	if w.err != nil || w.answer.Unstored != "" {
		delete(b.refreshed, w.id) // what is stored is the number of before still
	}
	if ctx.Err() != nil && w.err != nil {
		b.state.Cold--
		return // it was ended, not answered
	}
	changed := w.call.changed
	if w.err == nil && changed.Path != "" {
		w.times++
		if changed.Times = w.times; w.times <= max(b.Retries, 1) {
			b.askAgain(w, w.slots)
			return
		}
		if !changed.seen { // what nobody declared doesn't stop the experiment
			w.err = &changed
		}
	}
	b.state.Cold--
	a, err := w.call.orDefault(w.answer, w.err)
	for i, s := range w.slots {
		if i > 0 && err == nil {
			if w.err == nil && a.Unstored != "" {
				// What may not be stored may not answer others.
				b.state.Cold++
				b.askAgain(&work{call: w.call}, w.slots[i:])
				return
			}
			a.Cached = a.Cached || a.Count > 0
		}
		b.answer(ctx, s, a, err)
	}
}

// askAgain puts lines back that a work does not answer.
func (b *batch) askAgain(w *work, slots []*slot) {
	again := &work{call: b.finder.newCall(slots[0], w.call.program), slots: slots, again: true, times: w.times}
	b.works.cold = append([]*work{again}, b.works.cold...)
}
