package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/process"
)

// spec is what the key of a query is made of.
func (q *Query) spec(program string) key.CallSpec {
	spec := key.CallSpec{
		Args:        q.Args,
		Files:       q.Files,
		Program:     program,
		Rules:       q.Rules,
		TrackArgs:   q.TrackArgs,
		Paths:       q.Paths,
		DependsOn:   q.DependsOn,
		Untracked:   q.Untracked,
		Gitignore:   q.Gitignore,
		Leave:       q.Leave,
		Safe:        q.Safe,
		Env:         q.Env,
		LookupEnv:   os.LookupEnv,
		Descriptors: q.Descriptors,
	}
	if q.Stdin != nil {
		spec.Stdin = &q.Stdin.Digest
	}
	return spec
}

// Identify returns the address of a query's entry. It runs nothing. Its errors
// are *process.StartError and those of key.Identify.
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
		hint := ""
		if errors.Is(err, key.ErrPipe) {
			hint = "<(…) of a shell is a pipe: a file in its place can be looked at, {file} in a batch is one, and --stdin hands stdin on"
		}
		c.warn(fmt.Sprintf("%v, so this call can't be cached", err), hint)
		return nil
	case err != nil:
		return err
	}
	c.key, c.usesStore, c.missed = known, true, false
	c.id = cache.ID{Namespace: c.Namespace, Key: known.Key}
	return nil
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
	c.key, c.usesStore, c.series = nil, false, &cache.Series{}
	return c.identify(ctx)
}

// lookUp answers from the store if it can. A store that is out of order is not
// used any more. Its error is the context's or, under Strict, a *StoreError.
func (c *call) lookUp(ctx context.Context) (a Answer, ok bool, err error) {
	if !c.usesStore {
		return Answer{}, false, nil
	}
	entry, gen, err := c.Store.Get(ctx, c.id)
	a, ok, err = c.answerFrom(ctx, cache.Got{Entry: entry, Gen: gen, Err: err})
	if ok && c.fromOutput {
		change, after := c.saveFromOutput(ctx)
		after(c.Store.Update(ctx, change.ID, change.Gen, change.Change))
	}
	return a, ok, err
}

// answerFrom is lookUp with what the store has given. Where the answer comes from
// the kept output, fromOutput is set: a merge of nothing makes it the one that
// answers from now on, whatever output is kept later.
func (c *call) answerFrom(ctx context.Context, got cache.Got) (a Answer, ok bool, err error) {
	var bad *cache.RecordError
	switch {
	case ctx.Err() != nil:
		return Answer{}, false, context.Cause(ctx)
	case errors.As(got.Err, &bad):
		c.counts[stats.Errors]++
		if bad.File != "" { // one message for all calls
			c.Warn(bad.File+" is damaged; what it may hold counts as a miss", "dvlcache check --salvage keeps what can be read")
		} else {
			c.Warn(fmt.Sprintf("%v; it counts as a miss", got.Err), "")
		}
	case got.Err != nil:
		if c.Strict {
			c.countError(got.Err)
			return Answer{}, false, &StoreError{got.Err}
		}
		c.outOfOrder(got.Err, "running without the cache")
		c.usesStore, c.missed = false, true
		return Answer{}, false, nil
	}
	c.gen = got.Gen
	if c.Refresh {
		return Answer{}, false, nil
	}
	variant, err := c.choose(ctx, got.Entry)
	if err != nil {
		return Answer{}, false, err
	}
	c.hasNumber, c.fromOutput, c.under = false, false, cache.Inputs{}
	if variant == nil {
		return Answer{}, false, nil
	}
	c.hasNumber, c.under = len(variant.Series) > 0, variant.Inputs
	stored := variant.Find(c.Extraction.String())
	if c.fromOutput = stored == nil; c.fromOutput {
		stored = c.seriesFromOutput(variant)
	}
	if stored == nil {
		return Answer{}, false, nil
	}
	c.series = stored
	if c.wants(0) && !c.OnlyCached {
		return Answer{}, false, nil
	}
	c.fromOutput = c.fromOutput && !c.OnlyCached
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
		return !c.Stop.Done(c.series.Moments)
	default:
		return count < 1
	}
}

// seriesFromOutput begins a series with the number that this extraction finds in
// the kept output, or returns nil.
func (c *call) seriesFromOutput(v *cache.Variant) *cache.Series {
	if v == nil || v.Output == nil {
		return nil
	}
	value, text, err := c.Extraction.Find(v.Output.Text, v.Output.Cut)
	if err != nil {
		return nil
	}
	s := &cache.Series{Extraction: c.Extraction.String()}
	s.Add(cache.Sample{ID: v.Output.ID, Value: value, Seconds: v.Output.Seconds, Time: v.Output.Time}, text)
	// The same output may be kept elsewhere and begin the same series there.
	s.Own = 0
	return s
}

// outOfOrder counts and reports an error of the store.
func (c *call) outOfOrder(err error, consequence string) {
	c.countError(err)
	var mend interface{ Hint() string } // an error that says what the user can do
	hint := ""
	if errors.As(err, &mend) {
		hint = mend.Hint()
	}
	c.Warn(fmt.Sprintf("%v; %s", err, consequence), hint)
}

func (c *call) countError(err error) {
	if errors.Is(err, cache.ErrLockTimeout) {
		c.counts[stats.Timeouts]++
	}
	c.counts[stats.Errors]++
}

func nanos(seconds float64) int64 { return int64(seconds * float64(time.Second)) }
