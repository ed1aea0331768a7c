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
)

func newPrune(ui *terminal) *cobra.Command {
	var (
		sel         selection
		most        int
		dryRun, yes bool
	)
	cmd := &cobra.Command{
		Use:   "prune [flags]",
		Short: "Drop entries by age, size or command",
		Long: `Drop the entries that all of the given conditions hold for, and, with
--max-entries, of those that are left the ones evaluated longest ago. The disk
space is given back. Without --namespace, in all of them. To forget numbers that
are wrong, use clear: an evaluation that is under way may store its number in
spite of prune.`,
		Example: `  dvlcache prune --older-than 30d --dry-run
  dvlcache prune --program old.sh
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
			case !sel.given() && !limited:
				return usage(errors.New("there is no condition, and prune doesn't drop all"), "--older-than, --larger-than, --command, --program, --max-entries; or dvlcache clear")
			}
			sel.set(cmd, s)
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			pruner, ok := o.store.(cache.Pruner)
			if !ok {
				_, err := listerOf(o.store)
				return err
			}
			ids, bad, err := toDrop(o.store, &sel, limited, most)
			if err != nil {
				return err
			}
			warnBad(ui, bad)
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
	flags.IntVar(&most, "max-entries", 0, "keep `N` of them, the latest")
	flags.BoolVar(&dryRun, "dry-run", false, "say how many, and drop none")
	flags.BoolVar(&yes, "yes", false, "don't ask (only on a terminal it is asked)")
	return cmd
}

// toDrop finds the entries that the conditions hold for, and, of the others, the
// oldest beyond most; and when they were last evaluated.
func toDrop(store cache.Store, sel *selection, limited bool, most int) (ids map[cache.ID]int64, bad int, err error) {
	ids = map[cache.ID]int64{}
	type dated struct {
		id cache.ID
		at int64
	}
	var others []dated
	all := selection{namespace: sel.namespace}
	bad, err = all.each(context.Background(), store, func(id cache.ID, e *cache.Entry) error {
		switch {
		case sel.given() && sel.accepts(e):
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
