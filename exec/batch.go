package exec

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
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
	counts    stats.Counts
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
	b.stepLocked(ctx, change)
}

// stepSoon is step for a change that answers nothing, without a wait for one that
// is under way: as long as nobody reads our answers, that one takes.
func (b *batch) stepSoon(ctx context.Context, change func()) {
	if !b.mu.TryLock() {
		go b.step(ctx, change)
		return
	}
	defer b.mu.Unlock()
	b.stepLocked(ctx, change)
}

func (b *batch) stepLocked(ctx context.Context, change func()) {
	change()
	if b.over {
		return
	}
	if b.err == nil { // or it is no longer known what was handed on
		b.err = b.emit()
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

// count takes over what a call has counted.
func (b *batch) count(c *call) {
	for i, n := range c.counts {
		b.counts[i] += n
	}
	c.counts = stats.Counts{}
}

// done answers a line, unless it is our end that kept it from an answer.
func (b *batch) done(ctx context.Context, s *slot, a Answer, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
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
		c.counts = stats.Counts{}
		return false
	}
	b.count(c)
	b.done(ctx, a.slot, answer, nil)
	return true
}

// identify finds the keys of lines, on two processors where there are many.
func (b *batch) identify(ctx context.Context, x *key.Identifier, asked []ask) {
	const many = 200
	keys := func(x *key.Identifier, asked []ask) {
		for i := range asked {
			a := &asked[i]
			var key key.Key
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
	program, err := process.LookPath(b.Query.Args[0])
	if err != nil {
		return err
	}
	var identifier *key.Identifier
	if b.Memo.Store != nil {
		identifier, err = key.NewIdentifier(ctx, b.Query.spec(program), b.Memo.Digests)
		var unreadable *key.UnreadableError
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
			b.done(ctx, s, Answer{Namespace: b.Query.Namespace}, line.Err)
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
			if b.joins(a.slot, a.id) || b.hit(ctx, a, got) {
				continue
			}
		}
		c := b.Memo.newCall(b.Query)
		c.Args, c.program = a.slot.Args, program
		if b.settle(ctx, c, a, got, identifier) && c.unsaved {
			seeds = append(seeds, c)
		}
	}
	b.seed(ctx, seeds)
	return nil
}

// joins has a line wait for the evaluation of its key that is pending, if one is.
func (b *batch) joins(s *slot, id cache.ID) bool {
	w := b.pending[id]
	if w != nil {
		w.slots = append(w.slots, s)
	}
	return w != nil
}

// settle does for one line, and with the whole of its call, what hit could not:
// it answers from the store, or fails, or makes work of it. It reports whether
// the store has answered.
func (b *batch) settle(ctx context.Context, c *call, a ask, got cache.Got, identifier *key.Identifier) bool {
	if identifier != nil {
		var key *key.Call
		err := a.err
		if err == nil {
			key, err = identifier.Identify(ctx, c.Args)
		}
		if err := c.identified(ctx, key, err); err != nil {
			b.done(ctx, a.slot, Answer{Namespace: c.Namespace}, err)
			return false
		}
	}
	if c.stored && c.id != a.id { // a file has changed just now
		if b.joins(a.slot, c.id) {
			return false
		}
		got = cache.GetAll(ctx, b.Memo.Store, []cache.ID{c.id})[0]
	}
	if c.stored {
		// A line that comes again is refreshed once.
		c.Refresh = c.Refresh && !b.refreshed[c.id]
		answer, ok, err := c.found(ctx, got)
		b.count(c)
		if ok || err != nil {
			b.done(ctx, a.slot, answer, err)
			return ok
		}
	}
	if c.OnlyCached {
		b.counts[stats.Misses]++
		b.done(ctx, a.slot, Answer{Namespace: c.Namespace}, ErrNotCached)
		return false
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
	return false
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
