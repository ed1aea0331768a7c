//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestIgnoredStaysIgnored: a signal that was ignored when a command was started, as
// nohup and a script's & have it, ends neither it nor what it runs.
func TestIgnoredStaysIgnored(t *testing.T) {
	const train = "#!/bin/sh\necho $PPID >>started\nwhile ! test -e go; do sleep 0.02; done\necho 5\n"
	for _, signals := range [][]syscall.Signal{{syscall.SIGHUP}, {syscall.SIGINT, syscall.SIGQUIT}, {syscall.SIGTSTP}} {
		if signals[0] == syscall.SIGTSTP && runtime.GOOS != "linux" {
			continue
		}
		var numbers []string
		for _, s := range signals {
			numbers = append(numbers, fmt.Sprint(int(s)))
		}
		for _, call := range [][]string{{"run"}, {"run", "--no-cache"}, {"run", "--repeat=1"}, {"batch", "--input", "lines"}, {"session"}, {"session", "--save"}, {"verify"}} {
			t.Run(signals[0].String()+" "+strings.Join(call, " "), func(t *testing.T) {
				b := newWorkbench(t)
				b.write("train.sh", train)
				b.write("lines", "1\n")
				args := slices.Concat(call, []string{"--", "./train.sh"})
				if call[0] == "verify" {
					b.write("go", "")
					b.number("run", "--", "./train.sh")
					os.Remove(b.path("go"))
					os.Remove(b.path("started"))
					args = []string{"verify"}
				}
				c := b.command(slices.Concat([]string{"-c", "trap '' " + strings.Join(numbers, " ") + `; exec "$0" "$@"`, b.binary}, args)...)
				c.Path = "/bin/sh"
				var out bytes.Buffer
				c.Stdout, c.Stderr = &out, &out
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				b.wait("the program begins", func() bool { return len(b.lines("started")) > 0 })
				for range 2 {
					for _, s := range signals {
						c.Process.Signal(s)
						b.wait("it has come", func() bool { return !pending(c.Process.Pid, s) })
					}
				}
				b.write("go", "")
				if err := c.Wait(); err != nil {
					t.Fatalf("%v: %s", err, &out)
				}
				if !strings.Contains(out.String(), "5") && call[0] != "verify" {
					t.Errorf("no number: %s", &out)
				}
			})
		}
	}
}
