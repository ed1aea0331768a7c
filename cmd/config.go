package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dvlcache/config"
)

func newConfig(ui *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config [flags]",
		Short: "Print each effective setting and where it comes from",
		Long: `Print each effective setting and where it comes from: a flag, the environment
(DVLCACHE_NAME), dvlcache.yaml in this folder or above, the user's file
(dvlcache/config.yaml in the user's configuration directory), or the default.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			var b strings.Builder
			w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
			for _, o := range origins {
				fmt.Fprintf(w, "%s\t%s\t%s\n", o.Setting.Name, oneLine(orDash(o.Value)), o.From)
			}
			for _, p := range s.Programs {
				var rules []string
				for _, set := range config.All() {
					if values := set.InProgram(&p); len(values) > 0 {
						rules = append(rules, set.Name+": "+strings.Join(values, ","))
					}
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", oneLine("for "+p.Name), oneLine(orDash(strings.Join(rules, "; "))), p.From)
			}
			w.Flush()
			return writeResult(b.String(), "")
		},
	}
	addSettings(cmd, config.StoreSettings, config.KeySettings, config.RunSettings, config.RepeatSettings)
	return cmd
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
