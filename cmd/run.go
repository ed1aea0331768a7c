package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/key/difference"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/process"
)

func newRun(ui *terminal) *cobra.Command {
	var output, depfileName string
	var stdin bool
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Print COMMAND's number: from the cache, or by running it",
		Long: `Print COMMAND's number. If the same call was made before (the same program,
arguments in order, contents of the files that they name, and working directory), and
what COMMAND was seen to read then is as it was, it comes from the cache. Otherwise
COMMAND is run, and the last line of its stdout is the number, which is stored. If
COMMAND fails, run ends with its status, and nothing is stored.

What is read is seen on Linux 6.6 and newer; elsewhere --depends-on names it. COMMAND's
stdin is empty, so that the lines of a loop's "while read" are left to the loop:
--stdin hands it on.

A TIME is 90s, 5m or 1h30m, or a number of seconds; a SIZE is 2048 or 2KiB.`,
		Example: `  dvlcache run -- ./train.sh --indices 1,4,7
  dvlcache run --unordered indices --ignore job-id -- \
    ./train.sh --indices 7,4,1 --job-id 9
  dvlcache run --extract json:acc -- python3 train.py --indices 1 4 7`,
		DisableFlagsInUseLine: true,
		Args:                  commandAfterDash,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, s, _, err := loadQuery(ui, cmd, args)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("jobs") && !q.Repeat.Converge && q.Repeat.Samples == 0 {
				return usage(errors.New("--jobs is given, and there is one evaluation to make"), "add --converge or --repeat=N")
			}
			if stdin {
				if q.Stdin, err = exec.ReadInput(os.Stdin); err != nil {
					return fmt.Errorf("stdin: %w", err)
				}
				defer q.Stdin.Close()
			}
			for _, place := range []string{"{...}", "{file}", "{ranges}"} {
				if slices.Contains(q.Args[1:], place) {
					ui.message(place+" is handed on as it is", "batch and value put subsets there; run takes the arguments themselves")
				}
			}
			a, signal, err := answer(ui, s, q, output, depfileName)
			if err == nil {
				err = writeResult(formatAnswer(s.Format, a), output)
			}
			if err == nil && depfileName != "" {
				err = writeDepfile(ui, s, q, &a, depfileName, output)
			}
			if err == nil && s.Verbose {
				explainAnswer(ui, a)
				explainInputs(ui, s, q, &a)
			}
			return errors.Join(err, signal)
		},
	}
	addSettings(cmd, config.KeySettings, config.RunSettings, config.RepeatSettings, config.StoreSettings)
	cmd.Flags().Var(pathFlag{&output}, "output", "write the result to `FILE` instead of stdout, whole or not at all")
	cmd.Flags().StringVar(&depfileName, "depfile", "", "write the files that COMMAND was seen to use to `FILE`, as a rule for make")
	cmd.Flags().BoolVar(&stdin, "stdin", false, "hand stdin on to COMMAND; what it holds counts")
	return cmd
}

// answer runs a query with signals passed on to COMMAND. signal is the one that
// came meanwhile, be it after the answer was found.
func answer(ui *terminal, s *config.Settings, q exec.Query, outputs ...string) (a exec.Answer, signal, err error) {
	runner := &process.Runner{Stderr: os.Stderr, Grace: s.Grace}
	o, err := openCache(ui, s)
	if err != nil {
		return a, nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if _, ok := o.store.(*cache.Memory); ok {
		ui.message("the memory backend forgets everything when this call ends", "dvlcache session -- COMMAND shares one memory among all calls below COMMAND")
	}
	memo := &exec.Memo{Store: o.store, Stats: o.stats, Digests: o.digests, Runner: runner, Warn: ui.warn, Observer: o.observer(s, q, false)}
	// Until a program runs, a signal ends us as it ends any process.
	stop := func() error { return nil }
	memo.Watch = func(ctx context.Context) context.Context {
		ctx, stop = watchSignals(ctx, runner)
		return ctx
	}
	if q.Repeat.Converge || q.Repeat.Samples > 0 {
		memo.Progress = ui.progress(q)
		defer ui.endProgress()
	}
	o.keepOutputs(q.Args, outputs...)
	a, err = memo.Answer(context.Background(), q)
	return a, stop(), err
}

// explainAnswer says, for --verbose, where a number comes from.
func explainAnswer(ui *terminal, a exec.Answer) {
	switch {
	case a.Cached && a.Waited:
		ui.message(fmt.Sprintf("hit, after a wait for another process; %s saved", duration(a.Seconds)), "")
	case a.Cached:
		ui.message(fmt.Sprintf("hit; %s saved", duration(a.Seconds)), "")
	case a.Unstored != "":
		ui.message(fmt.Sprintf("miss; %s spent; not stored: %s", duration(a.Seconds), a.Unstored), "")
	default:
		ui.message(fmt.Sprintf("miss; %s spent", duration(a.Seconds)), "")
	}
	if a.Count > 1 {
		stable := "stable"
		if !a.Stable {
			stable = "not stable yet"
		}
		ui.message(fmt.Sprintf("mean of %d samples, standard error %s: %s", a.Count, spreadText(a.Moments, a.Stderr()), stable), "")
	}
	if a.Mismatch != nil && !a.Cached {
		ui.message(oneLine(a.Mismatch.String()), "")
	}
	if a.Call == nil {
		return
	}
	ui.message(fmt.Sprintf("key %s in namespace %s", a.Call.Key, a.Namespace), "")
	var ignored, sorted []string
	for _, p := range a.Call.Parts {
		flag := p.Name
		if p.Flag != "" {
			flag = p.Flag + " "
		}
		switch p.Form {
		case key.FormIgnored:
			ignored = append(ignored, flag+p.Hidden)
		case key.FormSorted:
			if list, ok := difference.ListOf(&p); ok {
				sorted = append(sorted, strings.TrimSuffix(flag, p.Name)+list.Brief(messageList))
			} else {
				sorted = append(sorted, flag+p.Whole)
			}
		case key.FormList:
			sorted = append(sorted, fmt.Sprintf("%s(%d arguments)", flag, len(p.Items)))
		}
	}
	for _, group := range []struct {
		what  string
		items []string
	}{{"ignored", ignored}, {"unordered", sorted}, {"tracked", a.Call.Tracked()}} {
		if len(group.items) > 0 {
			ui.message(group.what+": "+strings.Join(group.items, ", "), "")
		}
	}
	tellIdle(ui, a.Call)
}

// tellIdle says which rules had no say in a call, or less than may be meant.
func tellIdle(ui *terminal, c *key.Call) {
	var none []string
	for _, r := range idleRules(c) {
		if r.why == matchesNone {
			none = append(none, "--"+r.rule)
		} else {
			ui.message(oneLine("--"+r.rule+" "+r.why), r.hint)
		}
	}
	if len(none) > 0 {
		ui.message(matchesNone+": "+oneLine(strings.Join(none, ", ")), "")
	}
}
