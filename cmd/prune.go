package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/key/recorded"
)

func newPrune(ui *terminal) *cobra.Command {
	var (
		sel         selection
		most        int
		stale       bool
		dryRun, yes bool
	)
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Drop entries by age, size or command",
		Long: `Drop the entries that all of the given conditions hold for, and, with
--max-entries, of those that are left the ones evaluated longest ago. The disk
space is given back. Without --namespace, in all of them. To forget numbers that
are wrong, use clear: an evaluation that is under way may store its number in
spite of prune.

--stale drops what an edit has overtaken: the program, a script behind it, or a file
that an argument or --depends-on names, has other contents now, so that nothing asks
for the number unless they come back. Files are compared where they were; what is gone
or can't be read, what was imported, and what other checkouts share is kept, and so are
numbers under other states of what was only read, of which each call keeps 8.`,
		Example: `  dvlcache prune --older-than 30d --dry-run
  dvlcache prune --program old.sh
  dvlcache prune --stale --older-than 1w
  dvlcache prune --max-entries 100000 --yes`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(ui, cmd)
			if err != nil {
				return err
			}
			limited := cmd.Flags().Changed("max-entries")
			switch {
			case most < 0:
				return usage(fmt.Errorf("--max-entries: %d is less than none", most), "")
			case cmd.Flags().Changed("command") && sel.command == "", cmd.Flags().Changed("program") && sel.program == "":
				return usage(errors.New("--command or --program is given and empty, which would hold for all"), "leave it out if that is meant")
			case !sel.given() && !limited && !stale:
				return usage(errors.New("there is no condition, and prune doesn't drop all"), "--stale, --older-than, --larger-than, --command, --program, --max-entries; or dvlcache clear")
			}
			sel.set(cmd, s)
			o, err := openWith(ui, s, key.ReadDigests)
			if err != nil {
				return err
			}
			defer o.close()
			pruner, ok := o.store.(cache.Pruner)
			if !ok {
				_, err := listerOf(o.store)
				return err
			}
			which := func(e *cache.Entry) bool { return sel.given() && sel.accepts(e) }
			var now *overtaken
			if stale {
				now = &overtaken{present: recorded.NewPresent(o.digests), by: map[string]int{}}
				which = func(e *cache.Entry) bool { return sel.accepts(e) && now.has(e) }
			}
			ids, bad, err := toDrop(o.store, sel.namespace, which, limited, most)
			if err != nil {
				return err
			}
			warnBad(ui, bad)
			now.tell(ui)
			if dryRun {
				return writeResult(fmt.Sprintf("%s would be dropped\n", entries(len(ids))), "")
			}
			if len(ids) > 0 && !yes && !ui.confirm("drop "+entries(len(ids))+"?") {
				ui.message("nothing was dropped", "")
				return nil
			}
			n := 0
			if len(ids) > 0 {
				// What was evaluated since then isn't old any more.
				all := slices.Collect(maps.Keys(ids))
				n, err = pruner.Drop(context.Background(), all, func(id cache.ID, e *cache.Entry) bool {
					return e.Latest().Unix() == ids[id]
				})
			}
			var compact *bolt.CompactError
			if errors.As(err, &compact) {
				ui.warn(compact.Error(), "")
			} else if err != nil {
				return err
			}
			return writeResult(fmt.Sprintf("%s dropped\n", entries(n)), "")
		},
	}
	addSettings(cmd, listSettings())
	namespaceMeans(cmd, "this namespace alone (default: all)")
	addSelection(cmd, &sel)
	flags := cmd.Flags()
	flags.BoolVar(&stale, "stale", false, "those of a program or file that has other contents now")
	flags.IntVar(&most, "max-entries", 0, "keep `N` of them, the latest")
	flags.BoolVar(&dryRun, "dry-run", false, "say how many, and drop none")
	flags.BoolVar(&yes, "yes", false, "don't ask (only on a terminal it is asked)")
	return cmd
}

// overtaken counts entries of files that are others now.
type overtaken struct {
	present *recorded.Present
	by      map[string]int // by the file
	unknown int            // of which that can't be known
}

func (o *overtaken) has(e *cache.Entry) bool {
	path, known := o.present.Overtaken(context.Background(), e.Command())
	if !known {
		o.unknown++
	} else if path != "" {
		o.by[path]++
	}
	return path != ""
}

// mostTold is how many files are told of.
const mostTold = 10

// tell says which files are others now. o may be nil.
func (o *overtaken) tell(ui *terminal) {
	if o == nil {
		return
	}
	paths := slices.Sorted(maps.Keys(o.by))
	for i, path := range paths {
		if i == mostTold {
			ui.message(fmt.Sprintf("… and %s more", plural(len(paths)-i, "file")), "")
			break
		}
		ui.message(fmt.Sprintf("%s has other contents now: %s", path, entries(o.by[path])), "")
	}
	if o.unknown > 0 {
		ui.message(fmt.Sprintf("%s kept: imported, shared by checkouts (--paths), or of a command that isn't recorded", entries(o.unknown)), "")
	}
}

// toDrop finds the entries that the conditions hold for, and, of the others, the
// oldest beyond most; and when they were last evaluated.
func toDrop(store cache.Store, namespace *string, which func(*cache.Entry) bool, limited bool, most int) (ids map[cache.ID]int64, bad int, err error) {
	ids = map[cache.ID]int64{}
	type dated struct {
		id cache.ID
		at int64
	}
	var others []dated
	all := selection{namespace: namespace}
	bad, err = all.each(context.Background(), store, func(id cache.ID, e *cache.Entry) error {
		switch {
		case which(e):
			ids[id] = e.Latest().Unix()
		case limited:
			others = append(others, dated{id, e.Latest().Unix()})
		}
		return nil
	})
	if extra := len(others) - most; limited && extra > 0 {
		slices.SortStableFunc(others, func(a, b dated) int { return cmp.Compare(a.at, b.at) })
		for _, o := range others[:extra] {
			ids[o.id] = o.at
		}
	}
	return ids, bad, err
}
