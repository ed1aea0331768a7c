package exec

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"dvlcache/cache"
)

// Line is one call of a batch.
type Line struct {
	Number int      // from 1
	Input  string   // what the line was made from
	Args   []string // COMMAND and its arguments
	Err    error    // the line is no call: nothing is run for it
}

// LineAnswer is what came of a line.
type LineAnswer struct {
	Line
	Answer
	Err error // as of Memo.Answer, or Line.Err
}

// BatchState says how a batch gets on.
type BatchState struct {
	Read, Done, Hits, Failed int64
	Evaluated                int64 // with success or without
	Running                  int   // programs
	Cold                     int   // lines known to need an evaluation, those running included
	Input                    bool  // there may be more lines to read
}

// Batch answers many queries that differ in their arguments alone. Lines of one
// key are evaluated once, if the utility isn't a stochastic one.
type Batch struct {
	Memo  *Memo
	Query Query // its Args are COMMAND's alone
	// Jobs is how many programs run at a time, 1 if it is 0.
	Jobs int
	// Retries is how often a line is tried again that fails.
	Retries int
	// Halt starts nothing more after a failure.
	Halt bool
	// Unordered emits answers as they come, not in the order of lines.
	Unordered bool
	// Emit is given each answer, one after the other.
	Emit func(LineAnswer) error
	// Flush is called when nothing more can be emitted for now.
	Flush func() error
	// Progress, if not nil, is called whenever something has happened.
	Progress func(BatchState)
}

// window is how many lines wait at most behind one that takes long, before
// reading pauses.
const window = 65536

// ErrHalted says that a batch under Halt ended before all its lines were answered.
var ErrHalted = errors.New("halted at a line that failed")

// slot is a line until it is emitted.
type slot struct {
	LineAnswer
	done bool
}

// work is an evaluation that is called for, and the lines that wait for it.
type work struct {
	call  *call
	id    cache.ID // under which it is pending
	slots []*slot
	lease *cache.Lease
	busy  bool // another process had its turn
	found bool // … and its number answers
	idle  bool // no program runs for it any more
	// what came of it
	answer Answer
	err    error
}

// batch is a Batch that runs. Whoever has read lines, or has come to the end of
// an evaluation, takes the next step himself: see step.
type batch struct {
	*Batch
	committer *committer
	cancel    func()        // ends the programs that run
	ended     chan struct{} // closed when there is nothing left to do

	mu        sync.Mutex // over all that follows, and Emit, Flush and Progress
	stepped   sync.Cond
	state     BatchState
	waiting   []*slot // in order, the first not yet emitted
	cold      []*work
	ready     []*work // leased, looked up again, and not found
	busy      []*work
	preparing bool
	pending   map[cache.ID]*work
	refreshed map[cache.ID]bool
	storing   int  // works whose program has ended and that aren't stored
	reading   bool // there may be more lines
	stopping  bool
	over      bool  // ended is closed
	err       error // ours, not a line's
	unread    error // why lines may be missing
	counts    cache.Counts
	reader    *call // of hits, one after the other
	asked     []ask // of the latest group
	ids       []cache.ID
}

// ask is a line that is a call, with its address if it has a key.
type ask struct {
	slot   *slot
	id     cache.ID
	stored bool
	err    error // why it has no key
}

// Run answers the lines that read returns until its error, which is io.EOF where
// there are no more. They come in groups, and files are looked at anew for each;
// more says that lines of the next one are there already. Run returns when all
// are answered, or soon after the context's end, or, with ErrHalted, after a
// failure under Halt; what was finished is stored. Then read may not have
// returned yet. Other errors are those of read, Emit and Flush, of
// cache.NewIdentifier, and *StartError.
func (q *Batch) Run(ctx context.Context, read func() (lines []Line, more bool, err error)) (BatchState, error) {
	b := &batch{Batch: q, committer: &committer{}, ended: make(chan struct{}), reading: true,
		pending: map[cache.ID]*work{}, refreshed: map[cache.ID]bool{}}
	b.stepped.L = &b.mu
	memo := *q.Memo
	if memo.Store != nil {
		b.committer = newCommitter(memo.Store)
		defer b.committer.stop()
		memo.Store = b.committer
	}
	b.Memo = &memo
	b.reader = memo.newCall(q.Query)
	err := b.run(ctx, read)
	if q.Memo.Store != nil {
		q.Memo.Stats.Add(q.Query.Namespace, b.counts)
	}
	return b.state, err
}

func (b *batch) run(ctx context.Context, read func() ([]Line, bool, error)) error {
	cancelled := ctx.Done()
	var tick <-chan time.Time // so that time shows in Progress
	if b.Progress != nil {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		tick = t.C
	}
	// An error of ours ends the programs that run, too.
	ctx, b.cancel = context.WithCancel(ctx)
	defer b.cancel()
	go b.read(ctx, read)
	for over := false; !over; {
		select {
		case <-b.ended:
			over = true
		case <-tick:
			b.step(ctx, func() {})
		case <-cancelled:
			cancelled = nil
			b.step(ctx, func() { b.stopping = true })
		}
	}
	b.mu.Lock() // what still reads finds that it is over
	defer b.mu.Unlock()
	for _, w := range b.ready {
		w.lease.Abandon()
	}
	switch {
	case b.err != nil:
		return b.err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.stopping && (len(b.waiting) > 0 || b.reading):
		return ErrHalted
	}
	return b.unread
}

// step makes a change and does all that follows from it: hands on answers,
// starts evaluations, and finds out whether it was the last.
func (b *batch) step(ctx context.Context, change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	if b.over {
		return
	}
	if err := b.emit(); b.err == nil {
		b.err = err
	}
	if b.err != nil {
		b.stopping = true
		b.cancel()
	}
	b.start(ctx)
	b.committer.running.Store(int64(b.state.Running))
	b.state.Input = b.reading && !b.stopping
	if b.Progress != nil {
		b.Progress(b.state)
	}
	if b.state.Running == 0 && b.storing == 0 && !b.preparing && !b.state.Input {
		b.over = true
		close(b.ended)
	}
	b.stepped.Broadcast()
}

// read reads lines and looks them up, until there are no more or it is over.
// Where more are there already they are read meanwhile. Where not, somebody may
// be waiting for the answer before he sends the next, and it comes sooner from
// the thread that has read the line than from another, which would have to wake
// up first.
func (b *batch) read(ctx context.Context, read func() ([]Line, bool, error)) {
	turn := make(chan struct{}, 1)
	for {
		lines, more, err := read()
		turn <- struct{}{}
		if err != nil {
			b.step(ctx, func() {
				b.reading = false
				if err != io.EOF {
					b.unread = err
				}
			})
			return
		}
		accept := func() {
			b.step(ctx, func() {
				for len(b.waiting) >= window && !b.stopping {
					b.stepped.Wait()
				}
				if b.stopping {
					return
				}
				if err := b.accept(ctx, lines); b.err == nil {
					b.err = err
				}
			})
			<-turn
		}
		if more {
			go accept()
		} else {
			accept()
		}
	}
}

// start starts evaluations while there is work and room, and sees to it that
// there is some. Work whose turn another process has comes last.
func (b *batch) start(ctx context.Context) {
	// A program takes three descriptors, and we some for ourselves.
	jobs := max(min(b.Jobs, (descriptors()-12)/3), 1)
	ahead := jobs
	if n := b.counts[cache.Evaluations]; n > 0 && b.counts[cache.NanosSpent]/n < int64(50*time.Millisecond) {
		// Where evaluations are short, what leads up to them counts;
		// where they are long, another batch may want the next.
		ahead = 4 * jobs
	}
	// Leases hold descriptors, which programs may need.
	ahead = min(ahead, max(1, descriptors()/8-jobs))
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
				w.idle = false
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
		if lease, err := leaser.Lease(ctx, w.call.id, time.Millisecond); scarce(err) {
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
			w.lease.Release()
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
			w.call.counts[cache.Waits]++
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
				b.step(ctx, func() {
					w.idle = true
					b.state.Running--
					b.storing++
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
			var notStarted *StartError
			if errors.As(w.err, &notStarted) && scarce(w.err) {
				// Its lease is given back by now, which may be what was missing.
				w.call.counts[cache.Misses]--
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
	var t *TimeoutError
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
	if ctx.Err() != nil && w.err != nil {
		return // it was ended, not answered
	}
	a, err := w.call.orDefault(w.answer, w.err)
	for i, s := range w.slots {
		if i > 0 && err == nil && a.Count > 0 {
			a.Cached = true
		}
		b.done(s, a, err)
	}
}

// count takes over what a call has counted.
func (b *batch) count(c *call) {
	for i, n := range c.counts {
		b.counts[i] += n
	}
	c.counts = cache.Counts{}
}

func (b *batch) done(s *slot, a Answer, err error) {
	s.Answer, s.LineAnswer.Err, s.done = a, err, true
	b.state.Done++
	switch {
	case err != nil:
		b.state.Failed++
		b.stopping = b.stopping || b.Halt
	case a.Cached:
		b.state.Hits++
	}
}

// hit answers a line by what the store has given, if that is all there is to it.
func (b *batch) hit(ctx context.Context, a ask, got cache.Got) bool {
	if got.Entry == nil || got.Err != nil {
		return false
	}
	c := b.reader
	c.id, c.stored, c.unsaved = a.id, true, false
	c.Refresh = b.Query.Refresh && !b.refreshed[a.id]
	answer, ok, err := c.found(ctx, got)
	if !ok || err != nil || c.unsaved {
		c.counts = cache.Counts{}
		return false
	}
	b.count(c)
	b.done(a.slot, answer, nil)
	return true
}

// identify finds the keys of lines, on two processors where there are many.
func (b *batch) identify(ctx context.Context, x *cache.Identifier, asked []ask) {
	const many = 200
	keys := func(x *cache.Identifier, asked []ask) {
		for i := range asked {
			a := &asked[i]
			var key cache.Key
			key, a.err = x.Key(ctx, a.slot.Args)
			if a.stored = a.err == nil; a.stored {
				a.id = cache.ID{Namespace: b.Query.Namespace, Key: key}
			}
		}
	}
	if len(asked) < many {
		keys(x, asked)
		return
	}
	half := len(asked) / 2
	done := make(chan struct{})
	go func() {
		keys(x.Twin(), asked[half:])
		close(done)
	}()
	keys(x, asked[:half])
	<-done
}

// accept looks up a group of lines, and makes work of what is cold.
func (b *batch) accept(ctx context.Context, lines []Line) error {
	program, err := LookPath(b.Query.Args[0])
	if err != nil {
		return err
	}
	var identifier *cache.Identifier
	if b.Memo.Store != nil {
		identifier, err = cache.NewIdentifier(ctx, b.Query.spec(program), b.Memo.Digests)
		var unreadable *cache.UnreadableError
		if errors.As(err, &unreadable) {
			b.Memo.Warn(err.Error()+", so these calls can't be cached", "")
		} else if err != nil {
			return err
		}
	}
	slots := make([]slot, len(lines))
	asked := b.asked[:0]
	ids := b.ids[:0]
	for i, line := range lines {
		s := &slots[i]
		s.Line = line
		b.state.Read++
		b.waiting = append(b.waiting, s)
		if line.Err != nil {
			b.done(s, Answer{Namespace: b.Query.Namespace}, line.Err)
			continue
		}
		asked = append(asked, ask{slot: s})
	}
	if identifier != nil {
		b.identify(ctx, identifier, asked)
	}
	for i := range asked {
		if asked[i].stored {
			ids = append(ids, asked[i].id)
		}
	}
	b.asked, b.ids = asked, ids
	var found []cache.Got
	if len(ids) > 0 {
		found = cache.GetAll(ctx, b.Memo.Store, ids)
	}
	var seeds []*call
	for _, a := range asked {
		var got cache.Got
		if a.stored {
			got, found = found[0], found[1:]
			if w := b.pending[a.id]; w != nil {
				w.slots = append(w.slots, a.slot)
				continue
			}
			if b.hit(ctx, a, got) {
				continue
			}
		}
		c := b.Memo.newCall(b.Query)
		c.Args, c.program = a.slot.Args, program
		if identifier != nil {
			var key *cache.Call
			err := a.err
			if err == nil {
				key, err = identifier.Identify(ctx, c.Args)
			}
			if err := c.identified(ctx, key, err); err != nil {
				b.done(a.slot, Answer{Namespace: c.Namespace}, err)
				continue
			}
		}
		if c.stored && c.id != a.id { // a file has changed just now
			if w := b.pending[c.id]; w != nil {
				w.slots = append(w.slots, a.slot)
				continue
			}
			got = cache.GetAll(ctx, b.Memo.Store, []cache.ID{c.id})[0]
		}
		if c.stored {
			// A line that comes again is refreshed once.
			c.Refresh = c.Refresh && !b.refreshed[c.id]
			answer, ok, err := c.found(ctx, got)
			b.count(c)
			if ok && c.unsaved {
				seeds = append(seeds, c)
			}
			if ok || err != nil {
				b.done(a.slot, answer, err)
				continue
			}
		}
		if c.OnlyCached {
			b.counts[cache.Misses]++
			b.done(a.slot, Answer{Namespace: c.Namespace}, ErrNotCached)
			continue
		}
		w := &work{call: c, id: c.id, slots: []*slot{a.slot}}
		if c.stored {
			b.pending[c.id] = w
			if c.Refresh {
				b.refreshed[c.id] = true
			}
		}
		b.cold = append(b.cold, w)
		b.state.Cold++
	}
	b.seed(ctx, seeds)
	return nil
}

// seed stores, together, the numbers that were found in kept outputs.
func (b *batch) seed(ctx context.Context, calls []*call) {
	changes := make([]cache.Change, len(calls))
	after := make([]func(error) error, len(calls))
	for i, c := range calls {
		changes[i], after[i] = c.change(ctx, func(*cache.Entry) {})
	}
	if len(changes) == 0 {
		return
	}
	errs := cache.UpdateAll(ctx, b.Memo.Store, changes)
	for i := range calls {
		if errs != nil {
			after[i](errs[i])
		}
		b.count(calls[i])
	}
}

// emit hands on what can be: in order, or all that is done.
func (b *batch) emit() error {
	emitted := false
	give := func(s *slot) error {
		emitted = true
		return b.Emit(s.LineAnswer)
	}
	if b.Unordered {
		rest := b.waiting[:0]
		for _, s := range b.waiting {
			if !s.done {
				rest = append(rest, s)
			} else if err := give(s); err != nil {
				return err
			}
		}
		clear(b.waiting[len(rest):])
		b.waiting = rest
	} else {
		n := 0
		for ; n < len(b.waiting) && b.waiting[n].done; n++ {
			if err := give(b.waiting[n]); err != nil {
				return err
			}
			b.waiting[n] = nil
		}
		b.waiting = b.waiting[n:]
	}
	if emitted {
		return b.Flush()
	}
	return nil
}
