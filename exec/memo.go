// Package exec answers calls of utilities: from a store, or by running the
// program, reading the number it printed, and remembering it.
package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/observe"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
	"dvlcache/exec/process/watch"
)

// WatchedVariable is set in the environment of a program that is watched. What a dvlcache
// below it answers is what the outer call's number hangs on, so it must not come from an
// evaluation that nobody watched.
const WatchedVariable = "DVLCACHE_WATCHED"

// Memo answers queries. It may be used by many goroutines, if Warn may.
type Memo struct {
	Store   cache.Store // nil: run without a cache
	Stats   *stats.Stats
	Digests *key.Digests
	Runner  *process.Runner
	// Made is where the files of evaluations are made; nil: no query has any.
	Made *placeholder.Folder
	// Observer sees what evaluations use; nil: nothing is seen, as under ReadsOff.
	Observer *observe.Observer
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
	Query  // what was asked
	lookup // where its number lies, and what was found there
	result // what came of it

	line  string       // what messages call it, as the line of a batch that it is
	tally *stats.Tally // of a call by itself, or nil
}

// lookup is where the number of a call lies, and what the latest look found there.
type lookup struct {
	program string    // the executable of COMMAND
	key     *key.Call // nil if there is none
	id      cache.ID  // of its entry, if there is a key
	// usesStore says that there is a key, and a store that works.
	usesStore bool
	// missed says that the store is not used since it could not be looked up; away is
	// there while the program runs.
	missed bool
	away   *absence
	gen    cache.Generation
	// hasNumber says that the entry has a number, be it of another extraction.
	hasNumber bool
	// fromOutput says that the number was read from the kept output, and is not
	// stored as a series yet.
	fromOutput bool
	// under are the inputs of the variant that was found, or that was evaluated.
	under cache.Inputs
	// known are the entry's watched variants, as far as they were looked at, and
	// mismatch says why the latest doesn't hold.
	known    []known
	mismatch *inputs.Mismatch
	// refused are the variants that don't answer, as the latest look found them.
	refused []refused
	looks   looks
	// stopLooking ends looking after the files that count; it may be called twice.
	stopLooking func()
}

// result is what is known of a call's number so far.
type result struct {
	// series is what is stored, or, if that can't be had, what this call has
	// evaluated.
	series *cache.Series
	// unstored says why the latest evaluation isn't stored; see Answer.
	unstored string
	doubtful bool // see Answer
	// changed says, with a path, if that is why it isn't stored, which file changed.
	changed   ChangedError
	inDistant bool // a part of an evaluation of it that may be under way elsewhere
	waited    bool // for another's evaluation
	// trace is what the latest evaluation was seen to use; unwatched says why there
	// is none.
	trace     *watch.Trace
	unwatched error
	counts    stats.Counts
}

// Answer answers a query. Its errors are, besides those of the context and the
// system: *process.StartError, *process.ExitError, *process.TimeoutError,
// *number.Error, ErrNotCached, *process.RecursionError, and those of key.Identify that say
// that the query is wrong. A store that is out of order is no error, but under
// Strict, where it is a *StoreError: the program is run.
func (m *Memo) Answer(ctx context.Context, q Query) (Answer, error) {
	c := m.newCall(q)
	c.tally = &stats.Tally{Namespace: q.Namespace}
	if m.Store != nil {
		c.tally.Stats = m.Stats
	}
	a, err := c.orDefault(c.answer(ctx))
	c.tally.Tell(c.counts, true)
	return a, err
}

func (m *Memo) newCall(q Query) *call {
	return &call{Memo: m, Query: q, result: result{series: &cache.Series{}}}
}

func (c *call) answer(ctx context.Context) (Answer, error) {
	var err error
	if c.program, err = process.LookPath(c.Args[0]); err != nil {
		return Answer{}, err
	}
	if err := c.identify(ctx); err != nil {
		return Answer{}, err
	}
	if a, ok, err := c.lookUp(ctx); ok || err != nil {
		return a, err
	}
	if c.OnlyCached {
		c.counts[stats.Misses]++
		return Answer{}, ErrNotCached
	}
	return c.takeTurn(ctx, nil)
}

// takeTurn waits for the call's turn to evaluate, which another process may
// have, and evaluates unless that one's number answers. If that takes too long
// it evaluates as well. ended is that of evaluateUnder.
func (c *call) takeTurn(ctx context.Context, ended func()) (Answer, error) {
	if err := c.recursion(); err != nil {
		return Answer{}, err
	}
	lease, a, ok, err := c.lease(ctx)
	if ok || err != nil {
		return a, err
	}
	if lease != nil && lease.State == cache.LeaseTimeout {
		if c.inDistant {
			return Answer{}, &process.RecursionError{Command: c.Args[0]}
		}
		c.warn(fmt.Sprintf("another process has this call under way and has shown no life for --wait-timeout %v; evaluating it as well", c.WaitTimeout), "")
	}
	return c.evaluateUnder(ctx, lease, ended)
}

// tellRanks is for what is told once of this process.
var tellRanks sync.Once

// leaser is what gives out turns; nil where there are none, as among the ranks of a
// parallel program: the one that evaluates would wait for the others for ever.
func (c *call) leaser() cache.Leaser {
	leaser, ok := c.Store.(cache.Leaser)
	if !ok || !c.usesStore || c.Refresh || c.Repeat.on() {
		return nil
	}
	if rank, several := process.Rank(); several && !c.NoRank {
		if rank == 0 {
			tellRanks.Do(func() {
				c.Warn("each rank of this parallel program asks for itself, and may evaluate the same call", "dvlcache run -- mpirun … evaluates it once")
			})
		}
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
		if a, ok, err := c.lookUp(ctx); ok || err != nil {
			giveBack(ctx, lease)
			return nil, a, ok, err
		}
		if lease.State != cache.LeaseEnded || !c.hasNumber {
			break
		}
	}
	return lease, Answer{}, false, nil
}

// evaluateUnder evaluates, and gives the lease, which may be nil, back. ended is as
// of evaluate.
func (c *call) evaluateUnder(ctx context.Context, lease *cache.Lease, ended func()) (Answer, error) {
	if c.Watch != nil {
		ctx = c.Watch(ctx)
	}
	defer func() { giveBack(ctx, lease) }()
	c.counts[stats.Misses]++
	if c.key != nil {
		c.stopLooking = sync.OnceFunc(c.key.Watch())
		defer c.stopLooking()
	}
	if c.missed {
		c.away = c.awaitStore(ctx)
		defer c.away.stop()
	}
	return c.evaluate(ctx, ended)
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

// recursion is a *process.RecursionError if we are a part of this call's evaluation. Of one
// that may be under way elsewhere its lease tells: it is waited for a moment only, and
// who holds it then is taken for it.
func (c *call) recursion() error {
	in := process.Within(c.id.String())
	if in == process.Alive {
		return &process.RecursionError{Command: c.Args[0]}
	}
	if c.inDistant = in == process.Distant; c.inDistant {
		c.WaitTimeout = time.Second
	}
	return nil
}

// warn is Warn with what is said of this call alone; of one in a batch its line is
// named.
func (c *call) warn(message, hint string) {
	if c.line != "" {
		message = c.line + ": " + message
	}
	c.Warn(message, hint)
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
		Key:       c.id.Key,
		Unstored:  c.unstored,
		Doubtful:  c.doubtful,
		Waited:    c.waited,
		Trace:     c.trace,
		Unwatched: c.unwatched,
		Mismatch:  c.mismatch,
		inputs:    c.set,
	}
}

// orDefault puts the query's default in the place of a failure.
func (c *call) orDefault(a Answer, err error) (Answer, error) {
	if err == nil || c.Default == "" || !defaultable(err) {
		return a, err
	}
	c.warn(fmt.Sprintf("%v; the default is printed", err), "")
	for _, line := range Printed(err) {
		c.warn("stdout: "+line, "")
	}
	value, text, err := number.Parse(c.Default, true)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Text: text, Moments: cache.Moments{Mean: value, Min: value, Max: value},
		Namespace: c.Namespace, Call: c.key, Key: c.id.Key, Unstored: "it is the default"}, nil
}

// defaultable reports whether an error is of COMMAND's own making.
func defaultable(err error) bool {
	var exit *process.ExitError
	if errors.As(err, &exit) {
		return exit.Signal == 0 && exit.Status <= 125
	}
	var noNumber *number.Error
	return errors.As(err, &noNumber)
}
