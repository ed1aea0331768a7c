package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
	"dvlcache/exec/valuation"
)

// valueFlags are the flags that only value has.
type valueFlags struct {
	points, groups, method, evaluations, empty string
	exact, dryRun, quiet                       bool
	seed                                       uint64
	stderr, reliability, truncate              float64
	top, retries                               int
	maxTime                                    time.Duration
	format, sort, output, progress             string
	report, knownBad                           string
	removal                                    int // steps
}

func newValue(ui *terminal) *cobra.Command {
	var f valueFlags
	cmd := &cobra.Command{
		Use:   "value [flags] --points LIST -- COMMAND [ARG|{}...]",
		Short: "Print what each point is worth: Shapley, Banzhaf, Beta, leave-one-out values",
		Long: `Print what each point is worth, with its standard error. COMMAND is asked for
subsets of the points, several at a time, from the cache or by running it; a subset
takes the place of {} in COMMAND's arguments, or comes last.

To resume, run the same command again: what was evaluated is there. A larger budget only
adds to it. The same command on several machines that share a cache shares the work, and
all of them print the same. --dry-run says beforehand what it would cost.`,
		Example: `  dvlcache value --points 1-120 --jobs 4 -- ./train.sh --indices {}
  dvlcache value --points @names.txt --method banzhaf --evaluations 50n -- \
    ./train.sh --use {}
  dvlcache value --points 1-120 --reliability 0.9 --sort value --dry-run -- \
    ./train.sh --indices {}`,
		DisableFlagsInUseLine: true,
		Args:                  commandAfterDash,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, s, origins, err := loadQuery(ui, cmd, args)
			if err != nil {
				return err
			}
			if q.Repeat.Once || q.Repeat.Samples == 1 {
				return usage(errors.New("--repeat without a number leaves open how noisy a value is"), "--repeat=N, with N from 2 on, or --converge")
			}
			settings, err := f.settings(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if settings.report != nil {
				settings.report.settings = besides(origins)
			}
			return f.run(ui, s, q, settings)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.points, "points", "", "the points: `1-120`, 1,5,9-20, or @FILE with a name a line")
	flags.Var(pathFlag{&f.groups}, "groups", "value groups of points: `FILE` has a point and its group a line")
	flags.StringVar(&f.method, "method", "shapley", "`METHOD`: shapley, banzhaf, banzhaf:W, beta:A:B, loo, or tmc: truncated permutations")
	flags.BoolVar(&f.exact, "exact", false, fmt.Sprintf("ask for all subsets; of %d players at most", valuation.MostExact))
	flags.StringVar(&f.evaluations, "evaluations", "20n", "ask for `N` subsets at most, or Nn: N for each point")
	flags.Float64Var(&f.stderr, "stderr", 0, "stop where no standard error is above `X`")
	flags.Float64Var(&f.reliability, "reliability", 0, "stop where at most 1-`R` of the values' variance is error")
	flags.IntVar(&f.top, "top", 0, "stop where the best `K` are set apart from the others")
	flags.Var(durationFlag{&f.maxTime}, "max-time", "start nothing more after this `TIME`; print what is known by then")
	flags.Uint64Var(&f.seed, "seed", 1, "`N` decides which subsets are asked")
	flags.StringVar(&f.empty, "empty", "", "the empty subset is worth `X`; COMMAND isn't asked for it")
	flags.Float64Var(&f.truncate, "truncate", 0.01, "an order of tmc ends within `T` of the value of all points, as a part of it")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say how many subsets would be asked, how many are cached, and how long it would take")
	addSettings(cmd, config.KeySettings, without(config.RunSettings, "format"), config.RepeatSettings, config.StoreSettings)
	flags.Lookup("jobs").Usage = "run N programs at a time"
	flags.Lookup("verbose").Usage = idleUsage
	flags.Lookup("only-cached").Usage = "never run COMMAND; exit with status 3 if a number is not there"
	flags.StringVar(&f.format, "format", "tsv", "print `tsv|csv|json`")
	flags.StringVar(&f.sort, "sort", "point", "sort by `point|value`")
	flags.Var(pathFlag{&f.output}, "output", "write the values to `FILE` instead of stdout, whole or not at all")
	flags.Var(pathFlag{&f.report}, "report", "draw what was found in `FILE`, one HTML page, whole or not at all")
	flags.IntVar(&f.removal, "removal-curve", 0, "draw how the score falls as points are removed in `STEPS`: asks 7 more subsets a step")
	flags.Var(pathFlag{&f.knownBad}, "known-bad", "draw how many of the points in `FILE`, a name a line, are among the lowest")
	flags.IntVar(&f.retries, "retries", 0, "try a subset that fails again, `N` times at most")
	flags.StringVar(&f.progress, "progress", "auto", "`auto|plain|none`: on a terminal, a line every 10 s, or not")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, and nothing in the end on stderr")
	for _, choice := range f.choices() {
		complete(cmd, choice.flag, choice.of...)
	}
	complete(cmd, "method", "shapley", "banzhaf", "beta:4:1", "beta:16:1", "loo", "tmc")
	return cmd
}

func (f *valueFlags) choices() []choice {
	return []choice{
		{"format", f.format, []string{"tsv", "csv", "json"}},
		{"sort", f.sort, []string{"point", "value"}},
		{"progress", f.progress, []string{"auto", "plain", "none"}},
	}
}

// durationFlag is a flag with a time, in the forms that settings take.
type durationFlag struct{ to *time.Duration }

func (d durationFlag) String() string { return "" }
func (d durationFlag) Type() string   { return "duration" }
func (d durationFlag) Set(text string) (err error) {
	*d.to, err = config.ParseDuration(text)
	return err
}

// valueSettings are what the flags of value say.
type valueSettings struct {
	valuation.Settings
	players *players
	report  *reporter // nil: there is to be none
}

// settings checks the flags. changed reports whether one is given.
func (f *valueFlags) settings(changed func(flag string) bool) (s valueSettings, err error) {
	for _, choice := range f.choices() {
		if err := choice.check(); err != nil {
			return s, err
		}
	}
	if f.points == "" {
		return s, usage(errors.New("--points is missing"), "--points 1-120, or --points @FILE with a name a line")
	}
	// A limit that is given and can't be met would never stop anything.
	switch {
	case changed("stderr") && !(f.stderr > 0 && f.stderr <= math.MaxFloat64):
		return s, usage(fmt.Errorf("--stderr: %v is no finite number above 0", f.stderr), "without it no standard error is asked for; --exact has none")
	case changed("reliability") && !(f.reliability > 0 && f.reliability < 1):
		return s, usage(fmt.Errorf("--reliability: %v doesn't lie between 0 and 1", f.reliability), "1 would be never: --exact has no error")
	case !(f.truncate >= 0 && f.truncate <= math.MaxFloat64):
		return s, usage(fmt.Errorf("--truncate: %v is no finite number from 0 on", f.truncate), "")
	case changed("top") && f.top < 1:
		return s, usage(fmt.Errorf("--top: %d is no number of points from 1 on", f.top), "")
	case changed("max-time") && f.maxTime == 0:
		return s, usage(errors.New("--max-time: nothing is evaluated in no time"), "without it there is no limit; --only-cached evaluates nothing")
	}
	if f.retries < 0 {
		return s, usage(fmt.Errorf("--retries: %d is less than none", f.retries), "")
	}
	if s.players, err = newPlayers(f.points, f.groups); err != nil {
		return s, err
	}
	if s.report, err = f.reporter(changed, s.players); err != nil {
		return s, err
	}
	n := len(s.players.names)
	if f.top > 0 && f.top >= n {
		return s, usage(fmt.Errorf("--top: of %s %d at most can be set apart from others, and %d is given", plural(n, s.players.noun()), n-1, f.top), "")
	}
	s.Settings = valuation.Settings{Players: n, Exact: f.exact, Seed: f.seed, Truncate: f.truncate, Stderr: f.stderr, Reliability: f.reliability, Top: f.top}
	if s.Method, err = valuation.ParseMethod(f.method); err != nil {
		hint := ""
		if like := config.Nearest(strings.ToLower(f.method), []string{"shapley", "banzhaf", "loo", "tmc"}); like != "" {
			hint = "did you mean " + like + "?"
		}
		return s, usage(err, hint)
	}
	for _, flag := range []string{"evaluations", "stderr", "reliability", "top"} {
		if !changed(flag) {
			continue
		}
		if f.exact {
			return s, usage(fmt.Errorf("--exact asks for all subsets, and --%s is given", flag), "leave one of them out")
		}
		if s.Method.LeaveOneOut() {
			return s, usage(fmt.Errorf("--method loo takes a subset for each point, and --%s is given", flag), "leave --"+flag+" out")
		}
	}
	if changed("truncate") && !s.Method.Truncated() {
		return s, usage(errors.New("--truncate is given, and --method is not tmc"), "leave it out: other methods truncate nothing")
	}
	if s.Evaluations, err = parseEvaluations(f.evaluations, n); err != nil {
		return s, err
	}
	if changed("empty") {
		x, _, err := number.Parse(f.empty, false)
		if err != nil {
			return s, usage(fmt.Errorf("--empty: %q is no finite number", f.empty), "")
		}
		s.Empty = &x
	}
	return s, nil
}

// parseEvaluations reads a number of evaluations, N or, for each of n players, Nn.
func parseEvaluations(text string, n int) (int, error) {
	digits, each := strings.CutSuffix(text, "n")
	count, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || count == 0 {
		return 0, usage(fmt.Errorf("--evaluations: %q is no number of evaluations", text), "--evaluations 2400, or 20n for 20 a point")
	}
	if each {
		count *= uint64(n)
	}
	return int(min(count, 1<<31-1)), nil
}

// valued is what a valuation has found, and what there is to tell of how.
type valued struct {
	valuation.Result
	*asker
	limit string  // what stopped it, in words
	took  float64 // seconds
}

// run values the points, and prints what they are worth.
func (f *valueFlags) run(ui *terminal, s *config.Settings, q exec.Query, settings valueSettings) (err error) {
	v, err := valuation.New(settings.Settings)
	if err != nil {
		return usage(err, "")
	}
	command, err := subsetCommand(q.Args, q.Rules, settings.players)
	if err != nil {
		return err
	}
	debug.SetGCPercent(200) // as of a batch
	if f.dryRun {
		return f.plan(ui, s, q, v, command, settings)
	}
	start := time.Now()
	runner := &process.Runner{Stderr: os.Stderr, Grace: s.Grace}
	ctx, stop := watchSignals(context.Background(), runner)
	var out io.Writer
	finish := func(bool) error { return nil }
	if f.output == "" {
		out = impatient(ctx, os.Stdout)
	} else if out, finish, err = createWhole("output", f.output); err != nil {
		return errors.Join(err, stop())
	}
	outputs, err := settings.report.create()
	if err != nil {
		return errors.Join(err, finish(false), stop())
	}
	o, err := openCache(ui, s)
	if err != nil {
		stop()
		settings.report.close(false)
		finish(false)
		return err
	}
	if file, ok := out.(*os.File); ok && f.output != "" {
		outputs = append(outputs, f.output, file.Name())
	}
	o.keepOutputs(command.Example(q.Args, q.Rules), outputs...)
	made := &placeholder.Folder{}
	defer made.Close()
	memo := &exec.Memo{Store: o.store, Stats: o.stats, Digests: o.digests, Runner: runner, Warn: ui.warn, Observer: o.observer(s, q, false), Made: made}
	a := newAsker(s, q, memo, command, settings.players)
	a.batch.Retries, a.batch.Anew = f.retries, anewTeller(ui)
	a.tell = idleTeller(ui, s)
	a.batch.Progress = f.progressOf(ui, a, v, settings.report.subsets(settings.Players))
	took := func() float64 { return time.Since(start).Seconds() }
	if f.maxTime > 0 {
		defer time.AfterFunc(f.maxTime, a.stop).Stop()
	}
	err = a.value(ctx, v)
	ui.endProgress()
	if err == nil {
		found := &valued{Result: withoutNoise(v.Result()), asker: a, took: took()}
		found.limit = f.limit(found)
		if err = found.write(out, f.format, f.sort); err == nil && !f.quiet {
			found.tell(ui)
		}
		if err == nil && settings.report != nil {
			err = settings.report.write(ctx, ui, found, took)
		}
	}
	err = errors.Join(err, settings.report.close(err == nil), finish(err == nil), o.close())
	if err == nil && settings.report != nil && !f.quiet {
		ui.message("the report is "+f.report, "")
	}
	if errors.Is(err, syscall.EPIPE) {
		// Whoever read the values has gone, as any program in a pipe ends.
		err = &signalError{syscall.SIGPIPE}
	}
	signalled := stop()
	if signalled != nil && err != nil {
		ui.message(fmt.Sprintf("%d subsets are answered; what was evaluated is stored: run it again to resume", a.asked), "")
	}
	return errors.Join(err, signalled)
}

// newAsker makes an asker of a query, whose Args it takes apart.
func newAsker(s *config.Settings, q exec.Query, memo *exec.Memo, command *placeholder.Template, p *players) *asker {
	a := &asker{players: p, command: command, check: sameRules(s, q.Args), noisy: q.Repeat.Samples > 0 || q.Repeat.Converge, inOne: inOne(q.Args), stopped: make(chan struct{})}
	a.stop = sync.OnceFunc(func() { close(a.stopped) })
	q.Program = command.Example(q.Args, q.Rules) // points may have names like subcommands
	q.Args = q.Args[:1]
	q.Repeat.Jobs = 1 // the workers are spread over the subsets
	a.batch = exec.Batch{Memo: memo, Query: q, Jobs: s.Jobs}
	return a
}

// progressOf is what tells how a valuation gets on, which asks extra subsets in the end;
// nil where nobody wants to know.
func (f *valueFlags) progressOf(ui *terminal, a *asker, v *valuation.Valuation, extra int) func(exec.BatchState) {
	show := ui.batchProgress(f.progress, f.quiet, func() string {
		if v.Rounds() == 0 {
			return ""
		}
		return fmt.Sprintf("reliability %.2f", v.Result().Reliability)
	})
	if show == nil {
		return nil
	}
	return func(s exec.BatchState) {
		s.Read, s.Input = max(int64(v.Most()+extra), s.Done), false
		// Of those to come as many will be cold as of those so far.
		if rest := float64(s.Read - s.Done); s.Done > 0 {
			s.Cold = int(rest * float64(s.Evaluated) / float64(s.Done))
		}
		show(s)
	}
}

// limit says which limit ended a valuation.
func (f *valueFlags) limit(v *valued) string {
	switch v.Stopped {
	case valuation.StoppedEvaluations:
		return "--evaluations " + f.evaluations
	case valuation.StoppedAll:
		return "all that count"
	case valuation.StoppedStderr:
		return "--stderr " + number.Format(f.stderr)
	case valuation.StoppedReliability:
		return "--reliability " + number.Format(f.reliability)
	case valuation.StoppedTop:
		return "--top " + strconv.Itoa(f.top)
	}
	return "--max-time " + f.maxTime.String()
}

// subsetCommand finds the places for a subset in COMMAND's arguments.
func subsetCommand(args []string, rules key.Rules, p *players) (*placeholder.Template, error) {
	t, err := placeholder.Parse(args, false)
	if err == nil {
		err = t.Check(rules)
	}
	if err != nil {
		return nil, placeholderError(err)
	}
	if unused := t.Unused(); len(unused) > 0 && !t.Used() {
		return nil, usage(fmt.Errorf("%s is no place for a subset", unused[0]), "{} is, and {...}, {file} and {ranges}")
	}
	text := !t.Used() || slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "{}") })
	if !t.Used() {
		t.AppendLine()
	}
	const longest = 128 << 10 // of an argument, with the NUL behind it
	if text && p.size > longest && runtime.GOOS == "linux" {
		return nil, usage(fmt.Errorf("all points together are %d bytes, and an argument has %d at most", p.size, longest), "{file} hands a subset on in a file")
	}
	for _, name := range p.points {
		if text && strings.Contains(name, ",") {
			return nil, usage(fmt.Errorf("the point %q has a comma in its name, by which {} separates points", name), "{...} hands points on as arguments of their own, {file} in a file")
		}
	}
	// A name that can't be an item is told of before anything is evaluated.
	if _, err := t.Expand(rules, func(string) (placeholder.Value, error) { return placeholder.Items(p.points), nil }); err != nil {
		return nil, placeholderError(err)
	}
	return t, nil
}
