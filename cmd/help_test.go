package cmd

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dvlcache/config"
)

func commandNamed(t *testing.T, name string) *cobra.Command {
	t.Helper()
	cmd, _, err := Root().Find([]string{name})
	if err != nil || cmd.Name() != name {
		t.Fatalf("there is no %s: %v", name, err)
	}
	return cmd
}

// TestStoreFlags: a command shows the flags of the store that it has a use for.
func TestStoreFlags(t *testing.T) {
	const list, file = "backend dir folder namespace lock-timeout safe-directory", "backend dir folder lock-timeout safe-directory"
	const servers = " memcached memcached-tls memcached-ca memcached-cert memcached-key"
	const all = list + servers + " ttl strict"
	for name, want := range map[string]string{
		"run": all, "batch": all, "value": all, "session": all, "config": all,
		"explain": list + servers, "clear": list + servers + " ttl", "import": list + servers + " ttl",
		"show": list + servers, "stats": list + servers,
		"list": list, "export": list, "prune": list, "verify": list,
		"check": file, "compact": file, "version": "",
	} {
		cmd := commandNamed(t, name)
		var shown []string
		for _, s := range config.StoreSettings {
			if f := cmd.Flags().Lookup(s.Name); f != nil && !f.Hidden {
				shown = append(shown, s.Name)
			}
		}
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("%s shows %s, not %s", name, got, want)
		}
	}
}

// TestEditedLine: a line that is edited from run to explain or clear may keep
// its flags, and the help of those two shows what makes a difference to them.
func TestEditedLine(t *testing.T) {
	run := commandNamed(t, "run")
	for _, name := range []string{"explain", "clear"} {
		cmd := commandNamed(t, name)
		run.Flags().VisitAll(func(f *pflag.Flag) {
			if g := cmd.Flags().Lookup(f.Name); g == nil || g.NoOptDefVal != f.NoOptDefVal || g.Shorthand != f.Shorthand {
				t.Errorf("%s doesn't take --%s as run does", name, f.Name)
			}
		})
	}
	var hidden []string
	commandNamed(t, "explain").Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			hidden = append(hidden, f.Name)
		}
	})
	for _, name := range []string{"timeout", "grace", "tee", "keep-output", "jobs", "ttl", "strict", "output"} {
		if !slices.Contains(hidden, name) {
			t.Errorf("explain shows --%s, which changes nothing for it", name)
		}
	}
	for _, name := range []string{"ignore", "extract", "refresh", "only-cached", "no-cache", "repeat", "rtol-stderr", "memcached", "namespace", "json"} {
		if slices.Contains(hidden, name) {
			t.Errorf("explain hides --%s", name)
		}
	}
}

// TestHelpWidths: help is no wider than it is to be, but for examples, and has
// the same words at each width.
func TestHelpWidths(t *testing.T) {
	root := Root()
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	helps := 0
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		helps++
		c.InitDefaultHelpFlag()
		whole := strings.Fields(helpText(c, 1000))
		for _, f := range strings.Fields(c.LocalFlags().FlagUsages()) {
			if !slices.Contains(whole, f) {
				t.Errorf("the help of %s lacks %q", c.CommandPath(), f)
			}
		}
		for _, width := range []int{60, 80, 100} {
			text := helpText(c, width)
			if !slices.Equal(strings.Fields(text), whole) {
				t.Errorf("the help of %s has other words at %d columns", c.CommandPath(), width)
			}
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				typed := strings.Contains(c.Example, line) || strings.HasPrefix(line, "  dvlcache ") || strings.HasPrefix(line, "  echo ")
				if columns(line) > width && (width == 80 || !typed) {
					t.Errorf("the help of %s at %d columns has a line of %d: %s", c.CommandPath(), width, columns(line), line)
				}
			}
		}
		for _, below := range c.Commands() {
			check(below)
		}
	}
	check(root)
	if helps < 20 {
		t.Errorf("%d commands", helps)
	}
}
