package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/config"
	"dvlcache/exec"
)

func newClear(ui *terminal) *cobra.Command {
	var all, yes, stdin bool
	cmd := &cobra.Command{
		Use:   "clear [flags] [-- COMMAND [ARG...]]",
		Short: "Forget a namespace, everything, or one call",
		Long: `Forget a namespace (the one that --namespace or the settings name), everything
(--all), or one call, given with the flags it is run with. Evaluations that are
under way finish, and their numbers are not stored. The disk space is given
back. A --namespace that there never was is an error; one that a variable or a file of
settings names is not, since a script may clear what it is about to fill.`,
		Example: `  dvlcache clear --namespace mnist
  dvlcache clear --unordered indices -- ./train.sh --indices 1,4,7
  dvlcache clear --all --yes`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				if all {
					return usage(errors.New("--all and a COMMAND are given"), "leave one of them out")
				}
				return commandAfterDash(cmd, args)
			}
			if len(args) > 0 {
				return usage(errNoCommand, fmt.Sprintf("dvlcache clear -- %s ..., or --namespace NAME", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			if all && cmd.Flags().Changed("namespace") {
				return usage(errors.New("--all and --namespace are given"), "leave one of them out")
			}
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			if len(args) > 0 {
				q, _, _, err := query(s, origins, args)
				if err != nil {
					return err
				}
				if stdin {
					if q.Stdin, err = exec.ReadInput(os.Stdin); err != nil {
						return fmt.Errorf("stdin: %w", err)
					}
					defer q.Stdin.Close()
				}
				return clearCall(o, q)
			}
			if !all && isGiven(origins, "namespace") {
				like, err := o.checkNamespace(context.Background(), s.Namespace)
				if err != nil && cmd.Flags().Changed("namespace") {
					return err
				} else if like != "" {
					// A script's own, which it clears before it first stores anything,
					// must not end it.
					ui.message(err.Error(), meaningOf(err).hint)
				}
			}
			return clearMany(ui, s, o, all, yes)
		},
	}
	addSettings(cmd, config.KeySettings, config.StoreSettings, config.RunSettings, config.RepeatSettings)
	for _, s := range slices.Concat(config.RunSettings, config.RepeatSettings) {
		hide(cmd, s.Name) // a call's, that make no difference to its key
	}
	cmd.Flags().String("output", "", "of run")
	cmd.Flags().String("depfile", "", "of run")
	hide(cmd, "strict", "output", "depfile")
	cmd.Flags().BoolVar(&all, "all", false, "forget everything")
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask (only on a terminal it is asked)")
	cmd.Flags().BoolVar(&stdin, "stdin", false, "what stdin holds counts")
	return cmd
}

// isGiven is whether a setting is another than the default, or given as such.
func isGiven(origins []config.Origin, name string) bool {
	return slices.ContainsFunc(origins, func(o config.Origin) bool { return o.Setting.Name == name && o.From != "default" })
}

// clearMany forgets a namespace, or all, if the user agrees.
func clearMany(ui *terminal, s *config.Settings, o opened, all, yes bool) (err error) {
	what := "namespace " + s.Namespace
	if all {
		what = "all namespaces"
	}
	if !yes && !ui.confirm("forget all entries of "+what+"?") {
		ui.message("nothing was cleared", "")
		return nil
	}
	store, ok := o.store.(cache.Clearer)
	if !ok {
		return fmt.Errorf("the %s backend can't be cleared", s.Backend)
	}
	var n int
	if all {
		n, err = store.ClearAll(context.Background())
	} else {
		n, err = store.Clear(context.Background(), s.Namespace)
	}
	var compact *bolt.CompactError
	if err != nil && !errors.As(err, &compact) {
		return err
	}
	if compact != nil {
		ui.warn(compact.Error(), "")
	}
	return writeResult(fmt.Sprintf("%s cleared: %s\n", entries(n), oneLine(what)), "")
}

// clearCall forgets one call.
func clearCall(o opened, q exec.Query) error {
	ctx := context.Background()
	id, err := exec.Identify(ctx, q, o.digests)
	if err != nil {
		return err
	}
	had, err := o.store.Delete(ctx, id)
	if err != nil {
		return err
	}
	n, where := 1, ""
	if !had {
		n, where = 0, ", which is not in namespace "+id.Namespace
	}
	return writeResult(fmt.Sprintf("%s cleared: %s%s\n", entries(n), wordsText(q.Args), oneLine(where)), "")
}

// entries counts entries in words; -1 are unknown.
func entries(n int) string {
	if n == -1 {
		return "entries (memcached can't count them)"
	}
	return plural(n, "entry")
}
