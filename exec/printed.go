package exec

import (
	"errors"
	"strings"

	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

const (
	// mostPrinted is how many lines Printed returns at most, and mostBytes how
	// long they are together.
	mostPrinted = 10
	mostBytes   = 1 << 10
)

// Printed returns the last lines that a program wrote to stdout before it failed, as
// a terminal shows them: many programs say there what is wrong. There are none where
// they were shown already, or where an error is another's.
func Printed(err error) (lines []string) {
	var exit *process.ExitError
	var timeout *process.TimeoutError
	var last process.Last
	switch {
	case errors.As(err, &exit):
		last = exit.Last
	case errors.As(err, &timeout):
		last = timeout.Last
	}
	text, _ := number.Lines(last.Stdout, last.Cut, mostBytes)
	for line := range strings.Lines(strings.Trim(string(text), "\r\n")) {
		line = strings.NewReplacer("\a", "", "\t", "    ").Replace(line)
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-mostPrinted):]
}
