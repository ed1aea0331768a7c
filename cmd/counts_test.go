//go:build unix

package cmd

import (
	"fmt"
	"strings"
	"testing"
)

// TestCountsOutliveAKill: what a batch, or a run that makes many evaluations, has
// counted is not lost with it.
func TestCountsOutliveAKill(t *testing.T) {
	for _, args := range [][]string{
		{"batch", "--", "./train.sh"},
		{"run", "--repeat=9", "--", "./train.sh", "9"},
	} {
		b := newWorkbench(t)
		b.write("train.sh", "#!/bin/sh\necho >>calls\nwhile test $(wc -l <calls) -gt 3 || test $1 = 4; do sleep 0.02; done\necho 0.$1\n")
		c := b.command(args...)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(in, "1\n2\n3\n1\n4\n")
		b.wait("three are counted", func() bool {
			out, _, _ := b.run("stats", "--json")
			return strings.Contains(out, `"sets":3,"evaluations":3,`)
		})
		c.Process.Kill()
		c.Wait()
		if out, _, _ := b.run("stats", "--json"); !strings.Contains(out, `"sets":3,"evaluations":3,`) {
			t.Errorf("%q: %s", args, out)
		}
	}
}
