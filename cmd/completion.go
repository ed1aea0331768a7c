package cmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addCompletion adds the command that cobra makes for completions, with ours, and
// has it take wrong arguments for what they are.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	all, _, err := root.Find([]string{"completion"})
	if err != nil {
		panic(err)
	}
	all.Short = "Print what makes a shell complete dvlcache's command line"
	all.Long = all.Short + ". The help of each shell's command says where it goes. make install puts it in place for bash, zsh and fish."
	var shells []string
	for _, shell := range all.Commands() {
		shells = append(shells, shell.Name())
		shell.Args = noArguments
		shell.RunE = func(c *cobra.Command, _ []string) error {
			bare, _ := c.Flags().GetBool("no-descriptions")
			return WriteCompletion(root, c.OutOrStdout(), c.Name(), !bare)
		}
	}
	all.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage(fmt.Errorf("%q is none of %s", args[0], strings.Join(shells, ", ")), "")
		}
		return nil
	}
	all.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// evals are what cobra's scripts make of the words before the cursor, and what
// we do. Theirs evaluate them, to take quotes away: a Tab would run what a $( )
// holds and, in fish, empty the file that a quoted > seems to lead to. (No
// variable, which each start would pay for.)
func evals(shell string) [][2]string {
	switch shell {
	case "bash":
		return [][2]string{{`    args=("${words[@]:1}")
`, `    local word
    args=()
    for word in "${words[@]:1}"; do
        [[ ${word} != *[\$\` + "`" + `\<\>\;\&\|\(\)]* ]] || printf -v word %q "${word}"
        args+=("${word}")
    done
`}}
	case "zsh":
		return [][2]string{{`    words=("${=words[1,CURRENT]}")
`, `    local -a given
    given=("${(@Q)words[2,CURRENT]}")
    [[ -n ${given[-1]} ]] || given[-1]=()
    words=("${=words[1,CURRENT]}")
`}, {`__complete ${words[2,-1]}"`, `__complete ${(j: :)${(@q)given}}"`}}
	case "fish":
		return [][2]string{{`__complete $args[2..-1] $lastArg"`, `__complete "(string join -- ' ' (string escape -- $args[2..-1]) $lastArg)`}}
	}
	return nil
}

// WriteCompletion writes the script by which a shell (bash, fish, zsh or
// powershell) completes our command line.
func WriteCompletion(root *cobra.Command, w io.Writer, shell string, descriptions bool) error {
	var b bytes.Buffer
	generate := map[string]func(io.Writer) error{
		"bash":       func(w io.Writer) error { return root.GenBashCompletionV2(w, descriptions) },
		"fish":       func(w io.Writer) error { return root.GenFishCompletion(w, descriptions) },
		"zsh":        root.GenZshCompletion,
		"powershell": root.GenPowerShellCompletionWithDesc,
	}
	if !descriptions {
		generate["zsh"], generate["powershell"] = root.GenZshCompletionNoDesc, root.GenPowerShellCompletion
	}
	if err := generate[shell](&b); err != nil {
		return err
	}
	text := b.String()
	for _, change := range evals(shell) {
		if strings.Count(text, change[0]) != 1 {
			return fmt.Errorf("the completions for %s are not as they were", shell)
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	_, err := io.WriteString(w, text)
	return err
}

// complete has shells offer the values of a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag
	}
}

// completeRest has shells offer the values of settings that have few, and files
// only where one may stand.
func completeRest(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, done := cmd.GetFlagCompletionFunc(f.Name); done || f.NoOptDefVal != "" {
			return
		}
		if f.Name == "namespace" {
			if err := cmd.RegisterFlagCompletionFunc(f.Name, offering(offerNamespaces)); err != nil {
				panic(err)
			}
			return
		}
		if v, ok := f.Value.(*flagValue); ok && v.setting.Choices() != nil {
			complete(cmd, f.Name, v.setting.Choices()...)
			return
		}
		switch value, _ := pflag.UnquoteUsage(f); value {
		case "DIR", "FOLDER":
			cmd.MarkFlagDirname(f.Name)
		case "FILE", "PATH", "SERVER":
		default:
			complete(cmd, f.Name)
		}
	})
	switch {
	case strings.Contains(cmd.Use, "KEY"):
		cmd.ValidArgsFunction = offering(offerKeys)
	case !strings.Contains(cmd.Use, "COMMAND") && !strings.Contains(cmd.Use, "FILE"):
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
}
