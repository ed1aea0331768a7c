package cmd

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dvlcache/cache/key/launch"
	"dvlcache/config"
)

func newConfig(ui *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config [flags] [-- COMMAND [ARG...]]",
		Short: "Print each effective setting and where it comes from",
		Long: `Print each effective setting and where it comes from: a flag, the environment
(DVLCACHE_NAME), dvlcache.yaml in this folder or above, the user's file
(dvlcache/config.yaml in the user's configuration directory), or the default. With
COMMAND, those that hold for it, with what a file says for this program.`,
		Example: `  dvlcache config
  dvlcache config -- python3 train.py | grep extract`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				return commandAfterDash(cmd, args)
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			programs := s.Programs
			if len(args) > 0 {
				_, origins = s.For(origins, launch.ProgramNames(args)...)
				programs = nil
			}
			var rows []settingRow
			for _, o := range origins {
				rows = append(rows, settingRow{o.Setting.Name, oneLine(orDash(o.Value)), oneLine(o.From)})
			}
			for _, p := range programs {
				var rules []string
				for _, set := range config.All() {
					if values := set.InProgram(&p); len(values) > 0 {
						rules = append(rules, set.Name+": "+strings.Join(values, ","))
					}
				}
				rows = append(rows, settingRow{oneLine("for " + p.Name), oneLine(orDash(strings.Join(rules, "; "))), oneLine(p.From)})
			}
			return writeResult(settingsText(rows, widthOf(os.Stdout)), "")
		},
	}
	addSettings(cmd, config.StoreSettings, config.KeySettings, config.RunSettings, config.RepeatSettings)
	return cmd
}

// settingRow is a setting, its value, and where that comes from.
type settingRow struct{ name, value, from string }

// settingsText shows settings in columns. On a terminal a row that is wider than that
// goes on below, so that one long value, as a program's rules, breaks no other line.
func settingsText(rows []settingRow, width int) string {
	name, value := 0, 0
	for _, r := range rows {
		name = max(name, columns(r.name)+2)
	}
	fits := func(r settingRow, value int) bool {
		return width == 0 || name+max(columns(r.value)+2, value)+columns(r.from) <= width
	}
	for _, r := range rows {
		if fits(r, 0) {
			value = max(value, columns(r.value)+2)
		}
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(pad(r.name, name))
		if fits(r, value) {
			b.WriteString(pad(r.value, value) + r.from + "\n")
			continue
		}
		at := name
		for _, word := range append(strings.Split(r.value, " "), r.from) {
			if n := columns(word); at > name && at+1+n > width {
				b.WriteString("\n" + strings.Repeat(" ", name))
				at = name
			} else if at > name {
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += columns(word)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
