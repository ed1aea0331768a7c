package cmd

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/exec/number"
)

// row is a series in a list.
type row struct {
	id         cache.ID
	entry      *cache.Entry
	series     *cache.Series // nil: there is output alone
	at         time.Time
	seconds    float64
	extraction string
}

// rowsOf are the rows of an entry.
func rowsOf(id cache.ID, e *cache.Entry) (rows []row) {
	for i := range e.Series {
		s := &e.Series[i]
		rows = append(rows, row{id, e, s, e.Latest(), s.MeanSeconds(), s.Extraction})
	}
	if len(rows) == 0 {
		rows = append(rows, row{id: id, entry: e, at: e.Latest(), seconds: e.Output.Seconds})
	}
	return rows
}

// value is the number as it answers; empty if there is none.
func (r *row) value() string {
	switch {
	case r.series == nil:
		return ""
	case r.series.Count == 1 && r.series.Text != "":
		return r.series.Text
	}
	return number.Format(r.series.Mean)
}

func (r *row) mean() float64 {
	if r.series == nil {
		return math.NaN()
	}
	return r.series.Mean
}

// sortKey is what is kept of a row until all are sorted: little.
type sortKey struct {
	number    float64
	key       key.Key
	namespace *string
	series    int
}

func newList(ui *terminal) *cobra.Command {
	var (
		sel      selection
		sortBy   string
		reverse  bool
		limit    int
		asJSON   bool
		min, max float64
	)
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the entries",
		Long: `List the entries: key, value and standard error, number of samples, seconds an
evaluation took, time since the last one, and the command. Without --namespace,
those of all. An entry whose output was read in several ways has several lines.

On a terminal columns are cut to its width; elsewhere they are separated by tabs
and whole.`,
		Example: `  dvlcache list --program train.sh --sort value --limit 10
  dvlcache list --namespace mnist --newer-than 1d --json`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(ui, cmd)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage(fmt.Errorf("--limit: %d is less than none", limit), "")
			}
			numberOf, err := sortNumber(sortBy)
			if err != nil {
				return err
			}
			sel.set(cmd, s)
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			l := newLister(os.Stdout, asJSON, sel.namespace == nil)
			within := func(r *row) bool {
				return (!cmd.Flags().Changed("min-value") || r.mean() >= min) && (!cmd.Flags().Changed("max-value") || r.mean() <= max)
			}
			ctx := context.Background()
			var bad int
			if numberOf == nil {
				bad, err = sel.each(ctx, o.store, func(id cache.ID, e *cache.Entry) error {
					for _, r := range rowsOf(id, e) {
						if !within(&r) {
							continue
						}
						if limit > 0 && l.lines >= limit {
							return errEnough
						}
						l.print(&r)
					}
					return l.err
				})
			} else {
				bad, err = listSorted(ctx, o.store, &sel, numberOf, reverse, limit, within, l)
			}
			if err != nil && !errors.Is(err, errEnough) {
				return err
			}
			if err := l.flush(); err != nil {
				return err
			}
			warnBad(ui, bad)
			return nil
		},
	}
	addSettings(cmd, listSettings())
	namespaceMeans(cmd, "this namespace alone (default: all)")
	addSelection(cmd, &sel)
	flags := cmd.Flags()
	flags.Float64Var(&min, "min-value", 0, "those of value `X` or more")
	flags.Float64Var(&max, "max-value", 0, "those of value `X` or less")
	flags.StringVar(&sortBy, "sort", "", "by `COLUMN`: value, stderr, count, seconds, time or size, the largest or latest first (default: by namespace and key)")
	flags.BoolVar(&reverse, "reverse", false, "the other way round")
	flags.IntVar(&limit, "limit", 0, "at most `N` lines")
	flags.BoolVar(&asJSON, "json", false, "print a JSON object a line")
	complete(cmd, "sort", "value", "stderr", "count", "seconds", "time", "size")
	return cmd
}

var errEnough = errors.New("enough")

// sortNumber returns what a row is sorted by; nil for no order.
func sortNumber(by string) (func(*row) float64, error) {
	of := func(f func(s *cache.Series) float64) func(*row) float64 {
		return func(r *row) float64 {
			if r.series == nil {
				return math.Inf(-1)
			}
			return f(r.series)
		}
	}
	switch by {
	case "":
		return nil, nil
	case "value":
		return of(func(s *cache.Series) float64 { return s.Mean }), nil
	case "stderr":
		return of((*cache.Series).Stderr), nil
	case "count":
		return of(func(s *cache.Series) float64 { return float64(s.Count) }), nil
	case "seconds":
		return func(r *row) float64 { return r.seconds }, nil
	case "time":
		return func(r *row) float64 { return float64(r.at.Unix()) }, nil
	case "size":
		return func(r *row) float64 { return float64(r.entry.Size()) }, nil
	}
	return nil, usage(fmt.Errorf("--sort: %q is none of value, stderr, count, seconds, time, size", by), "")
}

// listSorted keeps what rows are sorted by, and reads the entries again in that
// order: so a million of them take some tens of megabytes.
func listSorted(ctx context.Context, store cache.Store, sel *selection, numberOf func(*row) float64, reverse bool, limit int, within func(*row) bool, l *lister) (bad int, err error) {
	reader, err := listerOf(store)
	if err != nil {
		return 0, err
	}
	var keys []sortKey
	namespace := new(string)
	bad, err = sel.each(ctx, store, func(id cache.ID, e *cache.Entry) error {
		if *namespace != id.Namespace {
			namespace = &id.Namespace
		}
		for i, r := range rowsOf(id, e) {
			if within(&r) {
				keys = append(keys, sortKey{numberOf(&r), id.Key, namespace, i})
			}
		}
		return nil
	})
	if err != nil {
		return bad, err
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		order := cmp.Compare(b.number, a.number)
		if reverse {
			order = -order
		}
		return cmp.Or(order, bytes.Compare(a.key[:], b.key[:]))
	})
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
	}
	const group = 10_000
	for part := range slices.Chunk(keys, group) {
		ids := make([]cache.ID, len(part))
		for i := range part {
			ids[i] = cache.ID{Namespace: *part[i].namespace, Key: part[i].key}
		}
		for i, got := range reader.PeekAll(ctx, ids) {
			if got.Entry == nil {
				continue // it has gone meanwhile
			}
			if rows := rowsOf(ids[i], got.Entry); part[i].series < len(rows) {
				l.print(&rows[part[i].series])
			}
		}
		if l.err != nil {
			return bad, l.err
		}
	}
	return bad, nil
}

// lister prints rows.
type lister struct {
	w          *bufio.Writer
	width      int // of the terminal; 0: none
	json       bool
	namespaces bool // show them
	lines      int
	group      []row  // that are not printed yet
	above      string // what stands above the rows
	values     int    // the widest of those printed
	err        error
}

func newLister(f *os.File, asJSON, namespaces bool) *lister {
	return &lister{w: bufio.NewWriterSize(f, 64<<10), width: widthOf(f), json: asJSON, namespaces: namespaces}
}

func (l *lister) flush() error {
	l.printGroup()
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("the list can't be written: %w", err)
	}
	return nil
}

const (
	// flushLines is after how many lines they are shown, the first at once.
	flushLines = 1000
	// groupRows is how many rows of a terminal have their columns in common.
	groupRows = 40
)

func (l *lister) print(r *row) {
	l.lines++
	switch {
	case l.json:
		l.printJSON(r)
	case l.width == 0:
		l.printColumns(r)
	default:
		if l.group = append(l.group, *r); len(l.group) == groupRows {
			l.err = l.flush()
		}
		return
	}
	if l.lines%flushLines == 1 {
		l.err = l.flush()
	}
}

func (l *lister) printColumns(r *row) {
	if l.lines == 1 {
		io.WriteString(l.w, "key\tnamespace\textraction\tvalue\tstderr\tcount\tseconds\ttime\tcommand\n")
	}
	stderr, count := "NA", "0"
	if r.series != nil {
		stderr, count = spreadText(r.series.Moments, r.series.Stderr()), strconv.FormatInt(r.series.Count, 10)
	}
	for _, cell := range []string{r.id.Key.String(), oneLine(r.id.Namespace), oneLine(r.extraction), r.value(), stderr, count,
		secondsText(r.seconds), r.at.UTC().Format(time.RFC3339)} {
		l.w.WriteString(cell)
		l.w.WriteByte('\t')
	}
	l.w.WriteString(entryCommand(r.entry))
	l.w.WriteByte('\n')
}

func (l *lister) printJSON(r *row) {
	line, err := json.Marshal(rowJSON(r))
	if err != nil {
		l.err = err
		return
	}
	l.w.Write(cache.EscapeControls(line))
	l.w.WriteByte('\n')
}

func rowJSON(r *row) any {
	out := struct {
		Key        string   `json:"key"`
		Namespace  string   `json:"namespace"`
		Extraction string   `json:"extraction"`
		Value      any      `json:"value"`
		Stderr     any      `json:"stderr"`
		Count      int64    `json:"count"`
		Seconds    any      `json:"seconds"`
		Time       string   `json:"time"`
		Bytes      int      `json:"bytes"`
		Command    []string `json:"command"`
		Directory  string   `json:"directory"`
		call
	}{Key: r.id.Key.String(), Namespace: r.id.Namespace, Extraction: r.extraction, Seconds: jsonSeconds(r.seconds),
		Time: r.at.UTC().Format(time.RFC3339), Bytes: r.entry.Size()}
	if r.series != nil {
		out.Value, out.Stderr, out.Count = jsonText(r.value(), r.series.Mean), jsonSpread(r.series.Moments, r.series.Stderr()), r.series.Count
	}
	if c := r.entry.Command(); c != nil {
		out.Command, out.Directory, out.call = c.Args, c.Dir, callOf(c)
	}
	return out
}
