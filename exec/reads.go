package exec

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key/launch"
	"dvlcache/exec/observe"
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

// UnwatchedError is a call under ReadsAlways that can't be watched.
type UnwatchedError struct{ Reason error }

func (e *UnwatchedError) Error() string { return fmt.Sprintf("--track reads: %v", e.Reason) }

// Unwrap returns the cause.
func (e *UnwatchedError) Unwrap() error { return e.Reason }

// looks are what checks of sets found, for calls that are looked up together. A nil one
// remembers nothing. It is for one goroutine at a time.
type looks map[[32]byte]*inputs.Mismatch

// knownBy are the arguments by which marks know a call's program.
func (c *call) knownBy() []string {
	if c.Program != nil {
		return c.Program
	}
	return c.Args
}

// inputsOptions are those of a call.
func (c *call) inputsOptions() inputs.Options {
	o := c.Observer.Options
	o.Marks = observe.MarksOf(o.Marks, o.Places.Dir, c.knownBy())
	if c.key != nil {
		o.Rules.Ignored = c.key.Ignored()
	}
	return o
}

// watches reports whether evaluations of the call are to be watched.
func (c *call) watches() bool {
	return c.Reads != ReadsOff && c.Observer != nil && (c.usesStore || c.missed)
}

// known is a variant of the call's entry, as the latest look found it.
type known struct {
	inputs cache.Inputs
	parts  []inputs.Set
}

// set is what the parts say together. It reports false if they disagree.
func (k known) set() (set inputs.Set, ok bool) { return observe.Unite(k.parts) }

// refused is a variant whose inputs don't hold, or that nobody watched.
type refused struct {
	inputs cache.Inputs
	latest uint64 // the evaluation whose output it keeps
}

func refuse(v *cache.Variant) refused {
	r := refused{inputs: v.Inputs}
	if v.Output != nil {
		r.latest = v.Output.ID
	}
	return r
}

// overtaken reports whether a variant is one that was refused, and as it was then: what
// is evaluated now under the same inputs takes its place, since a state, or what nobody
// sees, is another one by now.
func (c *call) overtaken(v *cache.Variant) bool {
	return slices.ContainsFunc(c.refused, func(r refused) bool { return r.inputs.Equal(v.Inputs) && r.latest == refuse(v).latest })
}

// isRefused reports whether the variant with these inputs was refused.
func (c *call) isRefused(in cache.Inputs) bool {
	return slices.ContainsFunc(c.refused, func(r refused) bool { return r.inputs.Equal(in) })
}

// choose returns the variant of an entry that answers: the latest whose inputs hold; under
// Repeat with the samples of the others, which were stored side by side with it. If none
// does, mismatch says why the latest doesn't. The error is the context's.
func (c *call) choose(ctx context.Context, e *cache.Entry) (v *cache.Variant, err error) {
	c.known, c.mismatch, c.refused = nil, nil, nil
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
		parts, ok, err := c.Observer.Parts(ctx, c.Store, c.Namespace, candidate.Inputs)
		if err != nil {
			return nil, err
		} else if !ok {
			continue // evicted, or of a newer version: nothing can be said of it
		}
		c.known = append(c.known, known{candidate.Inputs, parts})
		mismatch, err := c.check(ctx, parts)
		if err != nil {
			return nil, err
		}
		if mismatch == nil && v == nil {
			v = candidate
		} else if mismatch == nil {
			if s, more := v.Find(c.Extraction.String()), candidate.Find(c.Extraction.String()); s != nil && more != nil {
				s.Merge(more)
			}
		} else if c.refused = append(c.refused, refuse(candidate)); c.mismatch == nil {
			c.mismatch = mismatch
		}
		if v != nil && !c.Repeat.on() {
			break
		}
	}
	if v == nil && len(c.known) == 0 && c.unwatchedAnswers() {
		v = unwatched
	}
	if unwatched != nil && v != unwatched {
		c.refused = append(c.refused, refuse(unwatched))
	}
	return v, nil
}

// check looks whether all parts of a set hold, each once for calls that are looked up
// together: most of them are shared.
func (c *call) check(ctx context.Context, parts []inputs.Set) (*inputs.Mismatch, error) {
	if c.looks == nil || c.key != nil && len(c.key.Ignored()) > 0 {
		return inputs.NewChecker(c.inputsOptions()).Check(ctx, parts...)
	}
	var checker *inputs.Checker
	var listing *inputs.Mismatch // behind which no edit is to be hidden
	for _, part := range parts {
		sum := part.Sum()
		mismatch, looked := c.looks[sum]
		if !looked {
			if checker == nil {
				checker = inputs.NewChecker(c.inputsOptions())
			}
			var err error
			if mismatch, err = checker.Check(ctx, part); err != nil {
				return nil, err
			}
			c.looks[sum] = mismatch
		}
		if mismatch != nil && mismatch.Kind != inputs.Listing {
			return mismatch, nil
		}
		listing = cmp.Or(listing, mismatch)
	}
	return listing, nil
}

// watchMode is how the program is to be run.
func (c *call) watchMode() process.WatchMode {
	switch {
	case !c.watches():
		return process.Unwatched
	case c.Reads == ReadsAlways:
		return process.WatchOrFail
	}
	if _, ok := c.Observer.Options.Marks.Unwatchable(c.watchName()); ok {
		return process.Unwatched
	}
	return process.WatchIfPossible
}

// unwatchedAnswers reports whether what was evaluated unwatched may answer: where the
// program can't be watched.
func (c *call) unwatchedAnswers() bool {
	if c.Reads != ReadsAuto || os.Getenv(WatchedVariable) != "" {
		return false
	}
	marks := c.Observer.Options.Marks
	_, unwatchable := marks.Unwatchable(c.watchName())
	return !watch.Supported || unwatchable || marks.Unavailable(c.watchedHere())
}

// watchName tells the program from others: of an interpreter, by what it was given to run
// and where.
func (c *call) watchName() string {
	own := c.Args[1 : 1+launch.Own(c.Args)]
	if len(own) == 0 {
		return c.program
	}
	return strings.Join(slices.Concat([]string{c.program, c.Observer.Options.Places.Dir}, own), "\x00")
}

// watchedHere is watchName where we are: what can't be watched in a container may be
// watched on the host, by which the folder of the cache is shared.
func (c *call) watchedHere() string { return watch.Where() + "\x00" + c.watchName() }

// set is the set of inputs of the variant that answers, or else of the latest that was
// looked at; nil if there is none.
func (c *call) set() *inputs.Set {
	if len(c.known) == 0 {
		return nil
	}
	of := c.known[0]
	if i := slices.IndexFunc(c.known, func(k known) bool { return k.inputs.Equal(c.under) }); i >= 0 {
		of = c.known[i]
	} else if !c.under.Watched() && c.series.Count > 0 {
		return nil // nobody watched what answers
	}
	if set, ok := of.set(); ok {
		return &set
	}
	return nil
}
