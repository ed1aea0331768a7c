package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"

	"dvlcache/cmd/internal/report"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/valuation"
)

// reporter writes the report of a valuation, for which it asks removal curves.
type reporter struct {
	file     string
	steps    int    // of the removal curves; 0: there are none
	knownBad []bool // by player; nil: nobody said
	settings [][2]string
	out      io.Writer
	finish   func(good bool) error
}

// reporter is what the flags ask for; nil if that is no report.
func (f *valueFlags) reporter(changed func(flag string) bool, p *players) (*reporter, error) {
	for _, flag := range []string{"removal-curve", "known-bad"} {
		if f.report == "" && changed(flag) {
			return nil, usage(fmt.Errorf("--%s is given, and there is no report to draw it in", flag), "--report FILE.html")
		}
	}
	switch {
	case f.report == "":
		return nil, nil
	case f.report == f.output:
		return nil, usage(fmt.Errorf("--output and --report name one file, %s", f.output), "")
	case changed("removal-curve") && f.removal < 2:
		return nil, usage(fmt.Errorf("--removal-curve: %d is no number of steps", f.removal), "--removal-curve 10, or another number from 2 on")
	}
	r := &reporter{file: f.report, steps: f.removal}
	if f.knownBad == "" {
		return r, nil
	}
	names, err := readNames("--known-bad "+f.knownBad, f.knownBad)
	if err != nil {
		return nil, err
	}
	player := map[string]int{}
	for i, name := range p.names {
		player[name] = i
	}
	r.knownBad = make([]bool, len(p.names))
	for _, name := range names {
		i, ok := player[name]
		if !ok {
			return nil, usage(fmt.Errorf("--known-bad %s: %q is no %s", f.knownBad, name, p.noun()), "each line is a "+p.noun()+" as the column point has it")
		}
		r.knownBad[i] = true
	}
	return r, nil
}

// noun is what a player is.
func (p *players) noun() string {
	if p.members != nil {
		return "group"
	}
	return "point"
}

// create makes the file, which is there whole or not at all; close ends it. It returns
// the names of what is written. On nil it makes nothing.
func (r *reporter) create() (names []string, err error) {
	if r == nil {
		return nil, nil
	}
	if r.out, r.finish, err = createWhole("report", r.file); err != nil {
		return nil, err
	}
	names = []string{r.file}
	if file, ok := r.out.(*os.File); ok {
		names = append(names, file.Name())
	}
	return names, nil
}

func (r *reporter) close(good bool) error {
	if r == nil || r.finish == nil {
		return nil
	}
	return r.finish(good)
}

// subsets is how many are asked for the removal curves of n players.
func (r *reporter) subsets(n int) int {
	if r == nil || r.steps == 0 {
		return 0
	}
	return valuation.RemovalSubsets(n, r.steps)
}

// write asks the removal curves, draws the report of what was found, and writes it. took
// tells for how many seconds all has lasted.
func (r *reporter) write(ctx context.Context, ui *terminal, found *valued, took func() float64) error {
	page := &report.Report{Result: found.Result, Names: found.players.names, Player: found.players.noun(), Limit: found.limit, Noise: found.noisy,
		Command: commandLine(os.Args[1:]), Settings: r.settings, Version: version(), KnownBad: r.knownBad}
	a := found.asker
	values := a.asked
	if r.steps > 0 {
		curves := valuation.NewRemoval(found.Result, r.steps)
		first := len(a.given)
		err := a.ask(ctx, curves.Pending(), curves.Subset, func(i int, value, _ float64) { curves.Answer(i, value) })
		ui.endProgress()
		if err == nil && a.waited {
			err = a.hold(ctx, a.given[first:], curves.Subset)
		}
		switch {
		case errors.Is(err, exec.ErrHalted):
			page.NoRemoval = "time was up before all their subsets were answered"
		case err != nil:
			return err
		default:
			page.Removal = curves
		}
	}
	page.Run = [][2]string{
		{"subsets answered for the values", fmt.Sprint(values)},
		{"and for the removal curves", fmt.Sprint(a.asked - values)},
		{"of these from the cache", fmt.Sprint(a.hits)},
		{"evaluated", fmt.Sprint(a.evaluated)},
		{"time it took", duration(took())},
		{"time saved: what the cached ones took", duration(a.saved)},
	}
	if r.steps == 0 {
		page.Run = slices.Delete(page.Run, 1, 2)
	}
	if _, err := r.out.Write(page.HTML()); err != nil {
		return fmt.Errorf("the report can't be written: %w", err)
	}
	return nil
}

// placeholding is a word that a shell leaves as it is, though it has braces.
var placeholding = regexp.MustCompile(`^[\w@%+=:,./-]*\{[a-z]*(:file)?(\.\.\.)?\}$`)

// commandLine is a command line of ours as one types it.
func commandLine(args []string) string {
	words := []string{"dvlcache"}
	for _, arg := range args {
		if !placeholding.MatchString(arg) {
			arg = shellquote.Join(arg)
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// besides are the settings of a command that neither its line nor the defaults give: what
// they are, and where they come from, without the places of files.
func besides(origins []config.Origin) (all [][2]string) {
	of := slices.Concat(config.KeySettings, config.RunSettings, config.RepeatSettings)
	for _, o := range origins {
		from := strings.Split(o.From, "; ") // a list may have several
		if last := from[len(from)-1]; last == "default" || strings.HasPrefix(last, "flag ") || !slices.Contains(of, o.Setting) {
			continue
		}
		for i := range from {
			if !strings.HasPrefix(from[i], "environment ") {
				from[i] = filepath.Base(from[i])
			}
		}
		all = append(all, [2]string{o.Setting.Name, o.Value + " (" + strings.Join(from, "; ") + ")"})
	}
	return all
}
