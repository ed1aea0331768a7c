package exec

import (
	"context"
	"errors"
	"strconv"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
)

// finder looks up groups of lines. It is for one group at a time.
type finder struct {
	memo   *Memo
	query  *Query
	reader *call // of hits, one after the other
	// byInput says what messages call a line; see Batch.
	byInput bool

	// What it works in.
	asked []ask
	ids   []cache.ID
}

// ask is a line that is a call, with its address if it has a key.
type ask struct {
	slot  *slot
	id    cache.ID
	keyed bool
	err   error // why it has no key
}

// found is what a lookup of a group of lines gave.
type found struct {
	slots  []slot // a line each; done where it is answered
	misses []miss
	counts stats.Counts
}

// miss is a line that the store doesn't answer.
type miss struct {
	slot *slot
	call *call
}

// find looks up lines. Its errors are *process.StartError and those of
// key.NewIdentifier.
func (f *finder) find(ctx context.Context, lines []Line) (out found, err error) {
	program, err := process.LookPath(f.query.Args[0])
	if err != nil {
		return out, err
	}
	identifier, err := f.identifier(ctx, program)
	if err != nil {
		return out, err
	}
	f.reader.looks = looks{} // files are looked at once for a group
	out.slots = make([]slot, len(lines))
	f.asked, f.ids = f.asked[:0], f.ids[:0]
	for i, line := range lines {
		s := &out.slots[i]
		if s.Line = line; line.Err != nil {
			s.Answer, s.LineAnswer.Err, s.done = Answer{Namespace: f.query.Namespace}, line.Err, true
			continue
		}
		f.asked = append(f.asked, ask{slot: s})
	}
	if identifier != nil {
		f.identify(ctx, identifier, f.asked)
	}
	for i := range f.asked {
		if f.asked[i].keyed {
			f.ids = append(f.ids, f.asked[i].id)
		}
	}
	var all []cache.Got
	if len(f.ids) > 0 {
		all = cache.GetAll(ctx, f.memo.Store, f.ids)
	}
	var seeds []*call
	for _, a := range f.asked {
		var got cache.Got
		if a.keyed {
			got, all = all[0], all[1:]
			if f.hit(ctx, a, got) {
				continue
			}
		}
		c := f.newCall(a.slot, program)
		c.looks = f.reader.looks
		answer, ok, err := f.settle(ctx, c, a, got, identifier)
		c.looks = nil // from now on it looks anew
		switch {
		case ok && c.fromOutput:
			seeds = append(seeds, c)
			fallthrough
		case ok, err != nil:
			a.slot.Answer, a.slot.LineAnswer.Err, a.slot.done = answer, err, true
		default:
			out.misses = append(out.misses, miss{a.slot, c})
		}
		add(&out.counts, c)
	}
	seed(ctx, f.memo.Store, seeds)
	for _, c := range seeds {
		add(&out.counts, c)
	}
	add(&out.counts, f.reader)
	return out, nil
}

// newCall is the call of a line.
func (f *finder) newCall(s *slot, program string) *call {
	c := f.memo.newCall(*f.query)
	c.Args, c.Files, c.program = s.Args, s.Files, program
	if c.line = s.Input; !f.byInput {
		c.line = "line " + strconv.Itoa(s.Number)
	}
	return c
}

// add takes over what a call has counted.
func add(counts *stats.Counts, c *call) {
	for i, n := range c.counts {
		counts[i] += n
	}
	c.counts = stats.Counts{}
}

// identifier makes the keys of a group; nil where there are none.
func (f *finder) identifier(ctx context.Context, program string) (*key.Identifier, error) {
	if f.memo.Store == nil {
		return nil, nil
	}
	x, err := key.NewIdentifier(ctx, f.query.spec(program), f.memo.Digests)
	var unreadable *key.UnreadableError
	if errors.As(err, &unreadable) {
		f.memo.Warn(err.Error()+", so these calls can't be cached", "")
		return nil, nil
	}
	return x, err
}

// identify finds the keys of lines, on two processors where there are many.
func (f *finder) identify(ctx context.Context, x *key.Identifier, asked []ask) {
	const many = 200
	keys := func(x *key.Identifier, asked []ask) {
		for i := range asked {
			a := &asked[i]
			a.id.Namespace = f.query.Namespace
			a.id.Key, a.err = x.Key(ctx, a.slot.Args, a.slot.Files)
			a.keyed = a.err == nil
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

// hit answers a line by what the store has given, if that is all there is to it.
func (f *finder) hit(ctx context.Context, a ask, got cache.Got) bool {
	if got.Entry == nil || got.Err != nil {
		return false
	}
	c := f.reader
	c.id, c.Args, c.Files, c.usesStore, c.fromOutput = a.id, a.slot.Args, a.slot.Files, true, false
	before := c.counts
	answer, ok, err := c.answerFrom(ctx, got)
	if !ok || err != nil || c.fromOutput {
		c.counts = before
		return false
	}
	a.slot.Answer, a.slot.done = answer, true
	return true
}

// settle does for one line, and with the whole of its call, what hit could not: it
// answers from the store, or fails, or leaves the line to be evaluated.
func (f *finder) settle(ctx context.Context, c *call, a ask, got cache.Got, identifier *key.Identifier) (Answer, bool, error) {
	none := Answer{Namespace: c.Namespace}
	if identifier != nil {
		var known *key.Call
		err := a.err
		if err == nil {
			known, err = identifier.Identify(ctx, c.Args, c.Files)
		}
		if err := c.identified(ctx, known, err); err != nil {
			return none, false, err
		}
	}
	if c.usesStore {
		if c.id != a.id { // a file has changed just now
			got = cache.GetAll(ctx, f.memo.Store, []cache.ID{c.id})[0]
		}
		if answer, ok, err := c.answerFrom(ctx, got); ok || err != nil {
			return answer, ok, err
		}
	}
	if c.OnlyCached {
		c.counts[stats.Misses]++
		none.Key, none.Mismatch = c.id.Key, c.mismatch
		return none, false, ErrNotCached
	}
	return none, false, nil
}

// seed stores, together, the numbers that were found in kept outputs.
func seed(ctx context.Context, s cache.Store, calls []*call) {
	if len(calls) == 0 {
		return
	}
	changes := make([]cache.Change, len(calls))
	after := make([]func(error) error, len(calls))
	for i, c := range calls {
		changes[i], after[i] = c.saveFromOutput(ctx)
	}
	errs := cache.UpdateAll(ctx, s, changes)
	for i := range calls {
		if errs != nil {
			after[i](errs[i])
		}
	}
}
