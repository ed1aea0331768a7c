package cmd

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/exec/number"
)

func newExport(ui *terminal) *cobra.Command {
	var (
		sel            selection
		format, output string
	)
	cmd := &cobra.Command{
		Use:   "export [flags]",
		Short: "Print entries, as JSON Lines for import, or as CSV",
		Long: `Print entries in the order of namespaces and keys: as JSON Lines, with all that
import needs, or as CSV, a line for each number, for R and pandas: the program and
each of its flags have a column. Without --namespace, those of all.`,
		Example: `  dvlcache export --output cache.jsonl
  dvlcache export --format csv --namespace mnist | Rscript analyse.R`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(ui, cmd)
			if err != nil {
				return err
			}
			if format != "json" && format != "csv" {
				return usage(fmt.Errorf("--format: %q is none of json, csv", format), "")
			}
			sel.set(cmd, s)
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			out := io.Writer(os.Stdout)
			finish := func(bool) error { return nil }
			if output != "" {
				if out, finish, err = createGuarded(output); err != nil {
					return err
				}
			}
			bad, err := exportTo(ui, out, o.store, &sel, format)
			if err := errors.Join(err, finish(err == nil)); err != nil {
				return err
			}
			warnBad(ui, bad)
			return nil
		},
	}
	addSettings(cmd, listSettings())
	namespaceMeans(cmd, "this namespace alone (default: all)")
	addSelection(cmd, &sel)
	cmd.Flags().StringVar(&format, "format", "json", "`json|csv`: JSON Lines or CSV")
	cmd.Flags().Var(pathFlag{&output}, "output", "write to `FILE` instead of stdout, whole or not at all")
	complete(cmd, "format", "json", "csv")
	return cmd
}

func exportTo(ui *terminal, out io.Writer, store cache.Store, sel *selection, format string) (bad int, err error) {
	w := bufio.NewWriterSize(out, 1<<16)
	table := csv.NewWriter(w)
	columns := flagColumns{names: map[string]bool{}}
	if format == "csv" {
		// The columns are known when all entries have been looked at, which are too many
		// to keep.
		_, err := sel.each(context.Background(), store, func(_ cache.ID, e *cache.Entry) error {
			if len(e.Series) > 0 {
				columns.collect(e.Command())
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		table.Write(append([]string{"namespace", "key", "extraction", "value", "stderr", "count", "variance", "min", "max", "seconds", "created", "updated", "command", "directory"}, columns.head()...))
	}
	bad, err = sel.each(context.Background(), store, func(id cache.ID, e *cache.Entry) error {
		if format == "csv" {
			for i := range e.Series {
				table.Write(csvRow(id, e, &e.Series[i], &columns))
			}
			return table.Error()
		}
		w.Write(cache.Export(id, e))
		return w.WriteByte('\n')
	})
	if format == "json" && err == nil {
		err = exportLists(w, store, sel)
	}
	table.Flush()
	if err := cmp.Or(table.Error(), w.Flush()); err != nil {
		return bad, fmt.Errorf("the entries can't be written: %w", err)
	}
	if columns.more && err == nil {
		ui.warn("not all flags have a column of their own", fmt.Sprintf("export fewer than %d flags at a time: --program, --namespace; the column command has all", mostFlags))
	}
	return bad, err
}

// exportLists writes the lists of inputs that entries share.
func exportLists(w *bufio.Writer, store cache.Store, sel *selection) error {
	lister, ok := store.(cache.Lister)
	if !ok {
		return nil
	}
	return lister.Each(context.Background(), cache.Range{Namespace: sel.namespace, Lists: true}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
		if e == nil || e.List == nil {
			return nil
		}
		w.Write(cache.Export(id, e))
		return w.WriteByte('\n')
	})
}

func csvRow(id cache.ID, e *cache.Entry, s *cache.Series, columns *flagColumns) []string {
	number := number.Format
	c := e.Command()
	dir := ""
	if c != nil {
		dir = c.Dir
	}
	row := []string{csvCell(oneLine(id.Namespace)), id.Key.String(), csvCell(oneLine(s.Extraction)), number(s.Mean), spreadText(s.Moments, s.Stderr()), strconv.FormatInt(s.Count, 10),
		spreadText(s.Moments, s.Variance()), number(s.Min), number(s.Max), secondsText(s.MeanSeconds()),
		e.Created.UTC().Format(time.RFC3339), e.Latest().UTC().Format(time.RFC3339), csvCell(commandText(c)), csvCell(oneLine(dir))}
	return columns.cells(row, c)
}
