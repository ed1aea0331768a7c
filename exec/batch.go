package exec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
)

// Line is one call of a batch.
type Line struct {
	Number int      // from 1
	Input  string   // what the line was made from
	Args   []string // COMMAND and its arguments
	// Files are those which are made for an evaluation; see Query.
	Files []key.File
	Err   error // the line is no call: nothing is run for it
}

// LineAnswer is what came of a line.
type LineAnswer struct {
	Line
	Answer
	Err error // as of Memo.Answer, or Line.Err, or a *ChangedError
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
	// ByInput says that messages call a line by its Input, not by its number.
	ByInput bool
	// Window is how many lines wait at most, for an answer or behind one that takes
	// long, before reading pauses; 65,536 if it is 0.
	Window int
	// Stop, when it is closed, starts nothing more, as after a failure under Halt.
	Stop <-chan struct{}
	// Emit is given each answer, one after the other.
	Emit func(LineAnswer) error
	// Flush is called when nothing more can be emitted for now.
	Flush func() error
	// Anew, if not nil, is told why numbers that are stored don't answer a line, before it
	// is evaluated.
	Anew func(*inputs.Mismatch)
	// Progress, if not nil, is called whenever something has happened.
	Progress func(BatchState)
}

// window is Window if none is given.
const window = 65536

// ErrHalted says that a batch ended, by Halt or Stop, before all its lines were answered.
var ErrHalted = errors.New("halted at a line that failed")

// slot is a line until it is emitted.
type slot struct {
	LineAnswer
	done bool
}

// batch is a Batch that runs. Whoever has looked up lines, or has come to the end of
// an evaluation, takes the next step himself: see step. What takes time, files,
// lookups and programs, is done between steps, without the lock.
type batch struct {
	*Batch
	committer *committer
	cancel    func()        // ends the programs that run
	ended     chan struct{} // closed when there is nothing left to do
	finder    finder        // for one group of lines at a time

	mu        sync.Mutex // over all that follows, and Emit, Flush, Anew and Progress
	stepped   sync.Cond
	state     BatchState
	waiting   []*slot // in order, the first not yet emitted
	works     works
	refreshed map[cache.ID]bool
	reading   bool // there may be more lines
	finding   bool // lines are being looked up
	stopping  bool
	over      bool  // ended is closed
	err       error // ours, not a line's
	unread    error // why lines may be missing
	counts    stats.Counts
	tally     *stats.Tally
}

// Run answers the lines that read returns until its error, which is io.EOF where
// there are no more. They come in groups, and files are looked at anew for each;
// more says that lines of the next one are there already. Run returns when all
// are answered, or soon after the context's end, or, with ErrHalted, after a
// failure under Halt or a Stop; what was finished is stored. Then read may not have
// returned yet. Other errors are those of read, Emit and Flush, of
// key.NewIdentifier, and *process.StartError.
func (q *Batch) Run(ctx context.Context, read func() (lines []Line, more bool, err error)) (BatchState, error) {
	b := &batch{Batch: q, committer: &committer{}, ended: make(chan struct{}), reading: true,
		works: works{pending: map[cache.ID]*work{}}, refreshed: map[cache.ID]bool{}}
	b.stepped.L = &b.mu
	memo := *q.Memo
	b.tally = &stats.Tally{Namespace: q.Query.Namespace}
	if memo.Store != nil {
		b.tally.Stats = memo.Stats
		b.committer = newCommitter(memo.Store)
		defer b.committer.stop()
		memo.Store = b.committer
	}
	query := q.Query
	// Its programs have a subset each: as ranks they would wait for each other, and each for
	// another subset. Where we are none, what looks like one is the user's own.
	_, several := process.Rank()
	query.NoRank = several && !query.handsOnRank()
	b.finder = finder{memo: &memo, query: &query, reader: memo.newCall(query), byInput: q.ByInput}
	err := b.run(ctx, read)
	b.tally.Tell(b.counts, true)
	return b.state, err
}

func (b *batch) run(ctx context.Context, read func() ([]Line, bool, error)) error {
	asked := ctx // whether to end
	cancelled, stop := asked.Done(), b.Stop
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
		case <-stop:
			stop = nil
			b.step(ctx, func() { b.stopping = true })
		case <-cancelled:
			cancelled = nil
			b.step(ctx, func() { b.stopping = true })
		}
	}
	b.mu.Lock() // what still reads finds that it is over
	defer b.mu.Unlock()
	for _, w := range b.works.ready {
		w.lease.Abandon()
	}
	switch {
	case b.err != nil:
		return b.err
	case asked.Err() != nil:
		return context.Cause(asked)
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
	b.tally.Tell(b.counts, false) // before what was counted is printed
	if b.err == nil {             // or it is no longer known what was handed on
		b.err = b.emit()
	}
	if b.err != nil {
		b.stopping = true
		b.cancel()
	}
	b.start(ctx)
	b.committer.setRunning(b.state.Running)
	b.state.Input = b.reading && !b.stopping
	if b.Progress != nil {
		b.Progress(b.state)
	}
	if b.state.Running == 0 && b.works.idle() && !b.finding && !b.state.Input {
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
	turn := make(chan struct{}, 1) // groups are looked up one after the other
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
		if accept := func() { b.accept(ctx, lines); <-turn }; more {
			go accept()
		} else {
			accept()
		}
	}
}

// accept looks up a group of lines, and makes work of what is cold.
func (b *batch) accept(ctx context.Context, lines []Line) {
	b.mu.Lock()
	for len(b.waiting) >= cmp.Or(b.Window, window) && !b.stopping {
		b.stepped.Wait()
	}
	b.finding = !b.stopping && !b.over
	finding := b.finding
	b.mu.Unlock()
	if !finding {
		return
	}
	found, err := b.finder.find(ctx, lines)
	b.step(ctx, func() {
		b.finding = false
		if b.err == nil {
			b.err = err
		}
		b.count(&found.counts)
		for i := range found.slots {
			s := &found.slots[i]
			b.state.Read++
			b.waiting = append(b.waiting, s)
			if s.done {
				b.done(ctx, s)
			}
		}
		for _, m := range found.misses {
			if b.Anew != nil && m.call.mismatch != nil {
				b.Anew(m.call.mismatch)
			}
			b.add(m)
		}
	})
}

// count takes over what was counted elsewhere.
func (b *batch) count(counts *stats.Counts) {
	for i, n := range counts {
		b.counts[i] += n
	}
	*counts = stats.Counts{}
}

// answer answers a line.
func (b *batch) answer(ctx context.Context, s *slot, a Answer, err error) {
	s.Answer, s.LineAnswer.Err = a, err
	b.done(ctx, s)
}

// done takes note of a line's answer, unless it is our end that kept it from one.
func (b *batch) done(ctx context.Context, s *slot) {
	err := s.LineAnswer.Err
	if s.done = err == nil || ctx.Err() == nil; !s.done {
		return
	}
	b.state.Done++
	switch {
	case err != nil:
		b.state.Failed++
		b.stopping = b.stopping || b.Halt
	case s.Cached:
		b.state.Hits++
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
