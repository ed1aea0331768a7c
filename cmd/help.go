package cmd

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// setHelp has help written by us, since cobra breaks no lines. (By functions: a
// template of one's own would keep the linker from leaving things out.)
// What can't be written is kept in unwritten: cobra's help has no error.
func setHelp(root *cobra.Command, unwritten *error) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		if _, err := io.WriteString(c.OutOrStdout(), helpText(c, helpWidth())); err != nil {
			*unwritten = fmt.Errorf("the help can't be written: %w", err)
		}
	})
	root.SetUsageFunc(func(c *cobra.Command) error {
		_, err := io.WriteString(c.OutOrStderr(), usageText(c, helpWidth()))
		return err
	})
}

// addHelp adds the command that cobra makes for help, and has it refuse what is
// no command.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		panic(err)
	}
	help.Short = "Print the help of a command"
	help.Long = "Print the help of a command, as its --help does."
	help.Args = func(_ *cobra.Command, args []string) error {
		c, rest, err := root.Find(args)
		if err == nil && c.HasSubCommands() {
			err = c.Args(c, rest)
		}
		return err
	}
}

// helpWidth is how wide help is: as the terminal, but not so wide that it is
// hard to read.
func helpWidth() int {
	const most, elsewhere = 100, 80
	if width := widthOf(os.Stdout); width > 0 {
		return min(width, most)
	}
	return elsewhere
}

func helpText(c *cobra.Command, width int) string {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	return fill(strings.TrimSpace(text), width) + "\n" + usageText(c, width)
}

// usageText says how a command is called. Ours have neither aliases, nor groups,
// nor flags that they inherit.
func usageText(c *cobra.Command, width int) string {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.Runnable() {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", c.CommandPath())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, below := range c.Commands() {
			if !below.IsAvailableCommand() && below.Name() != "help" {
				continue
			}
			head := fmt.Sprintf("  %-*s ", below.NamePadding(), below.Name())
			short := strings.TrimSpace(fill(below.Short, width-len(head)))
			b.WriteString(head + strings.ReplaceAll(short, "\n", "\n"+strings.Repeat(" ", len(head))) + "\n")
		}
	}
	if c.HasAvailableLocalFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", c.LocalFlags().FlagUsagesWrapped(width))
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\n" + fill(fmt.Sprintf("'%s [command] --help' says more of a command.", c.CommandPath()), width))
	}
	return trimRight(b.String())
}

// fill breaks the lines of a text anew, for a width. Those that are indented,
// or empty, stay as they are.
func fill(text string, width int) string {
	var b strings.Builder
	at := 0 // columns of the line so far
	end := func() {
		if at > 0 {
			b.WriteByte('\n')
		}
		at = 0
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if line == "" || line[0] == ' ' || line[0] == '\t' {
			end()
			b.WriteString(strings.ReplaceAll(line, "\t", "  ") + "\n")
			continue
		}
		for word := range strings.FieldsSeq(line) {
			n := columns(word)
			if at > 0 && at+1+n > width {
				end()
			}
			if at > 0 {
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += n
		}
	}
	end()
	return b.String()
}
