// Package cmd is the command line: from flags to a request, and from its
// answer to what is printed. No other package prints.
package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dvlcache/config"
)

// Main runs dvlcache with the given arguments and returns its exit status. It
// does not return where a signal has ended it.
func Main(args []string) int {
	growStack(len(args))
	ui := &terminal{}
	keepIgnored()
	err := errors.Join(execute(newRoot(ui, args), args), ui.unwritten)
	ui.report(err)
	raise(err)
	return meaningOf(err).status
}

// growStack makes the stack as large as a hit needs it, while there is little on it.
// As it grows by itself it is copied three times, the last time with all callers on
// it, each of which is looked up in tables that have to be read in first: a twentieth
// of a hit.
//
//go:noinline
func growStack(n int) byte {
	var room [14 << 10]byte
	return room[n%len(room)]
}

// Root is the command line without anything to do, for who documents it.
func Root() *cobra.Command { return newRoot(&terminal{}, nil) }

func execute(root *cobra.Command, args []string) error {
	root.SetArgs(args)
	return root.Execute()
}

// newRoot makes the commands that args may call.
func newRoot(ui *terminal, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "dvlcache",
		Short: "Remember what a program printed for each subset of the data",
		Long: `dvlcache remembers the number that a program printed, keyed on the program and
its arguments, so that no subset is evaluated twice:

  dvlcache run -- ./train.sh --indices 1,4,7

Each setting that dvlcache config lists is a flag, or set in the environment
(--time-threshold is DVLCACHE_TIME_THRESHOLD), in dvlcache.yaml in this folder or
one above, or in dvlcache/config.yaml in the user's configuration directory;
config shows which counts. The cache lies in DVLCACHE_DIR, by default dvlcache in
the user's cache directory.

Exit statuses are COMMAND's own, or: 1 lines of a batch or subsets of value failed,
verify or check found something; 3 not cached (--only-cached); 64 wrong usage; 65 COMMAND printed no
number; 124 it timed out; 125 dvlcache failed; 126 COMMAND can't be executed; 127 it
is not there; 128+N it was ended by signal N.`,
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
					return usage(fmt.Errorf("there is no command %q", args[0]), "did you mean "+strings.Join(like, " or ")+"?")
				}
				return usage(fmt.Errorf("there is no command %q", args[0]), "'dvlcache help' lists the commands; to answer a program's call, use dvlcache run -- "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	setHelp(root, &ui.unwritten)
	root.SetFlagErrorFunc(flagError)
	if len(args) > 0 && args[0] == "run" {
		// A hit doesn't wait for commands to be made that aren't called.
		root.AddCommand(newRun(ui))
		root.CompletionOptions.DisableDefaultCmd = true
		return root
	}
	root.Version = version()
	root.AddCommand(newRun(ui), newBatch(ui), newValue(ui), newSession(ui), newExplain(ui), newList(ui), newShow(ui), newVerify(ui),
		newStats(ui), newClear(ui), newPrune(ui), newExport(ui), newImport(ui), newCheck(ui), newCompact(ui), newConfig(ui), newVersion())
	for _, cmd := range root.Commands() {
		completeRest(cmd)
	}
	addCompletion(root)
	addHelp(root)
	return root
}

// flagError puts an error of pflag's into our words.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("'%s --help' lists the flags", cmd.CommandPath())
	if strings.Contains(cmd.Use, "COMMAND") {
		hint += "; those of COMMAND come after it"
	}
	var none *pflag.NotExistError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &wrong):
		reason := wrong.Unwrap()
		var number *strconv.NumError
		if errors.As(reason, &number) {
			kind := map[string]string{"int": "no whole number", "uint64": "no whole number from 0 on", "float64": "no number", "bool": "neither true nor false"}[wrong.GetFlag().Value.Type()]
			reason = fmt.Errorf("%q is %s", wrong.GetValue(), kind)
		}
		return usage(fmt.Errorf("--%s: %w", wrong.GetFlag().Name, reason), "")
	case errors.As(err, &none):
		name := none.GetSpecifiedName()
		if slices.ContainsFunc(config.All(), func(s *config.Setting) bool { return s.Name == name }) {
			return usage(fmt.Errorf("%s has no use for --%s", cmd.CommandPath(), name), hint)
		}
		var flags []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				flags = append(flags, f.Name)
			}
		})
		if like := config.Nearest(name, flags); like != "" {
			hint = "did you mean --" + like + "?"
		}
	}
	return usage(err, hint)
}

// usageError is a wrong command line, or a wrong setting anywhere.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(err error, hint string) error { return &usageError{err, hint} }

var errNoCommand = errors.New("there is no -- before COMMAND")

// commandAfterDash checks that a command line has "--" and then COMMAND.
func commandAfterDash(cmd *cobra.Command, args []string) error {
	switch at := cmd.ArgsLenAtDash(); {
	case at == 0 && len(args) > 0 && args[0] != "":
		return nil
	case at == 0 || len(args) == 0:
		return usage(errors.New("there is no COMMAND"), fmt.Sprintf("%s [flags] -- COMMAND [ARG...]", cmd.CommandPath()))
	case cmd.Flags().Changed("repeat") && isCount(args[0]):
		return usage(fmt.Errorf("--repeat %s: a number of samples needs a sign", args[0]), "--repeat="+args[0])
	default:
		return usage(errNoCommand, fmt.Sprintf("%s [flags] -- %s ...", cmd.CommandPath(), args[0]))
	}
}

func isCount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes no arguments, but %q is given", cmd.CommandPath(), args[0]), "")
	}
	return nil
}
