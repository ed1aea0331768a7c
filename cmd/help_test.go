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
	const list, file = "backend dir namespace lock-timeout", "backend dir lock-timeout"
	const servers = " memcached memcached-tls memcached-ca memcached-cert memcached-key"
	const all = list + servers + " ttl strict"
	for name, want := range map[string]string{
		"run": all, "batch": all, "session": all, "config": all,
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
