package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec/number"
	"dvlcache/exec/observe"
)

func newShow(ui *terminal) *cobra.Command {
	var asJSON, files bool
	cmd := &cobra.Command{
		Use:   "show [flags] KEY",
		Short: "Show one entry, its samples, and its running mean drawn",
		Long: `Show one entry: how it was called, the numbers and samples of each extraction,
and the kept output. KEY may be the beginning of a key, as list and run -v print
it, if there is one such entry. Of averaged numbers the running mean is drawn,
between lines at one standard error from it.`,
		Example:               `  dvlcache show 3f2a91`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(fmt.Errorf("%s takes one KEY, but %d are given", cmd.CommandPath(), len(args)), "'dvlcache list' lists the keys")
			}
			if strings.Trim(args[0], "0123456789abcdefABCDEF") != "" || len(args[0]) > 2*len(key.Key{}) {
				return usage(fmt.Errorf("%q is not the beginning of a key", args[0]), "'dvlcache list' lists the keys")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
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
			id, e, err := findEntry(context.Background(), o.store, namespace, s.Namespace, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeResult(string(cache.Export(id, e))+"\n", "")
			}
			text := entryText(id, e, screenWidth())
			c := e.Command()
			if !e.Inputs.Watched() || c == nil {
				return writeResult(text, "")
			}
			places, err := placesOf(s, c.Paths)
			if err != nil {
				return err
			}
			places.Dir = c.Dir // as who called it names files
			set, ok, err := new(observe.Observer).Load(context.Background(), o.store, id.Namespace, e.Inputs)
			if err != nil {
				return err
			}
			if !ok {
				return writeResult(text+"inputs: what it read is not recorded any more\n", "")
			}
			for _, note := range inputsNotes(set, &places) {
				text += oneLine(note[0]+": "+note[1]) + "\n"
			}
			if files {
				text += filesText(set, &places)
			}
			return writeResult(text, "")
		},
	}
	addSettings(cmd, without(config.StoreSettings, "ttl", "strict"))
	namespaceMeans(cmd, "this namespace alone (default: all)")
	cmd.Flags().SetInterspersed(true)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all of it as one JSON object, as export does")
	cmd.Flags().BoolVar(&files, "files", false, "list the files that COMMAND was seen to use, the system's apart")
	return cmd
}

// screenWidth is how wide the terminal is that is looked at, be it through a
// pager.
func screenWidth() int { return cmp.Or(widthOf(os.Stdout), widthOf(os.Stderr), 80) }

// findEntry finds the one entry whose key begins with these digits, in a
// namespace or, if it is nil, in all. Where entries can't be listed the key has
// to be whole, and is looked up in one namespace.
func findEntry(ctx context.Context, store cache.Store, namespace *string, one, prefix string) (id cache.ID, e *cache.Entry, err error) {
	lister, err := listerOf(store)
	if err == nil {
		var found []cache.ID
		err = lister.Each(ctx, cache.Range{Namespace: namespace, Prefix: prefix}, func(at cache.ID, entry *cache.Entry, bad *cache.RecordError) error {
			if bad != nil {
				return bad
			}
			if found = append(found, at); len(found) > 1 {
				return usage(fmt.Errorf("several keys begin with %s: %.12s in namespace %s, %.12s in %s", prefix, found[0].Key, found[0].Namespace, at.Key, at.Namespace), "give more of the key, or --namespace")
			}
			id, e = at, entry
			return nil
		})
		if err == nil && e == nil {
			err = usage(fmt.Errorf("no key begins with %s", prefix), "'dvlcache list' lists the keys")
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return id, e, err
		}
	}
	reader, ok := store.(cache.Reader)
	key, keyErr := key.ParseKey(prefix)
	if !ok || keyErr != nil {
		return id, nil, usage(errNoList, "give the whole key, and --namespace")
	}
	id = cache.ID{Namespace: one, Key: key}
	e, _, err = reader.Peek(ctx, id)
	if err == nil && e == nil {
		err = usage(fmt.Errorf("no such key in namespace %s", one), "--namespace says where to look")
	}
	return id, e, err
}

func entryText(id cache.ID, e *cache.Entry, width int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name string, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	line("key", "%s", id.Key)
	line("namespace", "%s", id.Namespace)
	line("created", "%s", stamp(e.Created))
	line("record", "%d bytes", e.Size())
	c := e.Command()
	line("command", "%s", shownCommand(e, len("namespace  ")))
	if c != nil {
		for i := range c.Files {
			line("file", "%s", fileText(&c.Files[i]))
		}
		line("directory", "%s", c.Dir)
		if c.Foreign {
			line("from", "an import")
		}
		for i := range c.Parts {
			p := &c.Parts[i]
			if p.Kind == key.PartArgument || p.Kind == key.PartDirectory {
				continue
			}
			what, value, how := partText(p)
			line(what, "%s", strings.TrimSuffix(value+"  "+how, "  "))
		}
	}
	w.Flush()
	for i := range e.Series {
		b.WriteString("\n" + seriesText(&e.Series[i], width))
	}
	if o := e.Output; o != nil && len(o.Text) > 0 {
		how := "whole"
		if o.Cut {
			how = "the end of it"
		}
		fmt.Fprintf(&b, "\noutput of %s (%s, %d bytes)\n", stamp(o.Time), how, len(o.Text))
		for text := range strings.Lines(string(o.Text)) {
			b.WriteString("  " + oneLine(strings.TrimRight(text, "\r\n")) + "\n")
		}
	}
	return trimRight(b.String())
}

// fileText shows what a file held that was made for the evaluation: the first lines.
func fileText(f *key.File) string {
	const longest = 60
	text, ok := f.Text()
	if !ok {
		return fmt.Sprintf("%s, too many to be recorded, of digest %x", plural(f.Lines, "line"), f.Digest[:6])
	}
	shown := strings.Join(strings.Fields(text), " ")
	if len(text) > longest {
		shown = strings.Join(strings.Fields(text[:1+strings.LastIndexByte(text[:longest], '\n')]), " ") + " …"
	}
	return strings.TrimSuffix(plural(f.Lines, "line")+": "+shown, ": ")
}

// stamp shows a moment.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("2006-01-02 15:04:05")
}

// mostShown is how many samples are shown, the latest.
const mostShown = 10

func seriesText(s *cache.Series, width int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	number := number.Format
	fmt.Fprintf(w, "extraction\t%s\n", oneLine(s.Extraction))
	if s.Count == 1 && s.Text != "" {
		fmt.Fprintf(w, "value\t%s\n", s.Text)
	} else {
		fmt.Fprintf(w, "mean\t%s\n", number(s.Mean))
		if s.Spread() {
			fmt.Fprintf(w, "standard error\t%s\n", number(computed(s.Stderr())))
			fmt.Fprintf(w, "variance\t%s\n", number(computed(s.Variance())))
		}
		fmt.Fprintf(w, "min, max\t%s, %s\n", number(s.Min), number(s.Max))
		fmt.Fprintf(w, "samples\t%d, from %s\n", s.Count, plural(len(s.Origins), "origin"))
	}
	fmt.Fprintf(w, "seconds\t%s\n", secondsText(s.MeanSeconds()))
	shown := s.Samples[max(0, len(s.Samples)-mostShown):]
	if s.Count == 1 && len(shown) == 1 {
		fmt.Fprintf(w, "evaluated\t%s\n", stamp(shown[0].Time))
	}
	w.Flush()
	if s.Count > 1 {
		if int64(len(shown)) < s.Count {
			fmt.Fprintf(&b, "the last %d samples:\n", len(shown))
		}
		w = tabwriter.NewWriter(&b, 2, 0, 2, ' ', 0)
		for _, x := range shown {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", stamp(x.Time), number(x.Value), duration(x.Seconds))
		}
		w.Flush()
	}
	if graph := meanGraph(s, width); graph != "" {
		b.WriteString(graph + "\n")
	}
	return b.String()
}

// meanGraph draws the running mean over the evaluations whose samples are kept,
// and how far one standard error reaches. The three lines are told apart by
// what they are drawn with, not by colours.
func meanGraph(s *cache.Series, width int) string {
	if s.Count < 3 || len(s.Samples) < 3 {
		return ""
	}
	m := before(s)
	first := m.Count + 1
	var mean, low, high []float64
	for _, x := range s.Samples {
		if m = m.Add(x.Value); !m.Spread() {
			continue // no standard error yet
		}
		mean = append(mean, m.Mean)
		low = append(low, m.Mean-m.Stderr())
		high = append(high, m.Mean+m.Stderr())
	}
	for _, v := range high {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
	}
	const height = 10
	label := func(v float64) string { return fmt.Sprintf("%10.4g", v) }
	room := max(10, width-len(label(0))-4)
	return asciigraph.PlotMany([][]float64{high, low, mean},
		asciigraph.Height(height), asciigraph.Width(min(room, max(len(mean), 40))), asciigraph.YAxisValueFormatter(label),
		asciigraph.SeriesChars(asciigraph.CreateCharSet("."), asciigraph.CreateCharSet("."), asciigraph.CreateCharSet("*"))) +
		fmt.Sprintf("\nrunning mean (*) ± standard error (.), evaluations %d to %d", max(first, 2), s.Count)
}

// before is what the moments were before the first sample that is kept.
func before(s *cache.Series) cache.Moments {
	var kept cache.Moments
	for _, x := range s.Samples {
		kept = kept.Add(x.Value)
	}
	n := s.Count - kept.Count
	if n <= 0 {
		return cache.Moments{}
	}
	mean := (s.Mean*float64(s.Count) - kept.Mean*float64(kept.Count)) / float64(n)
	delta := kept.Mean - mean
	m2 := s.M2 - kept.M2 - delta*delta*float64(n)*float64(kept.Count)/float64(s.Count)
	return cache.Moments{Count: n, Mean: mean, M2: max(m2, 0), Min: s.Min, Max: s.Max}
}
