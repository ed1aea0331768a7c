package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/maruel/natural"
	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/memcached"
	"dvlcache/cache/stats"
	"dvlcache/config"
)

// statistics is what stats prints, in the order of its table.
type statistics struct {
	Hits         int64   `json:"hits"`
	Misses       int64   `json:"misses"`
	Sets         int64   `json:"sets"`
	Evaluations  int64   `json:"evaluations"`
	Failures     int64   `json:"failures"`
	Waits        int64   `json:"waits"`
	Timeouts     int64   `json:"timeouts"`
	Errors       int64   `json:"errors"`
	Reconnects   int64   `json:"reconnects"`
	SecondsSaved float64 `json:"seconds_saved"`
	SecondsSpent float64 `json:"seconds_spent"`
	Entries      int64   `json:"entries"`
	Bytes        int64   `json:"bytes"`
	// Servers are the memcached servers, which can't list what they hold: Entries
	// is 0 then, and theirs are the items of everybody.
	Servers []server `json:"servers,omitempty"`

	Namespaces    []namespaceStats `json:"namespaces"`
	Dearest       []entryStats     `json:"dearest"`        // by the seconds of an evaluation
	MostEvaluated []entryStats     `json:"most_evaluated"` // by their number
}

// namespaceStats is a namespace's share.
type namespaceStats struct {
	Namespace    string  `json:"namespace"`
	Entries      int64   `json:"entries"`
	Bytes        int64   `json:"bytes"` // of records
	Hits         int64   `json:"hits"`
	Misses       int64   `json:"misses"`
	SecondsSaved float64 `json:"seconds_saved"`
	SecondsSpent float64 `json:"seconds_spent"`
}

// entryStats is an entry that stands out.
type entryStats struct {
	Key         string  `json:"key"`
	Namespace   string  `json:"namespace"`
	Evaluations int64   `json:"count"`
	Seconds     float64 `json:"seconds"`
	Command     string  `json:"command"`

	command command
}

// server is what a memcached server says of itself, or why it says nothing.
type server struct {
	Address   string `json:"address"`
	Error     string `json:"error,omitempty"`
	Items     string `json:"items,omitempty"`
	Bytes     string `json:"bytes,omitempty"`
	Evictions string `json:"evictions,omitempty"`
	Uptime    string `json:"uptime,omitempty"` // seconds
}

func serverOf(s memcached.ServerStats) server {
	if s.Err != nil {
		return server{Address: s.Server, Error: s.Err.Error()}
	}
	return server{s.Server, "", s.Values["curr_items"], s.Values["bytes"], s.Values["evictions"], s.Values["uptime"]}
}

func newStats(ui *terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats [flags]",
		Short: "Print what the cache holds and what it saved",
		Long: `Print what the cache holds and what it saved, over all namespaces, or for the
one that --namespace names. Counters go on from the first use of the cache;
clear does not set them back.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(ui, cmd)
			if err != nil {
				return err
			}
			namespace := namespaceGiven(cmd, s)
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			counts, err := o.stats.Read(namespace)
			if err != nil {
				return err
			}
			table := statistics{
				Hits: counts[stats.Hits], Misses: counts[stats.Misses], Sets: counts[stats.Sets],
				Evaluations: counts[stats.Evaluations], Failures: counts[stats.Failures], Waits: counts[stats.Waits],
				Timeouts: counts[stats.Timeouts], Errors: counts[stats.Errors], Reconnects: counts[stats.Reconnects],
				SecondsSaved: counts.Seconds(stats.NanosSaved), SecondsSpent: counts.Seconds(stats.NanosSpent),
				Namespaces: []namespaceStats{}, Dearest: []entryStats{}, MostEvaluated: []entryStats{},
			}
			if err := table.measure(ui, o, namespace); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(table)
			}
			return writeResult(table.text(os.Stdout), "")
		},
	}
	addSettings(cmd, without(config.StoreSettings, "ttl", "strict"))
	namespaceMeans(cmd, "this namespace alone (default: all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// measure looks at what the store holds, of one namespace, or of all if it is
// nil.
func (t *statistics) measure(ui *terminal, o opened, namespace *string) error {
	ctx := context.Background()
	spaces := map[string]*namespaceStats{}
	space := func(name string) *namespaceStats {
		if spaces[name] == nil {
			spaces[name] = &namespaceStats{Namespace: name}
		}
		return spaces[name]
	}
	for name, counts := range o.stats.Namespaces() {
		if namespace == nil || *namespace == name {
			s := space(name)
			s.Hits, s.Misses = counts[stats.Hits], counts[stats.Misses]
			s.SecondsSaved, s.SecondsSpent = counts.Seconds(stats.NanosSaved), counts.Seconds(stats.NanosSpent)
		}
	}
	if m, ok := o.store.(*memcached.Store); ok {
		for _, s := range m.ServerStats(ctx) {
			n, _ := strconv.ParseInt(s.Values["bytes"], 10, 64)
			t.Bytes += n
			t.Servers = append(t.Servers, serverOf(s))
		}
	} else if m, ok := o.store.(cache.Measurer); ok {
		usage, err := m.Usage(ctx, namespace)
		if err != nil {
			return err
		}
		t.Bytes = usage.Bytes
	}
	if lister, ok := o.store.(cache.Lister); ok {
		bad := 0
		dearest, most := top{less: func(a, b *entryStats) bool { return a.Seconds < b.Seconds }}, top{less: func(a, b *entryStats) bool { return a.Evaluations < b.Evaluations }}
		collectLess()
		err := lister.Each(ctx, cache.Range{Namespace: namespace}, func(id cache.ID, e *cache.Entry, wrong *cache.RecordError) error {
			if wrong != nil {
				bad++
				return nil
			}
			s := space(id.Namespace)
			s.Entries++
			s.Bytes += int64(e.Size())
			t.Entries++
			for i := range e.Series {
				x := entryStats{Namespace: id.Namespace, Evaluations: e.Series[i].Count, Seconds: toMicroseconds(e.Series[i].MeanSeconds())}
				dearest.offer(x, id, e)
				if x.Evaluations > 1 {
					most.offer(x, id, e)
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		warnBad(ui, bad)
		t.Dearest, t.MostEvaluated = dearest.list(), most.list()
	}
	for _, name := range slices.SortedFunc(maps.Keys(spaces), natural.Compare) {
		t.Namespaces = append(t.Namespaces, *spaces[name])
	}
	return nil
}

// top keeps the ten entries that are largest in some respect.
type top struct {
	less func(a, b *entryStats) bool
	kept []entryStats // the largest first
}

const topMost = 10

func (t *top) offer(x entryStats, id cache.ID, e *cache.Entry) {
	if len(t.kept) == topMost && !t.less(&t.kept[topMost-1], &x) {
		return
	}
	x.Key, x.command = id.Key.String(), rowOf(id.Namespace, e)
	x.Command = entryCommand(e)
	at := sort.Search(len(t.kept), func(i int) bool { return t.less(&t.kept[i], &x) })
	t.kept = slices.Insert(t.kept, at, x)
	t.kept = t.kept[:min(topMost, len(t.kept))]
}

func (t *top) list() []entryStats { return append([]entryStats{}, t.kept...) }

func hitRate(hits, misses int64) string {
	if hits+misses == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(hits)/float64(hits+misses))
}

// text is the table for people, as wide as the terminal that f may be, and with
// headings that stand out there.
func (t *statistics) text(f *os.File) string {
	width := widthOf(f)
	bold, plain := "", ""
	if width > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		bold, plain = "\x1b[1m", "\x1b[0m"
	}
	if width == 0 {
		width = 1 << 16 // nothing is cut
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	held := strconv.FormatInt(t.Entries, 10)
	if len(t.Servers) > 0 {
		held = "-"
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"hits", t.Hits}, {"misses", t.Misses}, {"hit rate", hitRate(t.Hits, t.Misses)}, {"stored", t.Sets},
		{"evaluations", t.Evaluations}, {"failures", t.Failures}, {"waits", t.Waits},
		{"timeouts", t.Timeouts}, {"errors", t.Errors}, {"reconnects", t.Reconnects},
		{"time saved", duration(t.SecondsSaved)}, {"time spent", duration(t.SecondsSpent)},
		{"entries", held}, {"bytes", t.Bytes},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, row.value)
	}
	for _, s := range t.Servers {
		if s.Error != "" {
			fmt.Fprintf(w, "server %s\t%s\n", s.Address, s.Error)
			continue
		}
		fmt.Fprintf(w, "server %s\titems %s, bytes %s, evictions %s, uptime %s s\n", s.Address, s.Items, s.Bytes, s.Evictions, s.Uptime)
	}
	w.Flush()
	if len(t.Servers) > 0 {
		b.WriteString("memcached can't list its entries: items and bytes are of everybody who uses the servers\n")
	}
	if len(t.Namespaces) > 1 {
		fmt.Fprintf(&b, "\n%s%8s  %10s  %8s  %10s  %s%s\n", bold, "ENTRIES", "BYTES", "HIT RATE", "SAVED", "NAMESPACE", plain)
		for _, n := range t.Namespaces {
			line := fmt.Sprintf("%8d  %10d  %8s  %10s  ", n.Entries, n.Bytes, hitRate(n.Hits, n.Misses), duration(n.SecondsSaved))
			b.WriteString(line + cut(oneLine(n.Namespace), width-len(line)) + "\n")
		}
	}
	for _, group := range []struct {
		title   string
		entries []entryStats
	}{{"DEAREST", t.Dearest}, {"MOST EVALUATED", t.MostEvaluated}} {
		if len(group.entries) == 0 {
			continue
		}
		commands := make([]command, len(group.entries))
		for i := range group.entries {
			commands[i] = group.entries[i].command
		}
		head := fmt.Sprintf("%-8s  %10s  %6s  ", "KEY", "TOOK", "COUNT")
		column := newCommandColumn(commands, width-len(head))
		fmt.Fprintf(&b, "\n%s%s%s%s\n", bold, head, group.title, plain)
		if above := column.above(width); above != "" {
			b.WriteString(above + "\n")
		}
		for i, e := range group.entries {
			line := fmt.Sprintf("%.8s  %10s  %6d  ", e.Key, duration(e.Seconds), e.Evaluations)
			b.WriteString(line + column.text(i, width-len(line)) + "\n")
		}
	}
	return b.String()
}
