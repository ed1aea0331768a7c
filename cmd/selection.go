package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/config"
)

// selection is which entries a command is about.
type selection struct {
	namespace *string
	command   string
	program   string
	older     age
	newer     age
	larger    size
}

// age is a flag for a time span, which may be in days (d) or weeks (w).
type age time.Duration

func (a *age) String() string { return "" }
func (a *age) Type() string   { return "AGE" }

// Set takes no age of 0: as a condition it would be none, or one that nothing meets.
func (a *age) Set(text string) error {
	wrong := fmt.Errorf("%q is no age above 0; give it as 90s, 12h, 30d or 8w", text)
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			days, err := strconv.ParseFloat(n, 64)
			if *a = age(days * float64(length)); err != nil || !(days <= 1e5) || *a <= 0 {
				return wrong
			}
			return nil
		}
	}
	d, err := time.ParseDuration(text)
	if *a = age(d); err != nil || d <= 0 {
		return wrong
	}
	return nil
}

// size is a flag for a number of bytes.
type size int

func (s *size) String() string { return "" }
func (s *size) Type() string   { return "SIZE" }

func (s *size) Set(text string) error {
	n, err := config.ParseBytes(text)
	*s = size(n)
	return err
}

// addSelection gives a command the flags of a selection.
func addSelection(cmd *cobra.Command, s *selection) {
	flags := cmd.Flags()
	flags.StringVar(&s.command, "command", "", "those whose command line, or its directory, contains `TEXT`")
	flags.StringVar(&s.program, "program", "", "those of the program, or of the script behind it, with this base `NAME`")
	flags.Var(&s.older, "older-than", "those last evaluated longer ago: 12h, 30d, 8w")
	flags.Var(&s.newer, "newer-than", "those last evaluated since then")
	flags.Var(&s.larger, "larger-than", "those whose record is larger: 4KiB")
}

// given reports whether the selection is narrower than a namespace.
func (s *selection) given() bool {
	return s.command != "" || s.program != "" || s.older > 0 || s.newer > 0 || s.larger > 0
}

// set makes the namespace part of the selection if its flag is given.
func (s *selection) set(cmd *cobra.Command, settings *config.Settings) {
	s.namespace = namespaceGiven(cmd, settings)
}

// namespaceGiven is the namespace that a flag names, or nil; see namespaceMeans.
func namespaceGiven(cmd *cobra.Command, s *config.Settings) *string {
	if !cmd.Flags().Changed("namespace") {
		return nil
	}
	return &s.Namespace
}

func (s *selection) accepts(e *cache.Entry) bool {
	switch at := e.Latest(); {
	case s.older > 0 && time.Since(at) < time.Duration(s.older),
		s.newer > 0 && time.Since(at) > time.Duration(s.newer),
		s.larger > 0 && e.Size() <= int(s.larger):
		return false
	}
	if s.command == "" && s.program == "" {
		return true
	}
	c := e.Command()
	if c == nil {
		return false
	}
	if s.program != "" && !c.Of(s.program) {
		return false
	}
	return s.command == "" || strings.Contains(strings.Join(c.Args, " "), s.command) || strings.Contains(commandText(c), s.command) || strings.Contains(c.Dir, s.command)
}

// each calls f with each entry of the selection. Records that can't be read are
// counted in bad.
func (s *selection) each(ctx context.Context, store cache.Store, f func(cache.ID, *cache.Entry) error) (bad int, err error) {
	lister, err := listerOf(store)
	if err != nil {
		return 0, err
	}
	collectLess()
	err = lister.Each(ctx, cache.Range{Namespace: s.namespace}, func(id cache.ID, e *cache.Entry, wrong *cache.RecordError) error {
		if wrong != nil {
			bad++
			return nil
		}
		if !s.accepts(e) {
			return nil
		}
		return f(id, e)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		err = noList()
	}
	return bad, err
}

func noList() error {
	return usage(errNoList, "'dvlcache show' finds an entry by its whole key; --backend bolt lists what is on this machine")
}

// collectLess trades memory for time where many entries pass through: they are
// garbage at once.
func collectLess() {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(160 << 20)
}

var errNoList = errors.New("memcached can't list what it holds")

// listerOf is the store as one that can be listed.
func listerOf(store cache.Store) (cache.Lister, error) {
	if lister, ok := store.(cache.Lister); ok {
		return lister, nil
	}
	if _, ok := store.(*cache.Memory); ok {
		return nil, usage(errors.New("the memory backend holds nothing, since this process has just begun"), "--backend bolt")
	}
	return nil, noList()
}

// warnBad tells of records that could not be read.
func warnBad(ui *terminal, bad int) {
	if bad > 0 {
		ui.warn(fmt.Sprintf("%s can't be read", plural(bad, "record")), "'dvlcache check' says why")
	}
}

// commandText is how a command is shown: as it could be typed.
func commandText(c *key.Command) string {
	switch {
	case c == nil:
		return "(not recorded)"
	case c.TooLong != nil:
		return fmt.Sprintf("%s (%s of %d bytes, too long to be recorded, of digest %x)", filepath.Base(c.Program()), plural(c.TooLong.Args, "argument"), c.TooLong.Bytes, c.TooLong.Sum[:6])
	case c.Args == nil:
		return filepath.Base(c.Program()) + " (arguments not recorded)"
	}
	return wordsText(c.Args)
}

// entryCommand is how an entry's command is shown.
func entryCommand(e *cache.Entry) string {
	if args := e.Args(); args != nil {
		return wordsText(args)
	}
	return commandText(e.Command())
}

// special reports whether a shell may read something else into a character.
func special(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-+=:,./@%", r)
}

// wordsText quotes words for a shell, where they need it.
func wordsText(words []string) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		if word == "" || strings.ContainsFunc(word, special) {
			word = oneLine(shellquote.Join(word))
		}
		b.WriteString(word)
	}
	return b.String()
}
