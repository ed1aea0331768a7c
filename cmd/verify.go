package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/key/difference"
	"dvlcache/cache/key/launch"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
	"dvlcache/exec/verify"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	selection
	sample    int
	jobs      int
	tolerance float64
	repair    string
	trust     bool
	quiet     bool
}

func newVerify(ui *terminal) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [flags]",
		Short: "Run cached commands again and compare: finds impure utilities",
		Long: `Run cached commands again, as they were called and where they were, and compare
their numbers with the stored ones. A number may be cached if its program gives
the same one each time; those that don't are listed, and verify ends with status
1. Means (of --repeat) are left out, and calls whose program, files or inputs
changed since, and commands that were imported, which are somebody's code: --trust runs
those as well.`,
		Example: `  dvlcache verify --sample 50 --namespace mnist
  dvlcache verify --program train.sh --repair replace --jobs 4`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			switch {
			case !slices.Contains([]string{"", "replace", "remove"}, f.repair):
				return usage(fmt.Errorf("--repair: %q is none of replace, remove", f.repair), "")
			case f.sample < 0:
				return usage(fmt.Errorf("--sample: %d is less than none", f.sample), "")
			case f.jobs < 1:
				return usage(fmt.Errorf("--jobs: %d is no number of programs from 1 on", f.jobs), "")
			case !(f.tolerance >= 0):
				return usage(fmt.Errorf("--tolerance: %v is no number from 0 on", f.tolerance), "")
			}
			f.set(cmd, s)
			return runVerify(ui, s, origins, f)
		},
	}
	addSettings(cmd, only(config.RunSettings, "timeout", "grace", "keep-output", "verbose"), listSettings())
	namespaceMeans(cmd, "this namespace alone (default: all)")
	addSelection(cmd, &f.selection)
	flags := cmd.Flags()
	flags.Lookup("verbose").Usage = "say on stderr what came of each entry, and why it was not run"
	flags.IntVar(&f.sample, "sample", 0, "`N` of them, chosen at random (0: all)")
	flags.IntVar(&f.jobs, "jobs", runtime.NumCPU(), "run `N` programs at a time")
	flags.Float64Var(&f.tolerance, "tolerance", 0, "a number within `X` of the stored one, or within X times that, is the same")
	flags.StringVar(&f.repair, "repair", "", "`replace|remove`: put the new number in the place of one that differs, or forget it")
	flags.BoolVar(&f.trust, "trust", false, "run commands that were imported, too")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	complete(cmd, "repair", "replace", "remove")
	return cmd
}

// How verify ends where not all is well.
var (
	errImpure     = errors.New("numbers differ")
	errUnverified = errors.New("programs failed, so their numbers are not verified")
)

// candidate is an entry to verify, in the directory where it was called.
type candidate struct {
	dir string
	id  cache.ID
}

// candidates chooses entries, and sorts them by directory, since there is one
// working directory at a time.
func (f *verifyFlags) candidates(ctx context.Context, store cache.Store) (all []candidate, bad int, err error) {
	dirs := map[string]string{}
	seen := 0
	bad, err = f.each(ctx, store, func(id cache.ID, e *cache.Entry) error {
		c := candidate{id: id}
		if command := e.Command(); command != nil {
			if _, ok := dirs[command.Dir]; !ok {
				dirs[command.Dir] = command.Dir // one string for all
			}
			c.dir = dirs[command.Dir]
		}
		if seen++; f.sample == 0 || len(all) < f.sample {
			all = append(all, c)
		} else if at := rand.IntN(seen); at < f.sample { // each as likely as the others
			all[at] = c
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.dir, b.dir) })
	return all, bad, err
}

func runVerify(ui *terminal, s *config.Settings, origins []config.Origin, f verifyFlags) error {
	// The working directory changes, and the cache stays where it is.
	if s.Dir != "" {
		var err error
		if s.Dir, err = filepath.Abs(s.Dir); err != nil {
			return err
		}
	}
	o, err := openExisting(ui, s)
	if err != nil {
		return err
	}
	defer o.close()
	reader, err := listerOf(o.store)
	if err != nil {
		return err
	}
	runner := &process.Runner{Stderr: os.Stderr, Grace: s.Grace}
	ctx, stop := watchSignals(context.Background(), runner)
	all, bad, err := f.candidates(ctx, o.store)
	if err != nil {
		return errors.Join(err, stop())
	}
	warnBad(ui, bad)
	if len(all) == 0 && f.given() {
		ui.message("no entry meets the conditions", "'dvlcache list' shows what there is")
	}
	made := &placeholder.Folder{}
	defer made.Close()
	v := &verification{
		ui: ui, out: impatient(ctx, os.Stdout), flags: f, settings: s, origins: origins, reader: reader,
		Verifier: verify.Verifier{Memo: &exec.Memo{Store: o.store, Digests: o.digests, Runner: runner, Warn: ui.warn, Made: made},
			Tolerance: f.tolerance, Trust: f.trust, Leave: ownFolders(s), Safe: s.SafeDirectory},
		progress: ui.batchProgress("auto", f.quiet, nil),
		state:    exec.BatchState{Read: int64(len(all))},
		tally:    map[verify.Verdict]int{},
	}
	for group := range byDirectory(all) {
		if ctx.Err() != nil {
			break
		}
		if err := verify.InDirectory(group[0].dir); err != nil && group[0].dir != "" {
			if s.Verbose {
				ui.message(fmt.Sprintf("%s left out: %v", entries(len(group)), err), "")
			}
			v.note(func() { v.state.Done += int64(len(group)); v.tally[verify.Changed] += len(group) })
			continue
		}
		v.Memo.Observer = o.observer(s, exec.Query{Reads: exec.ReadsAuto}, false)
		v.group(ctx, group)
	}
	ui.endProgress()
	if err := stop(); err != nil {
		return err
	}
	err = writeResult(tallyText(v.tally, v.gone, v.repaired, f.repair)+"\n", "")
	switch {
	case v.failure != nil:
		return v.failure
	case err != nil:
		return err
	case v.tally[verify.Differs] > 0:
		return errImpure
	case v.tally[verify.Failed] > 0:
		return errUnverified
	}
	return nil
}

// verification is a verify that runs.
type verification struct {
	verify.Verifier
	ui       *terminal
	out      io.Writer // stdout
	flags    verifyFlags
	settings *config.Settings
	origins  []config.Origin
	reader   cache.Reader
	progress func(exec.BatchState)

	mu       sync.Mutex // over all that follows, and stdout
	state    exec.BatchState
	tally    map[verify.Verdict]int
	repaired int
	gone     int // meanwhile
	failure  error
}

// note makes a change, and shows how the verification gets on.
func (v *verification) note(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	if v.progress != nil {
		v.progress(v.state)
	}
}

// group verifies candidates of the working directory, several at a time.
func (v *verification) group(ctx context.Context, group []candidate) {
	work := make(chan candidate)
	var workers sync.WaitGroup
	for range min(v.flags.jobs, len(group)) {
		workers.Go(func() {
			for c := range work {
				v.verify(ctx, c.id)
			}
		})
	}
	for _, c := range group {
		if ctx.Err() != nil {
			break
		}
		work <- c
	}
	close(work)
	workers.Wait()
}

// verify verifies one entry, repairs it if that is asked for, and tells of it.
func (v *verification) verify(ctx context.Context, id cache.ID) {
	e, gen, err := v.reader.Peek(ctx, id)
	if err != nil || e == nil {
		v.note(func() { v.state.Done++; v.gone++ })
		return
	}
	v.note(func() { v.state.Running++ })
	one, s := v.Verifier, v.settings
	if args := e.Args(); len(args) > 0 && len(s.Programs) > 0 {
		s, _ = s.For(v.origins, launch.ProgramNames(args)...)
	}
	one.Timeout = s.Timeout
	r := one.Verify(ctx, id, e, gen)
	if ctx.Err() != nil {
		return
	}
	if r.Verdict == verify.Differs {
		switch v.flags.repair {
		case "replace":
			err = v.Replace(ctx, r, int(s.KeepOutput))
		case "remove":
			_, err = v.Memo.Store.Delete(ctx, id)
		}
	}
	v.note(func() {
		v.state.Running--
		v.state.Done++
		v.state.Evaluated++
		v.tally[r.Verdict]++
		switch {
		case r.Verdict == verify.Differs:
			v.state.Failed++
			v.ui.endProgress()
			if _, wrong := io.WriteString(v.out, differsText(id.Key.String(), r, widthOf(os.Stdout))); wrong != nil && v.failure == nil {
				v.failure = fmt.Errorf("the result can't be written: %w", wrong)
			}
			if errors.Is(err, cache.ErrSuperseded) {
				v.ui.message(fmt.Sprintf("%.12s was cleared or refreshed meanwhile, and is left as it is", id.Key), "")
				err = nil
			} else if err == nil && v.flags.repair != "" {
				v.repaired++
			}
		case r.Verdict == verify.Failed:
			v.ui.message(fmt.Sprintf("%.12s: %s: %s", id.Key, r.Reason, commandText(r.Command)), "", printed("", r.Err)...)
		case v.settings.Verbose && r.Verdict == verify.Same:
			v.ui.message(fmt.Sprintf("%.12s: the same: %s", id.Key, commandText(r.Command)), "")
		case v.settings.Verbose && r.Verdict != verify.Differs:
			v.ui.message(fmt.Sprintf("%.12s: left out: %s: %s", id.Key, r.Reason, commandText(r.Command)), "")
		}
		if err != nil && v.failure == nil {
			v.failure = err
		}
	})
}

// differsText is the line of a number that differs: separated by tabs, or as wide
// as the terminal, where it is the command that is cut.
func differsText(key string, r verify.Verified, width int) string {
	blank := "\t"
	if width > 0 {
		blank = "  "
	}
	text := strings.Join([]string{key[:12], oneLine(r.Extraction), fmt.Sprintf("stored %s, now %s", r.Stored, r.Now), ""}, blank)
	command := command{text: commandText(r.Command)}
	if width == 0 {
		return text + command.text + "\n"
	}
	if r.Command.Args != nil {
		command.words = difference.Words(r.Command.Args)
	}
	return text + command.fit(width-columns(text)) + "\n"
}

// byDirectory yields runs of candidates of one directory.
func byDirectory(all []candidate) func(yield func([]candidate) bool) {
	return func(yield func([]candidate) bool) {
		for len(all) > 0 {
			n := 1
			for n < len(all) && all[n].dir == all[0].dir {
				n++
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// tallyText counts verdicts in words, a line for each kind.
func tallyText(tally map[verify.Verdict]int, gone, repaired int, repair string) string {
	ran := tally[verify.Same] + tally[verify.Differs] + tally[verify.Failed]
	parts := []string{fmt.Sprintf("%d run: %d the same, %d differ", ran, tally[verify.Same], tally[verify.Differs])}
	for _, p := range []struct {
		verdict verify.Verdict
		text    string
	}{
		{verify.Failed, "failed"},
		{verify.Changed, "not run: program or files changed since"},
		{verify.Averaged, "not run: averaged"},
		{verify.Foreign, "not run: imported (--trust runs them)"},
		{verify.Unknown, "not run: command, stdin or a large subset not recorded"},
	} {
		if n := tally[p.verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.text))
		}
	}
	if gone > 0 {
		parts = append(parts, fmt.Sprintf("%d gone meanwhile", gone))
	}
	if repaired > 0 {
		parts = append(parts, fmt.Sprintf("%d %sd", repaired, repair))
	}
	return strings.Join(parts, "\n")
}
