package exec

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/exec/process"
	"dvlcache/exec/process/watch"
)

// Reads says whether what evaluations are seen to use counts.
type Reads int

// The ways in which what evaluations use counts.
const (
	ReadsOff    Reads = iota // it doesn't
	ReadsAuto                // where it can be seen
	ReadsAlways              // and what was evaluated unseen answers nothing
)

// Observer sees to it that what evaluations use counts: it makes sets of inputs of
// traces, and looks whether they hold. It may be used by many goroutines.
type Observer struct {
	// Options are those of all calls; the ignored values are each call's own.
	Options inputs.Options
	// StdinWaits reports whether our stdin holds something that nobody has read; it
	// may be nil.
	StdinWaits func() bool

	mu    sync.Mutex
	lists map[key.Key]inputs.Set // that are known to be stored; they never change
}

// UnwatchedError is a call under ReadsAlways that can't be watched.
type UnwatchedError struct{ Reason error }

func (e *UnwatchedError) Error() string { return fmt.Sprintf("--track reads: %v", e.Reason) }

// Unwrap returns the cause.
func (e *UnwatchedError) Unwrap() error { return e.Reason }

// looks are what checks of sets found, for calls that are looked up together. A nil one
// remembers nothing. It is for one goroutine at a time.
type looks map[[32]byte]*inputs.Mismatch

// inputsOptions are those of a call.
func (c *call) inputsOptions() inputs.Options {
	o := c.Observer.Options
	if c.key != nil {
		o.Rules.Ignored = c.key.Ignored()
	}
	return o
}

// watches reports whether evaluations of the call are to be watched.
func (c *call) watches() bool { return c.Reads != ReadsOff && c.Observer != nil && c.usesStore }

// known is a variant of the call's entry, as the latest look found it.
type known struct {
	inputs cache.Inputs
	set    inputs.Set
}

// choose returns the variant of an entry that answers: the latest whose inputs hold. If
// none does, mismatch says why the latest doesn't. What was evaluated unwatched answers
// under ReadsAuto if nothing of the call was watched. The error is the context's.
func (c *call) choose(ctx context.Context, e *cache.Entry) (v *cache.Variant, err error) {
	c.known, c.mismatch = nil, nil
	variants := e.Variants()
	if len(variants) == 0 {
		return nil, nil
	}
	if c.Reads == ReadsOff || c.Observer == nil {
		return variants[0], nil
	}
	var unwatched *cache.Variant
	for _, candidate := range variants {
		if !candidate.Inputs.Watched() {
			unwatched = candidate
			continue
		}
		set, ok, err := c.Observer.Load(ctx, c.Store, c.Namespace, candidate.Inputs)
		if err != nil {
			return nil, err
		} else if !ok {
			continue // evicted, or of a newer version: nothing can be said of it
		}
		c.known = append(c.known, known{candidate.Inputs, set})
		if v != nil {
			continue
		}
		mismatch, err := c.check(ctx, set)
		if err != nil {
			return nil, err
		}
		if mismatch == nil {
			v = candidate
		} else if c.mismatch == nil {
			c.mismatch = mismatch
		}
		if v != nil && !c.Repeat.on() {
			break
		}
	}
	if v == nil && len(c.known) == 0 && c.Reads == ReadsAuto {
		v = unwatched
	}
	return v, nil
}

// check looks whether a set holds.
func (c *call) check(ctx context.Context, set inputs.Set) (*inputs.Mismatch, error) {
	options := c.inputsOptions()
	sum := set.Sum()
	remember := c.looks != nil && len(options.Rules.Ignored) == 0
	if remember {
		if m, ok := c.looks[sum]; ok {
			return m, nil
		}
	}
	m, err := inputs.NewChecker(options).Check(ctx, set)
	if remember && err == nil {
		c.looks[sum] = m
	}
	return m, err
}

// listKey is the key under which a shared list lies.
func listKey(list []byte) key.Key {
	h := sha256.New()
	h.Write([]byte("dvlcache list of inputs 1\n"))
	h.Write(list)
	return key.Key(h.Sum(nil))
}

// Load gets the set that a variant's inputs are. It reports false if a part of it isn't
// there, or can't be read. Its error is the context's.
func (o *Observer) Load(ctx context.Context, s cache.Store, namespace string, in cache.Inputs) (set inputs.Set, ok bool, err error) {
	if in.Own != nil {
		if set, err = inputs.Parse(in.Own); err != nil {
			return set, false, nil
		}
	}
	var missing []cache.ID
	o.mu.Lock()
	sets := make([]inputs.Set, 0, len(in.Shared))
	for _, k := range in.Shared {
		if list, ok := o.lists[k]; ok {
			sets = append(sets, list)
		} else {
			missing = append(missing, cache.ID{Namespace: namespace, Key: k})
		}
	}
	o.mu.Unlock()
	if len(missing) > 0 {
		for i, got := range getAll(ctx, s, missing) {
			if ctx.Err() != nil {
				return set, false, context.Cause(ctx)
			}
			if got.Entry == nil || got.Entry.List == nil || listKey(got.Entry.List) != missing[i].Key {
				return set, false, nil
			}
			list, err := inputs.Parse(got.Entry.List)
			if err != nil {
				return set, false, nil
			}
			o.keep(missing[i].Key, list)
			sets = append(sets, list)
		}
	}
	for _, list := range sets {
		if set, ok = inputs.Unite(set, list); !ok {
			return set, false, nil
		}
	}
	return set, true, nil
}

// getAll is cache.GetAll, without a trace where the store can be read so.
func getAll(ctx context.Context, s cache.Store, ids []cache.ID) []cache.Got {
	if l, ok := s.(cache.Lister); ok {
		return l.PeekAll(ctx, ids)
	}
	return cache.GetAll(ctx, s, ids)
}

func (o *Observer) keep(k key.Key, list inputs.Set) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lists == nil {
		o.lists = map[key.Key]inputs.Set{}
	}
	o.lists[k] = list
}

// has reports whether a list is known to be stored.
func (o *Observer) has(k key.Key) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.lists[k]
	return ok
}

// largestOwn is how long an encoded set of one entry's own is at most, in bytes, that
// lies in its record.
const largestOwn = 4 << 10

// store makes the inputs of a set, and stores what is to be shared of it.
func (c *call) storeSet(ctx context.Context, set inputs.Set) (in cache.Inputs, err error) {
	shared, own := set.Split(c.Observer.Options.Places)
	in.Own = own.Encode([]byte{})
	parts := map[key.Key]inputs.Set{}
	if len(in.Own) > largestOwn {
		parts[listKey(in.Own)], in.Own = own, nil
	}
	if shared.Len() > 0 {
		parts[listKey(shared.Encode(nil))] = shared
	}
	for k := range parts {
		in.Shared = append(in.Shared, k)
	}
	slices.SortFunc(in.Shared, func(a, b key.Key) int { return slices.Compare(a[:], b[:]) })
	var ids []cache.ID
	for _, k := range in.Shared {
		if !c.Observer.has(k) {
			ids = append(ids, cache.ID{Namespace: c.Namespace, Key: k})
		}
	}
	for i, got := range cache.GetAll(ctx, c.Store, ids) {
		var bad *cache.RecordError
		if got.Err != nil && !errors.As(got.Err, &bad) {
			return in, got.Err
		}
		list := parts[ids[i].Key]
		if got.Entry == nil {
			err := c.Store.Update(ctx, ids[i], got.Gen, func(old *cache.Entry) *cache.Entry {
				if old != nil {
					return nil
				}
				return &cache.Entry{List: list.Encode(nil)}
			})
			if err != nil {
				return in, err
			}
		}
		c.Observer.keep(ids[i].Key, list)
	}
	return in, nil
}

// observed makes a set of what an evaluation was seen to use. unseen says why there is
// none that can be relied on. Its error is a *inputs.ChangedError, or the context's.
func (c *call) observed(ctx context.Context, trace *watch.Trace) (set inputs.Set, unseen string, err error) {
	if len(trace.Unseen) > 0 {
		return set, trace.Unseen[0], nil
	}
	options := c.inputsOptions()
	r := inputs.NewRecorder(options)
	for i := range trace.Files {
		f := &trace.Files[i]
		switch f.Fate {
		case watch.Output:
			r.Made(f.Name)
			continue
		case watch.State:
			r.State(f.Name, f.By)
			continue
		case watch.Disturbed:
			return set, "", &inputs.ChangedError{Name: f.Name}
		}
		note(r, f)
	}
	for _, s := range trace.Searches {
		r.Search(s.Name, s.By, s.Found)
	}
	set, err = r.Set(ctx)
	return set, "", err
}

// mark remembers how a watched evaluation, be it one that failed, left its state, and
// what it made.
func (o *Observer) mark(ctx context.Context, trace *watch.Trace) {
	for i := range trace.Files {
		switch f := &trace.Files[i]; f.Fate {
		case watch.State:
			o.Options.Marks.KeepState(ctx, f.Name)
		case watch.Output:
			o.Options.Marks.KeepMade(f.Name)
			o.Options.Marks.RenewState(ctx, f.Name)
		}
	}
}

// note tells a recorder of a file that is an input.
func note(r *inputs.Recorder, f *watch.File) {
	stamp := inputs.Stamp{Device: f.Stamp.Device, Inode: f.Stamp.Inode, Size: f.Stamp.Size, Mode: fileMode(f.Stamp.Mode)}
	if !f.Stamp.Absent() {
		stamp.Mtime, stamp.Ctime = f.Stamp.Mtime.UnixNano(), f.Stamp.Ctime.UnixNano()
	}
	if f.Use&watch.Followed != 0 {
		r.Link(f.Name, f.By, f.Target)
	}
	switch {
	case f.Use&^(watch.Followed|watch.Written) == 0:
	case f.Stamp.Absent():
		r.Absent(f.Name, f.By)
	case f.Use&watch.Listed != 0:
		r.Listed(f.Name, f.By, stamp, f.Entries)
	case f.Use&(watch.Opened|watch.Executed) != 0:
		r.Opened(f.Name, f.By, stamp)
	default:
		r.Looked(f.Name, f.By, stamp)
	}
}

// fileMode is st_mode as Go has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & 0o170000 {
	case 0o040000:
		m |= fs.ModeDir
	case 0o120000:
		m |= fs.ModeSymlink
	}
	return m
}

// watchMode is how the program is to be run.
func (c *call) watchMode() process.WatchMode {
	switch {
	case !c.watches():
		return process.Unwatched
	case c.Reads == ReadsAlways:
		return process.WatchOrFail
	}
	if _, ok := c.Observer.Options.Marks.Unwatchable(c.program); ok {
		return process.Unwatched
	}
	return process.WatchIfPossible
}
