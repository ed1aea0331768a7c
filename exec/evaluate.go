package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/observe"
	"dvlcache/exec/process"
)

// evaluation is one run of the program and the number it printed.
type evaluation struct {
	process.Outcome
	sample cache.Sample
	text   string
	// set is what it was seen to use, if it was watched; or else unseen and unset say why
	// there is none.
	set    inputs.Set
	unseen string
	unset  error
	// err is a *number.Error, or why the program did not succeed; only in
	// the first case is there an outcome.
	err     error
	started bool // the program, and nobody asked us to end
	took    time.Duration
}

// evaluate makes the evaluations that are called for, and merges each into the
// entry as it ends. After a failure it starts no more. ended, if not nil, is called
// when no program runs for the call any more; what is left to do is to wait for the
// store.
func (c *call) evaluate(ctx context.Context, ended func()) (Answer, error) {
	var (
		failure error
		running int64
		begun   bool
		jobs    = int64(max(min(c.Repeat.Jobs, process.Most(c.watches())), 1))
		results = make(chan evaluation)
	)
	for {
		for failure == nil && running < jobs && c.wants(running) && !(c.Repeat.Once && begun) {
			running++
			begun = true
			go func() { results <- c.run(ctx) }()
		}
		if running == 0 {
			return c.report(), failure
		}
		e := <-results
		running--
		var short *process.ShortageError // it may be tried again
		if ended != nil && !c.Repeat.on() && !errors.As(e.err, &short) {
			ended()
		}
		if err := c.record(ctx, e); err != nil && failure == nil {
			failure = err
		}
		c.tally.Tell(c.counts, false)
		if c.Progress != nil && c.Repeat.on() {
			c.Progress(c.series.Moments)
		}
	}
}

// run runs the program and finds its number. It may be called concurrently.
func (c *call) run(ctx context.Context) (e evaluation) {
	var extra []string
	if c.key != nil {
		extra = append(extra, process.ActiveVariable+"="+process.ActiveWith(c.id.String()))
	}
	if c.watchMode() != process.Unwatched {
		extra = append(extra, WatchedVariable+"=1")
	}
	args, remove, err := c.Made.Fill(c.Args, c.Files)
	if err != nil {
		e.err = err
		return e
	}
	defer func() { remove(e.Open || e.Left) }()
	cmd := process.Command{
		Path:    c.program,
		Args:    args,
		Env:     process.Environment(c.NoRank, slices.Concat(c.Env, c.PassEnv), extra...),
		Tee:     c.Tee,
		Timeout: c.Timeout,
		Watch:   c.watchMode(),
	}
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin.Open()
	}
	start := time.Now()
	e.Outcome, e.err = c.Runner.Run(ctx, cmd)
	e.took = time.Since(start)
	if len(c.Files) > 0 {
		observe.LeaveOut(e.Trace, c.Made.Dir())
	}
	var notStarted *process.StartError
	var short *process.ShortageError
	e.started = !errors.As(e.err, &notStarted) && !errors.As(e.err, &short) && (e.err == nil || ctx.Err() == nil)
	if e.err != nil {
		return e
	}
	e.sample = cache.Sample{ID: cache.NewSampleID(), Seconds: e.Seconds, Time: time.Now()}
	e.sample.Value, e.text, e.err = c.Extraction.Find(e.Stdout, e.Cut)
	if errors.Is(e.err, number.ErrCut) {
		e.err = c.Extraction.Missing(fmt.Sprintf("none that is sure in the last %d KiB, which end in %s, and what came before isn't kept", process.Captured>>10, number.End(e.Stdout)))
	}
	return e
}

// record counts an evaluation, and merges it into the entry unless it failed
// or something speaks against it. Its error is the evaluation's.
func (c *call) record(ctx context.Context, e evaluation) error {
	// Who asks us to end after the program has ended doesn't ask for its
	// number to be lost.
	ctx = context.WithoutCancel(ctx)
	if e.started {
		c.counts[stats.Evaluations]++
		c.counts[stats.NanosSpent] += int64(e.took)
		if e.err != nil {
			c.counts[stats.Failures]++
		}
	}
	if e.Trace != nil {
		c.Observer.Mark(ctx, c.knownBy(), e.Trace)
	}
	var noNumber *number.Error
	if e.err != nil && !errors.As(e.err, &noNumber) {
		return e.err
	}
	if c.away != nil {
		if err := c.regain(ctx, e.took); err != nil {
			return err
		}
	}
	if e.Trace != nil && c.usesStore {
		e.set, e.unseen, e.unset = observe.Set(ctx, c.inputsOptions(), e.Trace)
	}
	signaled := e.Signaled() // which may wait: so after all that takes its time
	c.doubtful = signaled || e.Open && !c.AllowOpenStdout
	c.unstored = c.unstorable(ctx, &e, signaled)
	if c.stopLooking != nil && !c.Repeat.on() {
		// Who waits for the disk would be told of all that others read meanwhile.
		c.stopLooking()
	}
	if c.unstored == "" {
		err := c.keep(ctx, e)
		if err == nil {
			if e.err == nil {
				c.counts[stats.Sets]++
			}
			return e.err
		}
		if c.Strict && e.err == nil {
			return &StoreError{err}
		}
		c.unstored = err.Error()
	}
	if e.err == nil && !(signaled && c.series.Count > 0) { // no mean is made of what may be cut short
		c.series.Add(e.sample, e.text)
	}
	return e.err
}

// keep merges an evaluation into the entry.
func (c *call) keep(ctx context.Context, e evaluation) error {
	output := &cache.Output{ID: e.sample.ID, Seconds: e.Seconds, Time: e.sample.Time}
	output.Text, output.Cut = number.Lines(e.Stdout, e.Cut, c.KeepOutput)
	add := func(entry *cache.Entry) {
		entry.Output = output
		entry.SetCommand(c.key.Command(!c.HideCommand))
		if e.err == nil {
			s := entry.FindOrAdd(c.Extraction.String())
			s.Add(e.sample, e.text)
			s.Repeated = s.Repeated || c.Repeat.on()
		}
	}
	// Others that add samples of their own may unite inputs meanwhile.
	for try := 0; ; try++ {
		was, is, err := c.unite(ctx, e)
		if err != nil {
			c.notStored(err)
			return err
		}
		err = c.merge(ctx, was, is.inputs, add)
		if err == nil {
			c.under = is.inputs
		}
		if err == nil && e.Trace != nil {
			c.known = append(slices.DeleteFunc(c.known, func(k known) bool { return containsInputs(was, k.inputs) }), is)
		}
		if !errors.Is(err, errUnknownVariant) || try == 100 {
			return err
		}
		if entry, _, err := c.Store.Get(ctx, c.id); err == nil {
			if _, err := c.choose(ctx, entry); err != nil {
				return err
			}
		}
	}
}

// unite returns the inputs under which an evaluation is to be stored, and, under
// Repeat, those of the variants whose samples it belongs to: what the one saw and the
// other didn't is united. There are several where evaluations were stored side by side. An
// evaluation that nobody watched has none.
func (c *call) unite(ctx context.Context, e evaluation) (was []cache.Inputs, is known, err error) {
	if e.Trace == nil {
		return was, is, nil
	}
	set := e.set
	if c.Repeat.on() {
		for _, k := range c.known {
			before, ok := k.set()
			if !ok {
				continue
			}
			united, ok := inputs.Unite(before, set)
			if !ok || len(was) > 0 && c.isRefused(k.inputs) {
				continue
			}
			was, set = append(was, k.inputs), united
			if is.parts = nil; united.Equal(before) {
				is = k
			}
		}
		if is.parts != nil {
			return was, is, nil
		}
	}
	is.parts = []inputs.Set{set}
	is.inputs, err = c.Observer.Store(ctx, c.Store, c.Namespace, c.gen.Namespace, set)
	return was, is, err
}

// unstorable says why the outcome of a run may not be stored, and warns where
// the user would not expect it; empty if it may be.
func (c *call) unstorable(ctx context.Context, run *evaluation, signaled bool) string {
	c.changed = ChangedError{}
	if !c.usesStore {
		return "the cache is not used"
	}
	if signaled {
		c.warn("a signal came during the run, and may be why "+c.Args[0]+" printed what it did; the number is not stored", "")
		return "a signal came during the run"
	}
	if run.Open && !c.AllowOpenStdout {
		c.warn(fmt.Sprintf("a process that %s left behind still holds stdout, so its output may not be complete; the number is not stored", c.Args[0]),
			"--allow-open-stdout stores it")
		return "stdout was still open"
	}
	if path, hint := c.key.Changed(ctx); path != "" {
		c.changed = ChangedError{Path: path, Hint: outputHint(hint)}
		c.warn(fmt.Sprintf("%s changed during the run; the number is not stored", path), outputHint(hint))
		return path + " changed"
	}
	if why := c.unseen(ctx, run); why != "" {
		return why
	}
	if run.Seconds < c.TimeThreshold.Seconds() && !c.Repeat.on() {
		if c.Refresh {
			// What was to be overwritten must not answer the next call.
			if _, err := c.Store.Delete(ctx, c.id); err != nil {
				c.outOfOrder(err, "the number that --refresh was to replace is still stored")
			}
		}
		return fmt.Sprintf("it took %.3g s, less than --time-threshold %v", run.Seconds, c.TimeThreshold)
	}
	if path, hint := c.key.Appeared(); path != "" && hint != "" {
		c.warn(fmt.Sprintf("%s is there since the run; as a file that an argument names it counts with its contents, so the next call will miss", path), outputHint(hint))
	}
	return ""
}

// unseen says why there is no set of what the evaluation was seen to use that can be
// relied on; empty if all is well, or if nobody watched.
func (c *call) unseen(ctx context.Context, run *evaluation) string {
	if run.Unwatched != nil {
		c.unwatched = run.Unwatched
		var unwatchable *process.UnwatchableError
		if errors.As(run.Unwatched, &unwatchable) {
			c.Warn(fmt.Sprintf("%s runs unwatched from now on: %v", c.Args[0], run.Unwatched), "--depends-on names what it reads and no argument does")
			c.Observer.Options.Marks.KeepUnwatchable(c.watchName(), unwatchable.Reason)
		} else if process.Scarce(run.Unwatched) {
			// The next call may be watched, and is not to be answered by this one.
			c.warn(fmt.Sprintf("%s ran unwatched; the number is not stored: %v", c.Args[0], run.Unwatched), "--track args stores it, and takes no notice of what it reads")
			return "it could not be watched this time"
		} else if os.Getenv(WatchedVariable) == "" && !errors.Is(run.Unwatched, syscall.EBUSY) { // nobody else watches
			c.Observer.Options.Marks.KeepUnavailable(c.watchedHere(), run.Unwatched.Error())
		}
	}
	if run.Trace == nil {
		return ""
	}
	c.Observer.Options.Marks.KeepUnavailable(c.watchedHere(), "")
	c.trace = run.Trace
	if by := run.Trace.StdinReader; by != "" && c.Stdin == nil && c.Observer.StdinWaits != nil && c.Observer.StdinWaits() {
		c.Warn(by+" read its stdin, which is empty", "--stdin hands ours on; what it holds counts then")
	}
	var changed *inputs.ChangedError
	switch {
	case errors.As(run.unset, &changed):
		name := strings.TrimPrefix(changed.Name, c.Observer.Options.Places.Dir+"/")
		c.changed = ChangedError{Path: name, seen: true}
		c.warn(fmt.Sprintf("%s, which it reads, changed during the run; the number is not stored", name), "--untracked '"+name+"', if the number doesn't hang on it")
		return name + " changed"
	case run.unset != nil:
		c.warn(fmt.Sprintf("%v; the number is not stored", run.unset), "")
		return run.unset.Error()
	case run.unseen != "":
		c.warn(fmt.Sprintf("not all that %s reads could be seen (%s); the number is not stored", c.Args[0], run.unseen), "--track args stores it, and takes no notice of what it reads")
		return "not all that it reads could be seen"
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
