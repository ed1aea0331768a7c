// Package exec answers calls of utilities: from a store, or by running the
// program, reading the number it printed, and remembering it.
package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// ActiveVariable lists, in a program's environment, the calls that it is an
// evaluation of, so that one that calls itself gets an error and not a
// deadlock.
const ActiveVariable = "DVLCACHE_ACTIVE"

// Memo answers queries. It may be used by many goroutines, if Warn may.
type Memo struct {
	Store   cache.Store // nil: run without a cache
	Stats   *stats.Stats
	Digests *key.Digests
	Runner  *process.Runner
	// Warn is told, in one line, what went wrong and was got over, and
	// what would mend it, if that is known.
	Warn func(message, hint string)
	// Watch, if not nil, is called before a program is run, and returns the
	// context in which it is: one that ends on signals, say. It costs a hit
	// nothing.
	Watch func(context.Context) context.Context
	// Progress, if not nil, is told how a call with Repeat gets on.
	Progress func(cache.Moments)
}

// call is a query on its way to an answer.
type call struct {
	*Memo
	Query
	program string
	key     *key.Call // nil if there is none
	stored  bool      // the store is used: there is one, it works, and there is a key
	id      cache.ID
	gen     cache.Generation
	// series is what is known of the number so far: what is stored, or, if
	// that can't be had, the evaluations of this call.
	series *cache.Series
	// unstored says why the latest evaluation isn't stored; see Answer.
	unstored string
	waited   bool
	// evaluated says that the latest lookup found a number, be it of
	// another extraction.
	evaluated bool
	unsaved   bool // see found
	// ran, if not nil, is called when no program runs for the call any
	// more; what is left to do is to wait for the store.
	ran    func()
	counts stats.Counts
}

// Answer answers a query. Its errors are, besides those of the context and the
// system: *StartError, *ExitError, *TimeoutError, *NumberError, ErrNotCached,
// *RecursionError, and those of key.Identify that say that the query is
// wrong. A store that is out of order is no error, but under Strict, where it is
// a *StoreError: the program is run.
func (m *Memo) Answer(ctx context.Context, q Query) (Answer, error) {
	c := m.newCall(q)
	a, err := c.orDefault(c.answer(ctx))
	if m.Store != nil {
		m.Stats.Add(q.Namespace, c.counts)
	}
	return a, err
}

func (m *Memo) newCall(q Query) *call {
	return &call{Memo: m, Query: q, series: &cache.Series{}}
}

// orDefault puts the query's default in the place of a failure.
func (c *call) orDefault(a Answer, err error) (Answer, error) {
	if err == nil || c.Default == "" || !defaultable(err) {
		return a, err
	}
	c.Warn(fmt.Sprintf("%v; the default is printed", err), "")
	return c.defaultAnswer()
}

func (c *call) answer(ctx context.Context) (Answer, error) {
	var err error
	if c.program, err = process.LookPath(c.Args[0]); err != nil {
		return Answer{}, err
	}
	if err := c.identify(ctx); err != nil {
		return Answer{}, err
	}
	if a, ok, err := c.lookup(ctx); ok || err != nil {
		return a, err
	}
	if c.OnlyCached {
		c.counts[stats.Misses]++
		return Answer{}, ErrNotCached
	}
	return c.takeTurn(ctx)
}

// takeTurn waits for the call's turn to evaluate, which another process may
// have, and evaluates unless that one's number answers. If that takes too long
// it evaluates as well.
func (c *call) takeTurn(ctx context.Context) (Answer, error) {
	if err := c.recursion(); err != nil {
		return Answer{}, err
	}
	lease, a, ok, err := c.lease(ctx)
	if ok || err != nil {
		return a, err
	}
	if lease != nil && lease.State == cache.LeaseTimeout {
		c.Warn(fmt.Sprintf("another process has been evaluating this call for longer than --wait-timeout %v; evaluating it as well", c.WaitTimeout), "")
	}
	return c.evaluateUnder(ctx, lease)
}

// evaluateUnder evaluates, and gives the lease, which may be nil, back.
func (c *call) evaluateUnder(ctx context.Context, lease *cache.Lease) (Answer, error) {
	if c.Watch != nil {
		ctx = c.Watch(ctx)
	}
	defer func() { giveBack(ctx, lease) }()
	c.counts[stats.Misses]++
	if c.key != nil {
		c.key.Watch()
	}
	return c.evaluate(ctx)
}

// giveBack gives a lease, which may be nil, back: to the next alone at our end,
// which says nothing of the program.
func giveBack(ctx context.Context, lease *cache.Lease) {
	if ctx.Err() != nil {
		lease.Abandon()
	} else {
		lease.Release()
	}
}

// recursion is a *RecursionError if we are a part of this call's evaluation.
func (c *call) recursion() error {
	if strings.Contains(os.Getenv(ActiveVariable), c.id.String()) {
		return &RecursionError{c.Args[0]}
	}
	return nil
}

// identify makes the key. A file that should count and can't be read leaves
// the call without one.
func (c *call) identify(ctx context.Context) error {
	if c.Store == nil {
		return nil
	}
	known, err := key.Identify(ctx, c.spec(c.program), c.Digests)
	return c.identified(ctx, known, err)
}

// identified takes what key.Identify answered.
func (c *call) identified(ctx context.Context, known *key.Call, err error) error {
	var unreadable *key.UnreadableError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &unreadable):
		c.Warn(fmt.Sprintf("%v, so this call can't be cached", err), "")
		return nil
	case err != nil:
		return err
	}
	c.key, c.stored = known, true
	c.id = cache.ID{Namespace: c.Namespace, Key: known.Key}
	return nil
}

// spec is what the key of a query is made of.
func (q *Query) spec(program string) key.CallSpec {
	spec := key.CallSpec{
		Args:      q.Args,
		Program:   program,
		Rules:     q.Rules,
		TrackArgs: q.TrackArgs,
		Paths:     q.Paths,
		DependsOn: q.DependsOn,
		Leave:     q.Leave,
		Env:       q.Env,
		LookupEnv: os.LookupEnv,
	}
	if q.Stdin != nil {
		spec.Stdin = &q.Stdin.Digest
	}
	return spec
}

// Identify returns the address of a query's entry. It runs nothing. Its errors
// are *StartError and those of key.Identify.
func Identify(ctx context.Context, q Query, digests *key.Digests) (cache.ID, error) {
	program, err := process.LookPath(q.Args[0])
	if err != nil {
		return cache.ID{}, err
	}
	known, err := key.Identify(ctx, q.spec(program), digests)
	if err != nil {
		return cache.ID{}, err
	}
	return cache.ID{Namespace: q.Namespace, Key: known.Key}, nil
}

// lookup answers from the store if it can. A store that is out of order is not
// used any more. Its error is the context's or, under Strict, a *StoreError.
func (c *call) lookup(ctx context.Context) (a Answer, ok bool, err error) {
	if !c.stored {
		return Answer{}, false, nil
	}
	entry, gen, err := c.Store.Get(ctx, c.id)
	a, ok, err = c.found(ctx, cache.Got{Entry: entry, Gen: gen, Err: err})
	if ok && c.unsaved {
		c.merge(ctx, func(*cache.Entry) {})
	}
	return a, ok, err
}

// found is lookup with what the store has given. Where the answer comes from
// the kept output, unsaved is set: a merge of nothing makes it the one that
// answers from now on, whatever output is kept later.
func (c *call) found(ctx context.Context, got cache.Got) (a Answer, ok bool, err error) {
	var bad *cache.RecordError
	switch {
	case ctx.Err() != nil:
		return Answer{}, false, context.Cause(ctx)
	case errors.As(got.Err, &bad):
		c.counts[stats.Errors]++
		c.Warn(fmt.Sprintf("%v; it counts as a miss", got.Err), "")
	case got.Err != nil:
		if c.Strict {
			c.countError(got.Err)
			return Answer{}, false, &StoreError{got.Err}
		}
		c.outOfOrder(got.Err, "running without the cache")
		c.stored = false
		return Answer{}, false, nil
	}
	c.gen = got.Gen
	if c.Refresh {
		return Answer{}, false, nil
	}
	c.evaluated = got.Entry != nil && len(got.Entry.Series) > 0
	stored := got.Entry.Find(c.Extraction.String())
	if c.unsaved = stored == nil; c.unsaved {
		stored = c.fromOutput(got.Entry)
	}
	if stored == nil {
		return Answer{}, false, nil
	}
	c.series = stored
	if c.wants(0) && !c.OnlyCached {
		return Answer{}, false, nil
	}
	c.unsaved = c.unsaved && !c.OnlyCached
	c.counts[stats.Hits]++
	c.counts[stats.NanosSaved] += nanos(stored.MeanSeconds())
	a = c.report()
	a.Cached = true
	return a, true, nil
}

// wants reports whether another evaluation is called for, beside those that
// are running.
func (c *call) wants(running int64) bool {
	count := c.series.Count + running
	switch {
	case c.Repeat.Samples > 0:
		return count < c.Repeat.Samples
	case c.Repeat.Converge && c.Stop.MaxRepetitions > 0 && count >= c.Stop.MaxRepetitions:
		return false
	case c.Repeat.Converge || c.Repeat.Once:
		return !c.Stop.Stable(c.series.Moments)
	default:
		return count < 1
	}
}

// report makes an answer of what is known.
func (c *call) report() Answer {
	s := c.series
	text := s.Text
	if s.Count != 1 || text == "" {
		text = number.Format(s.Mean)
	}
	return Answer{
		Text:      text,
		Moments:   s.Moments,
		Stable:    c.Stop.Stable(s.Moments),
		Seconds:   s.MeanSeconds(),
		Namespace: c.Namespace,
		Call:      c.key,
		Unstored:  c.unstored,
		Waited:    c.waited,
	}
}

func (c *call) defaultAnswer() (Answer, error) {
	value, text, err := number.Parse(c.Default, true)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Text: text, Moments: cache.Moments{Mean: value, Min: value, Max: value},
		Namespace: c.Namespace, Call: c.key, Unstored: "it is the default"}, nil
}

// defaultable reports whether an error is of COMMAND's own making.
func defaultable(err error) bool {
	var exit *process.ExitError
	if errors.As(err, &exit) {
		return exit.Signal == 0 && exit.Status <= 125
	}
	var number *number.Error
	return errors.As(err, &number)
}

// fromOutput begins a series with the number that this extraction finds in the
// kept output, or returns nil.
func (c *call) fromOutput(e *cache.Entry) *cache.Series {
	if e == nil || e.Output == nil {
		return nil
	}
	value, text, err := c.Extraction.Find(e.Output.Text, e.Output.Cut)
	if err != nil {
		return nil
	}
	s := &cache.Series{Extraction: c.Extraction.String()}
	s.Add(cache.Sample{ID: e.Output.ID, Value: value, Seconds: e.Output.Seconds, Time: e.Output.Time}, text)
	// The same output may be kept elsewhere and begin the same series there.
	s.Own = 0
	return s
}

// leaser is what gives out turns; nil where there are none.
func (c *call) leaser() cache.Leaser {
	leaser, ok := c.Store.(cache.Leaser)
	if !ok || !c.stored || c.Refresh || c.Repeat.on() {
		return nil
	}
	return leaser
}

// lease waits for its turn to evaluate, and looks up again, since the one whose
// turn it was before may have stored the number: then it answers. The lease is
// nil where there are no turns, as where each caller is to add a sample.
func (c *call) lease(ctx context.Context) (lease *cache.Lease, a Answer, ok bool, err error) {
	leaser := c.leaser()
	if leaser == nil {
		return nil, Answer{}, false, nil
	}
	// Twice: what the other stored may not hold this extraction's number,
	// and then there is one among us to evaluate again.
	for range 2 {
		lease, err = leaser.Lease(ctx, c.id, c.WaitTimeout)
		if ctx.Err() != nil {
			return nil, Answer{}, false, context.Cause(ctx)
		} else if err != nil {
			return nil, Answer{}, false, nil // leases only save work
		}
		if lease.Waited && !c.waited {
			c.waited = true
			c.counts[stats.Waits]++
		}
		if a, ok, err := c.lookup(ctx); ok || err != nil {
			giveBack(ctx, lease)
			return nil, a, ok, err
		}
		if lease.State != cache.LeaseEnded || !c.evaluated {
			break
		}
	}
	return lease, Answer{}, false, nil
}

// merge adds to the entry, by an Update (see cache.Store), and makes series
// what is stored then. A series begins with what the kept output gives; without
// Repeat its first number stays, since others may have been told it, and add is
// not called. merge warns if the store is out of order.
func (c *call) merge(ctx context.Context, add func(*cache.Entry)) error {
	change, after := c.change(ctx, add)
	return after(c.Store.Update(ctx, change.ID, change.Gen, change.Change))
}

// change is merge in two halves: the update, and what has to be done after it.
func (c *call) change(ctx context.Context, add func(*cache.Entry)) (change cache.Change, after func(error) error) {
	name := c.Extraction.String()
	var token cache.Token // none: the period goes on
	if c.Refresh {
		token = cache.NewToken()
	}
	var merged *cache.Series
	change = cache.Change{ID: c.id, Gen: c.gen, Change: func(e *cache.Entry) *cache.Entry {
		if e == nil || c.Refresh {
			e = &cache.Entry{Token: token, Created: time.Now()}
		}
		if merged = e.Find(name); merged != nil && !c.Repeat.on() {
			return nil
		}
		first := c.fromOutput(e)
		if merged == nil && first != nil {
			e.Series = append(e.Series, *first)
		}
		if merged != nil || first == nil || c.Repeat.on() {
			add(e)
		}
		merged = e.Find(name)
		return e
	}}
	return change, func(err error) error {
		switch {
		case err == nil:
			if c.Refresh && c.Repeat.on() {
				// Further samples belong to the new period.
				_, c.gen, _ = c.Store.Get(ctx, c.id)
			}
			c.Refresh = false
			if merged != nil {
				c.series = merged
			}
		case errors.Is(err, cache.ErrSuperseded):
			c.Warn(fmt.Sprintf("%v; the number is not stored", err), "")
		default:
			c.outOfOrder(err, "the number is not stored")
			c.stored = false // or each further sample would take its time
		}
		return err
	}
}

// outOfOrder counts and reports an error of the store.
func (c *call) outOfOrder(err error, consequence string) {
	c.countError(err)
	c.Warn(fmt.Sprintf("%v; %s", err, consequence), "")
}

func (c *call) countError(err error) {
	if errors.Is(err, cache.ErrLockTimeout) {
		c.counts[stats.Timeouts]++
	}
	c.counts[stats.Errors]++
}

func nanos(seconds float64) int64 { return int64(seconds * float64(time.Second)) }
