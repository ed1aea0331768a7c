package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/plain"
	"dvlcache/config"
	"dvlcache/exec/number"
)

func newImport(ui *terminal) *cobra.Command {
	var conflict string
	cmd := &cobra.Command{
		Use:   "import [flags] [FILE...]",
		Short: "Store what export printed, in any backend",
		Long: `Store what export printed, from files or from stdin (-), in any backend. Where there
is an entry already: keep it, replace it, or merge both, which joins the samples
of averaged numbers and keeps a single number. The same file a second time
changes nothing. With --namespace, all goes into that one. Commands that were
imported are run by nobody but verify --trust.`,
		Example: `  dvlcache import cache.jsonl
  dvlcache export | ssh cluster dvlcache import --memcached node1:11211`,
		DisableFlagsInUseLine: true,
		Args:                  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			s, _, err := load(ui, cmd)
			if err != nil {
				return err
			}
			policy := cache.Conflict(conflict)
			if !slices.Contains([]cache.Conflict{cache.ConflictKeep, cache.ConflictReplace, cache.ConflictMerge}, policy) {
				return usage(fmt.Errorf("--on-conflict: %q is none of keep, replace, merge", conflict), "")
			}
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			if _, ok := o.store.(*cache.Memory); ok {
				return usage(errors.New("the memory backend would forget it at once"), "--backend bolt, --folder DIR or --memcached HOST:PORT")
			}
			im := importer{store: o.store, conflict: policy}
			if cmd.Flags().Changed("namespace") {
				im.namespace = &s.Namespace
			}
			if len(files) == 0 {
				err = im.read("stdin", os.Stdin)
			}
			for _, name := range files {
				if name == "-" {
					err = im.read("stdin", os.Stdin)
				} else {
					err = im.open(name)
				}
				if err != nil {
					break
				}
			}
			// What was read before a bad line is of use.
			err = errors.Join(err, im.flush())
			n := im.total
			text := fmt.Sprintf("%d added, %d changed, %d unchanged", n.Added, n.Changed, n.Same)
			if n.Refused > 0 {
				text += fmt.Sprintf(", %d refused, since their namespace was cleared meanwhile", n.Refused)
			}
			if n.Partial > 0 {
				hint := "--on-conflict merge joins both, replace takes what the file has"
				if policy == cache.ConflictMerge {
					hint = fmt.Sprintf("a single number stays, and inputs beyond %d are left out; --on-conflict replace takes what the file has", cache.MaxVariants)
				}
				ui.message(fmt.Sprintf("of %s not all was taken, since something else is stored", entries(n.Partial)), hint)
			}
			if n.TooLarge > 0 {
				err = errors.Join(err, fmt.Errorf("%s not imported: larger than the server takes (its option -I)", entries(n.TooLarge)))
			}
			return errors.Join(err, writeResult(text+"\n", ""))
		},
	}
	addSettings(cmd, without(config.StoreSettings, "strict"))
	namespaceMeans(cmd, "put all entries into this namespace (default: their own)")
	cmd.Flags().SetInterspersed(true)
	cmd.Flags().StringVar(&conflict, "on-conflict", "keep", "`keep|replace|merge`: what to do where there is an entry")
	complete(cmd, "on-conflict", "keep", "replace", "merge")
	return cmd
}

// importer stores entries in groups.
type importer struct {
	store    cache.Store
	conflict cache.Conflict
	// namespace takes all entries, if it isn't nil.
	namespace *string
	group     []cache.Transfer
	size      int // of its lines, in bytes
	total     cache.Transferred
}

// importGroup and importBytes are how much is stored at a time.
const (
	importGroup = 2000
	importBytes = 8 << 20
)

func (im *importer) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", name, plain.Error(err)), "")
	}
	defer f.Close()
	return im.read(name, f)
}

// read reads lines, each as long as it is.
func (im *importer) read(name string, from io.Reader) error {
	r := bufio.NewReaderSize(from, 1<<16)
	if err := skipMark(r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for at := 1; ; at++ {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", name, plain.Error(err))
		}
		last := err == io.EOF
		if line = bytes.TrimSpace(line); len(line) > 0 {
			id, e, err := cache.ParseExport(line)
			if err != nil {
				return fmt.Errorf("%s: line %d is no entry that export prints: %w; the lines before it are imported", name, at, err)
			}
			if err := knownExtractions(e); err != nil {
				return fmt.Errorf("%s: line %d is no entry that export prints: %w; the lines before it are imported", name, at, err)
			}
			if im.namespace != nil {
				id.Namespace = *im.namespace
			}
			im.group = append(im.group, cache.Transfer{ID: id, Entry: e})
			im.size += len(line)
			if len(im.group) == importGroup || im.size > importBytes {
				if err := im.flush(); err != nil {
					return err
				}
			}
		}
		if last {
			return nil
		}
	}
}

// knownExtractions refuses a series that no --extract names.
func knownExtractions(e *cache.Entry) error {
	for i := range e.Series {
		name, nonfinite := strings.CutPrefix(e.Series[i].Extraction, "nonfinite:")
		if _, err := number.ParseExtraction(name, nonfinite); err != nil {
			return fmt.Errorf("series: %w", err)
		}
	}
	return nil
}

func (im *importer) flush() error {
	if len(im.group) == 0 {
		return nil
	}
	n, err := cache.Import(context.Background(), im.store, im.group, im.conflict)
	im.group, im.size = im.group[:0], 0
	im.total.Add(n)
	return err
}
