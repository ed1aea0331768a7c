// Package exec answers calls of utilities: from a store, or by running the
// program, reading the number it printed, and remembering it.
package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"dvlcache/cache"
)

// activeVariable lists, in a program's environment, the calls that it is an
// evaluation of, so that one that calls itself gets an error and not a
// deadlock.
const activeVariable = "DVLCACHE_ACTIVE"

// Query is one call of a utility and how it is to be answered.
type Query struct {
	Args []string // COMMAND and its arguments

	// What counts; see cache.CallSpec.
	Rules     cache.Rules
	TrackArgs bool
	Paths     cache.Paths
	DependsOn []string
	Env       []string
	Stdin     *Input // nil: empty, and doesn't count
	Namespace string

	PassEnv []string // array indices handed on without counting

	Extraction Extraction
	KeepOutput int // bytes of stdout to keep with the number

	Tee             bool
	AllowOpenStdout bool
	Timeout         time.Duration // of COMMAND; 0: none
	WaitTimeout     time.Duration // for another's evaluation; 0: none
	TimeThreshold   time.Duration // evaluations that took less aren't stored

	Refresh    bool // evaluate and overwrite
	OnlyCached bool // never evaluate
	// Default is answered where COMMAND exits with a status of 1 to 125, or
	// prints no number; empty: none.
	Default string

	Stop cache.StopRule
}

// Answer is the number that a call is answered with.
type Answer struct {
	// Text is what to print: a single number as the program wrote it, or a
	// mean.
	Text string
	cache.Moments
	Cached    bool    // no evaluation in this call
	Stable    bool    // the mean meets Query.Stop
	Seconds   float64 // of one evaluation, in the mean
	Namespace string
	Call      *cache.Call // nil if there is no key
	// Unstored says why a number that was evaluated isn't stored; empty if
	// it is.
	Unstored string
	Waited   bool // for another's evaluation
}

// ErrNotCached is Query.OnlyCached's answer where there is no number.
var ErrNotCached = errors.New("not cached, and --only-cached is given")

// RecursionError is a program whose evaluation asks for its own number.
type RecursionError struct{ Command string }

func (e *RecursionError) Error() string {
	return fmt.Sprintf("%s calls itself through dvlcache with the same key", e.Command)
}

// Memo answers queries. It may be used by many goroutines, if Warn may.
type Memo struct {
	Store   cache.Store // nil: run without a cache
	Stats   *cache.Stats
	Digests *cache.Digests
	Runner  *Runner
	// Warn is told, in one line, what went wrong and was got over, and
	// what would mend it, if that is known.
	Warn func(message, hint string)
}

// call is a query on its way to an answer.
type call struct {
	*Memo
	Query
	program string
	key     *cache.Call // nil if there is none
	stored  bool        // the store is used: there is one, it works, and there is a key
	id      cache.ID
	gen     cache.Generation
	counts  cache.Counts
	waited  bool
}

// Answer answers a query. Its errors are, besides those of the context and the
// system: *StartError, *ExitError, *TimeoutError, *NumberError, ErrNotCached,
// *RecursionError, and those of cache.Identify that say that the query is
// wrong. A store that is out of order is no error: the program is run.
func (m *Memo) Answer(ctx context.Context, q Query) (Answer, error) {
	c := &call{Memo: m, Query: q}
	a, err := c.answer(ctx)
	if err != nil && q.Default != "" && defaultable(err) {
		m.Warn(fmt.Sprintf("%v; the default is printed", err), "")
		a, err = c.defaultAnswer()
	}
	if m.Store != nil {
		m.Stats.Add(q.Namespace, c.counts)
	}
	return a, err
}

func (c *call) answer(ctx context.Context) (Answer, error) {
	var err error
	if c.program, err = LookPath(c.Args[0]); err != nil {
		return Answer{}, err
	}
	if err := c.identify(ctx); err != nil {
		return Answer{}, err
	}
	if a, ok := c.lookup(ctx); ok {
		return a, nil
	}
	if c.OnlyCached {
		c.counts[cache.Misses]++
		return Answer{}, ErrNotCached
	}
	if strings.Contains(os.Getenv(activeVariable), c.id.String()) {
		return Answer{}, &RecursionError{c.Args[0]}
	}
	lease := c.lease(ctx)
	defer lease.Release()
	if lease != nil {
		// The one that held it before, or just let go, may have stored it.
		if a, ok := c.lookup(ctx); ok {
			return a, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, context.Cause(ctx)
	}
	c.counts[cache.Misses]++
	return c.evaluate(ctx)
}

// identify makes the key. A file that should count and can't be read leaves
// the call without one.
func (c *call) identify(ctx context.Context) error {
	if c.Store == nil {
		return nil
	}
	key, err := identify(ctx, c.Query, c.program, c.Digests)
	var unreadable *cache.UnreadableError
	if errors.As(err, &unreadable) {
		c.Warn(fmt.Sprintf("%v, so this call can't be cached", err), "")
		return nil
	} else if err != nil {
		return err
	}
	c.key, c.stored = key, true
	c.id = cache.ID{Namespace: c.Namespace, Key: key.Key}
	return nil
}

func identify(ctx context.Context, q Query, program string, digests *cache.Digests) (*cache.Call, error) {
	spec := cache.CallSpec{
		Args:      q.Args,
		Program:   program,
		Rules:     q.Rules,
		TrackArgs: q.TrackArgs,
		Paths:     q.Paths,
		DependsOn: q.DependsOn,
		Env:       q.Env,
		LookupEnv: os.LookupEnv,
	}
	if q.Stdin != nil {
		spec.Stdin = &q.Stdin.Digest
	}
	return cache.Identify(ctx, spec, digests)
}

// Identify returns the address of a query's entry. It runs nothing. Its errors
// are *StartError and those of cache.Identify.
func Identify(ctx context.Context, q Query, digests *cache.Digests) (cache.ID, error) {
	program, err := LookPath(q.Args[0])
	if err != nil {
		return cache.ID{}, err
	}
	key, err := identify(ctx, q, program, digests)
	if err != nil {
		return cache.ID{}, err
	}
	return cache.ID{Namespace: q.Namespace, Key: key.Key}, nil
}

// lookup answers from the store if it can. A store that is out of order is not
// used any more.
func (c *call) lookup(ctx context.Context) (Answer, bool) {
	if !c.stored {
		return Answer{}, false
	}
	entry, gen, err := c.Store.Get(ctx, c.id)
	var bad *cache.RecordError
	if errors.As(err, &bad) {
		c.counts[cache.Errors]++
		c.Warn(fmt.Sprintf("%v; it counts as a miss", err), "")
	} else if err != nil {
		c.outOfOrder(err, "running without the cache")
		c.stored = false
		return Answer{}, false
	}
	c.gen = gen
	if c.Refresh {
		return Answer{}, false
	}
	if s := entry.Find(c.Extraction.String()); s != nil {
		return c.hit(s), true
	}
	if s := c.fromOutput(entry); s != nil {
		// From now on this evaluation is the one that answers, whatever
		// output is kept later.
		a := c.hit(s)
		if !c.OnlyCached {
			c.merge(ctx, func(*cache.Entry) {})
		}
		return a, true
	}
	return Answer{}, false
}

func (c *call) hit(s *cache.Series) Answer {
	c.counts[cache.Hits]++
	c.counts[cache.NanosSaved] += nanos(s.MeanSeconds())
	a := c.report(s)
	a.Cached = true
	return a
}

// report makes an answer of a series.
func (c *call) report(s *cache.Series) Answer {
	text := s.Text
	if s.Count != 1 || text == "" {
		text = FormatNumber(s.Mean)
	}
	return Answer{
		Text:      text,
		Moments:   s.Moments,
		Stable:    c.Stop.Stable(s.Moments),
		Seconds:   s.MeanSeconds(),
		Namespace: c.Namespace,
		Call:      c.key,
		Waited:    c.waited,
	}
}

func (c *call) defaultAnswer() (Answer, error) {
	value, text, err := ParseNumber(c.Default, true)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Text: text, Moments: cache.Moments{Mean: value, Min: value, Max: value},
		Namespace: c.Namespace, Call: c.key, Unstored: "it is the default"}, nil
}

// defaultable reports whether an error is of COMMAND's own making.
func defaultable(err error) bool {
	var exit *ExitError
	if errors.As(err, &exit) {
		return exit.Signal == 0 && exit.Status <= 125
	}
	var number *NumberError
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
	return s
}

// lease waits for its turn to evaluate. nil means that there are no turns.
func (c *call) lease(ctx context.Context) *cache.Lease {
	leaser, ok := c.Store.(cache.Leaser)
	if !ok || !c.stored || c.Refresh {
		return nil
	}
	lease, err := leaser.Lease(ctx, c.id, c.WaitTimeout)
	if err != nil {
		return nil // leases only save work
	}
	if lease.Waited {
		c.waited = true
		c.counts[cache.Waits]++
	}
	if lease.State == cache.LeaseTimeout {
		c.Warn(fmt.Sprintf("another process has been evaluating this call for longer than --wait-timeout %v; evaluating it as well", c.WaitTimeout), "")
	}
	return lease
}

// evaluate runs the program once, and merges what it printed into the entry.
func (c *call) evaluate(ctx context.Context) (Answer, error) {
	run, err := c.run(ctx)
	if err != nil {
		return Answer{}, err
	}
	sample := cache.Sample{ID: cache.NewSampleID(), Seconds: run.seconds, Time: time.Now()}
	var text string
	sample.Value, text, err = c.Extraction.Find(run.stdout, run.cut)
	if errors.Is(err, errCut) {
		err = &NumberError{c.Extraction.given, fmt.Sprintf("none in the whole lines of the last %d KiB, and what came before isn't kept", captured>>10)}
	}
	numberErr := err
	if numberErr != nil {
		c.counts[cache.Failures]++
	}
	single := cache.Series{Extraction: c.Extraction.String()}
	single.Add(sample, text)
	a := c.report(&single)
	if a.Unstored = c.unstorable(ctx, run); a.Unstored != "" {
		return a, numberErr
	}
	output := &cache.Output{ID: sample.ID, Seconds: run.seconds, Time: sample.Time}
	output.Text, output.Cut = lastLines(run.stdout, run.cut, c.KeepOutput)
	merged, err := c.merge(ctx, func(e *cache.Entry) {
		e.Output = output
		if numberErr == nil {
			e.FindOrAdd(c.Extraction.String()).Add(sample, text)
		}
	})
	if numberErr != nil {
		return Answer{}, numberErr
	}
	if err != nil {
		a.Unstored = err.Error()
		return a, nil
	}
	c.counts[cache.Sets]++
	return c.report(merged), nil
}

// run runs the program. It counts the evaluation, also one that fails.
func (c *call) run(ctx context.Context) (outcome, error) {
	var extra []string
	if c.key != nil {
		active := strings.TrimPrefix(os.Getenv(activeVariable)+" "+c.id.String(), " ")
		extra = append(extra, activeVariable+"="+active)
	}
	cmd := command{
		path:    c.program,
		args:    c.Args,
		env:     environment(slices.Concat(c.Env, c.PassEnv), extra...),
		tee:     c.Tee,
		timeout: c.Timeout,
	}
	if c.Stdin != nil {
		stdin, err := c.Stdin.Open()
		if err != nil {
			return outcome{}, err
		}
		defer stdin.Close()
		cmd.stdin = stdin
	}
	start := time.Now()
	run, err := c.Runner.run(ctx, cmd)
	var failed *StartError
	if ctx.Err() == nil && !errors.As(err, &failed) {
		c.counts[cache.Evaluations]++
		c.counts[cache.NanosSpent] += int64(time.Since(start))
		if err != nil {
			c.counts[cache.Failures]++
		}
	}
	return run, err
}

// unstorable says why the outcome of a run may not be stored, and warns where
// the user would not expect it; empty if it may be.
func (c *call) unstorable(ctx context.Context, run outcome) string {
	if !c.stored {
		return "the cache is not used"
	}
	if run.open && !c.AllowOpenStdout {
		c.Warn(fmt.Sprintf("a process that %s left behind still holds stdout, so its output may not be complete; the number is not stored", c.Args[0]),
			"--allow-open-stdout stores it")
		return "stdout was still open"
	}
	if path, hint := c.key.Changed(ctx); path != "" {
		c.Warn(fmt.Sprintf("%s changed during the run; the number is not stored", path), outputHint(hint))
		return path + " changed"
	}
	if seconds := c.TimeThreshold.Seconds(); run.seconds < seconds {
		return fmt.Sprintf("it took %.3g s, less than --time-threshold %v", run.seconds, c.TimeThreshold)
	}
	if path, hint := c.key.Appeared(); path != "" && hint != "" {
		c.Warn(fmt.Sprintf("%s is there since the run; as a file that an argument names it counts with its contents, so the next call will miss", path), outputHint(hint))
	}
	return ""
}

// outputHint is for an argument that may name an output of COMMAND.
func outputHint(flag string) string {
	if flag == "" {
		return ""
	}
	return "if it is an output, use " + flag
}

// merge adds to the entry and returns the series that is stored then. The
// first number of a series stays, since others may have been told it. add is
// called within an Update (see cache.Store), with an entry of its own. merge
// warns if the store is out of order.
func (c *call) merge(ctx context.Context, add func(*cache.Entry)) (*cache.Series, error) {
	name := c.Extraction.String()
	var merged *cache.Series
	err := c.Store.Update(ctx, c.id, c.gen, func(e *cache.Entry) *cache.Entry {
		if e == nil || c.Refresh {
			token := c.gen.Entry
			if c.Refresh {
				token = cache.NewToken()
			}
			e = &cache.Entry{Token: token, Created: time.Now()}
		}
		if merged = e.Find(name); merged != nil {
			return nil
		}
		if s := c.fromOutput(e); s != nil {
			e.Series = append(e.Series, *s)
		} else {
			add(e)
		}
		merged = e.Find(name)
		return e
	})
	if errors.Is(err, cache.ErrSuperseded) {
		c.Warn(fmt.Sprintf("%v; the number is not stored", err), "")
	} else if err != nil {
		c.outOfOrder(err, "the number is not stored")
	}
	return merged, err
}

// outOfOrder counts and reports an error of the store.
func (c *call) outOfOrder(err error, consequence string) {
	if errors.Is(err, cache.ErrLockTimeout) {
		c.counts[cache.Timeouts]++
	}
	c.counts[cache.Errors]++
	c.Warn(fmt.Sprintf("%v; %s", err, consequence), "")
}

func nanos(seconds float64) int64 { return int64(seconds * float64(time.Second)) }
