package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/key/difference"
	"dvlcache/cache/key/launch"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// Explanation says what a call would be answered with, and why.
type Explanation struct {
	Program string    // the executable that was found
	Call    *key.Call // nil: it has no key
	Hit     bool
	Answer  Answer       // of a hit
	Entry   *cache.Entry // stored under the key; nil if there is none
	// Inputs are what the evaluation used whose number answers, or, of a miss, the
	// latest one; nil if that isn't known.
	Inputs *inputs.Set
	// Reason says in one line why it is a hit or a miss, and Hint what would
	// make a hit of a miss.
	Reason, Hint string
	// Near are the stored calls that differ least, of a call that has no
	// entry.
	Near []Near
}

// Near is a stored call that another one resembles.
type Near struct {
	ID          cache.ID
	Entry       *cache.Entry
	Differences []difference.Difference
}

// nearest is how many stored calls an explanation shows, and mostDifferences in
// how many respects one may differ to be of interest.
const (
	nearest         = 3
	mostDifferences = 3
)

// Explain says why a call is answered from the store, or would not be. It runs
// nothing and stores nothing. Its errors are those of Answer that don't come
// from running COMMAND, and those of the store.
func (m *Memo) Explain(ctx context.Context, q Query) (x Explanation, err error) {
	c := m.newCall(q)
	if c.program, err = process.LookPath(c.Args[0]); err != nil {
		return x, err
	}
	x.Program = c.program
	known, err := key.Identify(ctx, c.spec(c.program), c.Digests)
	var unreadable *key.UnreadableError
	if errors.As(err, &unreadable) {
		x.Reason = fmt.Sprintf("%v, so this call can't be cached", err)
		return x, nil
	} else if err != nil {
		return x, err
	}
	x.Call = known
	reader, ok := m.Store.(cache.Reader)
	if !ok {
		x.Reason = "the cache is not used"
		return x, nil
	}
	if err := c.identified(ctx, known, nil); err != nil {
		return x, err
	}
	var bad *cache.RecordError
	got := cache.Got{}
	got.Entry, got.Gen, got.Err = reader.Peek(ctx, c.id)
	if errors.As(got.Err, &bad) {
		x.Reason = got.Err.Error()
		return x, nil
	} else if got.Err != nil {
		return x, got.Err
	}
	x.Entry = got.Entry
	x.Answer, x.Hit, err = c.answerFrom(ctx, got)
	x.Inputs = c.set()
	switch {
	case err != nil:
	case x.Hit:
		x.Reason = c.whyHit(got.Entry)
	case got.Entry != nil && c.mismatch != nil && !c.Refresh:
		x.Reason = c.mismatch.String()
	case got.Entry != nil:
		x.Reason, x.Hint = c.whyNotFrom(got.Entry)
	default:
		err = c.whyNone(ctx, &x)
	}
	return x, err
}

// whyHit says when the number was evaluated, and what of the call then was
// another but doesn't count.
func (c *call) whyHit(e *cache.Entry) string {
	why := "evaluated"
	if n := len(c.series.Samples); n > 0 {
		last := c.series.Samples[n-1]
		why = fmt.Sprintf("evaluated %s in %.3g s", last.Time.Format("2006-01-02 15:04"), last.Seconds)
	}
	if c.series.Count > 1 {
		why += fmt.Sprintf(", the last of %d times", c.series.Count)
	}
	if c.fromOutput {
		why += "; read from the kept output"
	}
	if stored := e.Command(); stored != nil && stored.Args != nil && !slices.Equal(stored.Args, c.Args) {
		why += "; called then with " + argumentsApart(stored.Args, c.Args) + ", which counts alike"
	}
	return why
}

// argumentsApart is the part of the arguments in which they differ from others.
func argumentsApart(args, others []string) string {
	i := 0
	for i < min(len(args), len(others)) && args[i] == others[i] {
		i++
	}
	args, others = args[i:], others[i:]
	for len(args) > 0 && len(others) > 0 && args[len(args)-1] == others[len(others)-1] {
		args, others = args[:len(args)-1], others[:len(others)-1]
	}
	if len(args) == 0 {
		return "no " + difference.Brief(others)
	}
	return difference.Brief(args)
}

// whyNotFrom says why an entry that is there does not answer.
func (c *call) whyNotFrom(e *cache.Entry) (reason, hint string) {
	if c.Refresh {
		return "--refresh evaluates it anew", ""
	}
	if s := c.series; s.Count > 0 { // stored, or found in the kept output
		reason = fmt.Sprintf("%d of %d samples are stored", s.Count, c.Repeat.Samples)
		if c.Repeat.Samples == 0 {
			reason = fmt.Sprintf("the mean of %d samples is not stable: its standard error is %.3g, and %.3g is asked for", s.Count, s.Stderr(), c.Stop.Target(s.Moments))
			if s.Count <= c.Stop.MinRepetitions {
				reason = fmt.Sprintf("the mean of %d samples is not stable: it takes more than --min-repetitions %d", s.Count, c.Stop.MinRepetitions)
			}
		}
		return reason, ""
	}
	var others []string
	for _, s := range e.Series {
		others = append(others, s.Extraction)
	}
	stored := "no number is stored for this call"
	if len(others) > 0 {
		stored = "only the number of --extract " + strings.Join(others, ", ") + " is stored"
	}
	if e.Output == nil {
		return stored + ", and no output is kept", ""
	}
	_, _, err := c.Extraction.Find(e.Output.Text, e.Output.Cut)
	if errors.Is(err, number.ErrCut) {
		return fmt.Sprintf("the kept output is cut too short for --extract %s (%d bytes are kept); %s", c.Extraction, len(e.Output.Text), stored),
			"a larger --keep-output keeps more of the next evaluation"
	}
	return fmt.Sprintf("%s, and in the kept output is %v", stored, err), ""
}

// whyNone looks for the stored calls that resemble one that has no entry.
func (c *call) whyNone(ctx context.Context, x *Explanation) error {
	lister, ok := c.Store.(cache.Lister)
	if !ok {
		x.Reason = "no entry, and this backend can't list what there is"
		return nil
	}
	// The same key elsewhere is no matter of search.
	err := lister.Each(ctx, cache.Range{Prefix: c.id.Key.String()}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
		switch {
		case e == nil || x.Hint != "":
		case e.Find(c.Extraction.String()) != nil || c.seriesFromOutput(&e.Variant) != nil:
			x.Reason, x.Hint = "same call in namespace "+id.Namespace, "--namespace "+id.Namespace
		default:
			x.Reason = fmt.Sprintf("same call in namespace %s, without a number for --extract %s", id.Namespace, c.Extraction)
		}
		return nil
	})
	if err != nil || x.Reason != "" {
		return err
	}
	calls := 0
	names := launch.ProgramNames(c.Args)
	name, started := filepath.Base(c.program), names[len(names)-1] // which another launcher may have started
	err = lister.Each(ctx, cache.Range{Namespace: &c.Namespace}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
		if e == nil || !e.CommandMentions(name) && !e.CommandMentions(started) {
			return nil
		}
		stored := e.Command()
		if stored == nil || filepath.Base(stored.Program()) != name && !stored.Of(started) {
			return nil
		}
		calls++
		x.Near = append(x.Near, Near{id, e, difference.Between(c.key, stored, mostDifferences)})
		if len(x.Near) > 10*nearest { // each may hold on to a whole part of the file
			x.Near = closest(x.Near)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if x.Near = closest(x.Near); len(x.Near) == 0 {
		x.Reason = fmt.Sprintf("no call of %s is stored in namespace %s", name, c.Namespace)
		return nil
	}
	for _, n := range x.Near {
		difference.Try(c.key, n.Entry.Command(), n.Differences)
	}
	near := x.Near[0]
	x.Reason, x.Hint = "differs in "+phrase(near.Differences), hints(near.Differences)
	if len(near.Differences) == 0 {
		x.Reason = "differs in nothing that is recorded"
	}
	if len(near.Differences) == 1 {
		x.Reason = near.Differences[0].Sentence()
	}
	x.Reason += fmt.Sprintf(" (nearest of %d stored)", calls)
	return nil
}

// phrase lists differences in a line.
func phrase(all []difference.Difference) string {
	var list []string
	for _, d := range all {
		list = append(list, d.String())
	}
	return fmt.Sprintf("%d respects: %s", len(all), strings.Join(list, "; "))
}

// hints are the flags with which there would be no difference, if there are such
// for all.
func hints(all []difference.Difference) string {
	var list []string
	for _, d := range all {
		if d.Hint == "" {
			return ""
		}
		if !slices.Contains(list, d.Hint) {
			list = append(list, d.Hint)
		}
	}
	return strings.Join(list, "; ")
}

// closest keeps the stored calls that differ least, the latest first among
// equals.
func closest(all []Near) []Near {
	slices.SortStableFunc(all, func(a, b Near) int {
		return cmp.Or(difference.Compare(a.Differences, b.Differences), b.Entry.Latest().Compare(a.Entry.Latest()))
	})
	return all[:min(nearest, len(all))]
}
