// Package verify runs stored commands again and compares what they print with what is
// stored.
package verify

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/key/difference"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/observe"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
)

// Verdict says what came of running a stored command again.
type Verdict int

// What comes of running a stored command again.
const (
	Same     Verdict = iota // it gave the same number
	Differs                 // it gave another one, so COMMAND is no pure function
	Changed                 // not run: COMMAND, or a file that counts, is another now
	Failed                  // it failed, or printed no number
	Averaged                // not run: its numbers are expected to differ
	Foreign                 // not run: it was imported, and is somebody's code
	Unknown                 // not run: what it would take is not recorded
)

// Verified is a verdict on an entry.
type Verified struct {
	ID      cache.ID
	Command *key.Command
	Verdict Verdict
	// Reason says why it was not run, or failed, Err of what failed.
	Reason string
	Err    error
	// Extraction, Stored and Now are, of one that differs, the numbers.
	Extraction, Stored, Now string

	gen     cache.Generation // before it was run
	outcome process.Outcome
	samples []sampleOf
	set     *inputs.Set // of a run that was watched
}

// sampleOf is a number that was found anew.
type sampleOf struct {
	extraction string
	sample     cache.Sample
	text       string
}

// mostDifferences is how many changes a Reason names.
const mostDifferences = 3

// Verifier runs stored commands again. It may be used by many goroutines.
type Verifier struct {
	Memo    *exec.Memo
	Timeout time.Duration // of COMMAND; 0: none
	// Tolerance is how far a number may be from the stored one, absolutely
	// or relative to it.
	Tolerance float64
	Trust     bool     // run what was imported, too
	Leave     []string // see key.CallSpec
	Safe      []string // likewise
}

// Verify runs the command of an entry again, as it was called, and compares. gen
// is what the store gave with the entry. The working directory, and the variable
// PWD, must be those of the command.
func (v *Verifier) Verify(ctx context.Context, id cache.ID, e *cache.Entry, gen cache.Generation) Verified {
	r := Verified{ID: id, Command: e.Command(), gen: gen}
	verdict := func(as Verdict, format string, args ...any) Verified {
		r.Verdict, r.Reason = as, fmt.Sprintf(format, args...)
		return r
	}
	single := slices.DeleteFunc(slices.Clone(e.Series), func(s cache.Series) bool { return s.Repeated || s.Count != 1 })
	switch {
	case len(single) == 0:
		return verdict(Averaged, "it is a mean")
	case r.Command != nil && r.Command.TooLong != nil:
		return verdict(Unknown, "its arguments are too long to be recorded")
	case r.Command == nil || r.Command.Args == nil:
		return verdict(Unknown, "its command is not recorded")
	case r.Command.Stdin():
		return verdict(Unknown, "what stdin held is not recorded")
	case r.Command.Foreign && !v.Trust:
		return verdict(Foreign, "it was imported")
	case slices.ContainsFunc(r.Command.Files, func(f key.File) bool { _, ok := f.Text(); return !ok }):
		return verdict(Unknown, "%v", placeholder.ErrNotRecorded)
	}
	program, err := process.LookPath(r.Command.Args[0])
	if err != nil {
		return verdict(Changed, "%v", err)
	}
	env := r.Command.Env()
	call, err := key.Identify(ctx, key.CallSpec{
		Args:      r.Command.Args,
		Files:     r.Command.Files,
		Program:   program,
		Rules:     r.Command.Rules(),
		TrackArgs: r.Command.TrackArgs,
		Paths:     r.Command.Paths,
		DependsOn: r.Command.DependsOn,
		Untracked: r.Command.Untracked(),
		Gitignore: r.Command.Gitignore(),
		Env:       slices.Sorted(maps.Keys(env)),
		LookupEnv: func(name string) (string, bool) {
			if value := env[name]; value != nil {
				return *value, true
			}
			return "", false
		},
		Leave: v.Leave,
		Safe:  v.Safe,
	}, v.Memo.Digests)
	if err != nil {
		return verdict(Changed, "%v", err)
	}
	if call.Key != id.Key {
		if d := difference.Between(call, r.Command, mostDifferences); len(d) > 0 {
			return verdict(Changed, "%v", d[0])
		}
		return verdict(Changed, "its key is another now")
	}
	mode := process.Unwatched
	var options inputs.Options
	if e.Inputs.Watched() && v.Memo.Observer != nil {
		var change string
		change, options, err = v.inputsChanged(ctx, id, e, call)
		if err != nil {
			return verdict(Changed, "%v", err)
		} else if change != "" {
			return verdict(Changed, "%s", change)
		}
		mode = process.WatchIfPossible // its state is known afterwards
	}
	defer call.Watch()()
	args, remove, err := v.Memo.Made.Fill(r.Command.Args, r.Command.Files)
	if r.Err = err; err != nil {
		return verdict(Failed, "%v", err)
	}
	r.outcome, err = v.Memo.Runner.Run(ctx, process.Command{Path: program, Args: args, Env: v.environment(env), Timeout: v.Timeout, Watch: mode})
	remove(r.outcome.Open || r.outcome.Left)
	if len(r.Command.Files) > 0 {
		observe.LeaveOut(r.outcome.Trace, v.Memo.Made.Dir())
	}
	if r.outcome.Trace != nil {
		v.Memo.Observer.Mark(ctx, r.Command.Args, r.outcome.Trace)
		set, unseen, err := observe.Set(ctx, options, r.outcome.Trace)
		switch {
		case err != nil:
			return verdict(Changed, "%v", err)
		case unseen != "":
			return verdict(Unknown, "not all that it read was seen: %s", unseen)
		}
		r.set = &set
	}
	if r.Err = err; err != nil {
		return verdict(Failed, "%v", err)
	}
	if r.outcome.Signaled() {
		return verdict(Failed, "a signal came during the run")
	}
	if path, _ := call.Changed(ctx); path != "" {
		return verdict(Changed, "%s changed during the run", path)
	}
	at := cache.Sample{ID: cache.NewSampleID(), Seconds: r.outcome.Seconds, Time: time.Now()}
	for i := range single {
		s := &single[i]
		name, nonfinite := strings.CutPrefix(s.Extraction, "nonfinite:")
		x, err := number.ParseExtraction(name, nonfinite)
		if err != nil {
			return verdict(Unknown, "--extract %v", err)
		}
		value, text, err := x.Find(r.outcome.Stdout, r.outcome.Cut)
		if err != nil {
			return verdict(Failed, "%v", err)
		}
		at.Value = value
		r.samples = append(r.samples, sampleOf{s.Extraction, at, text})
		if r.Verdict == Same && !v.near(value, s.Mean) {
			r.Verdict, r.Extraction, r.Stored, r.Now = Differs, s.Extraction, s.Text, text
		}
	}
	return r
}

// inputsChanged says what has changed of the inputs under which an entry was evaluated
// last, or nothing, and returns the options for what it reads now.
func (v *Verifier) inputsChanged(ctx context.Context, id cache.ID, e *cache.Entry, call *key.Call) (change string, options inputs.Options, err error) {
	set, ok, err := v.Memo.Observer.Load(ctx, v.Memo.Store, id.Namespace, e.Inputs)
	if err != nil {
		return "", options, err
	} else if !ok {
		return "what it read is not recorded any more", options, nil
	}
	options = v.Memo.Observer.Options
	options.Marks = observe.MarksOf(options.Marks, options.Places.Dir, e.Args())
	options.Rules.Untracked, options.Rules.Ignored = slices.Concat(e.Command().Untracked(), set.Untracked()), call.Ignored()
	paths := e.Command().Paths
	options.Places.ByProject, options.Places.ByDir = paths == key.PathsProject, paths == key.PathsNone
	m, err := inputs.NewChecker(options).Check(ctx, set)
	if m == nil || err != nil {
		return "", options, err
	}
	return m.String(), options, nil
}

// near reports whether a number is the stored one, within the tolerance.
func (v *Verifier) near(now, stored float64) bool {
	if now == stored || math.IsNaN(now) && math.IsNaN(stored) {
		return true
	}
	if math.IsInf(now, 0) || math.IsInf(stored, 0) {
		return false
	}
	return math.Abs(now-stored) <= v.Tolerance*math.Max(1, math.Abs(stored))
}

// environment is ours, with what counted set as it was then.
func (v *Verifier) environment(counted map[string]*string) []string {
	env := slices.DeleteFunc(process.Environment(false, nil), func(set string) bool {
		name, _, _ := strings.Cut(set, "=")
		_, counts := counted[name]
		return counts
	})
	for name, value := range counted {
		if value != nil {
			env = append(env, name+"="+*value)
		}
	}
	return env
}

// Replace puts the numbers that were found anew in the place of the stored ones,
// and refuses evaluations that are under way. Its error is cache.ErrSuperseded
// where the entry was cleared or refreshed meanwhile, or as of Store.Update.
func (v *Verifier) Replace(ctx context.Context, r Verified, keepOutput int) error {
	var in cache.Inputs
	if r.set != nil {
		var err error
		if in, err = v.Memo.Observer.Store(ctx, v.Memo.Store, r.ID.Namespace, r.gen.Namespace, *r.set); err != nil {
			return err
		}
	}
	return v.Memo.Store.Update(ctx, r.ID, r.gen, func(old *cache.Entry) *cache.Entry {
		at := r.samples[0].sample
		e := &cache.Entry{Token: cache.NewToken(), Created: at.Time}
		e.Inputs = in
		e.Output = &cache.Output{ID: at.ID, Seconds: at.Seconds, Time: at.Time}
		e.Output.Text, e.Output.Cut = number.Lines(r.outcome.Stdout, r.outcome.Cut, keepOutput)
		e.SetCommand(r.Command)
		if old != nil { // means have nothing to do with it
			e.Series = slices.DeleteFunc(old.Series, func(s cache.Series) bool { return !s.Repeated })
		}
		for _, s := range r.samples {
			e.FindOrAdd(s.extraction).Add(s.sample, s.text)
		}
		return e
	})
}

// InDirectory makes a folder the working directory of this process: call it while
// no other goroutine uses names that are relative.
func InDirectory(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	return os.Setenv("PWD", dir)
}
