package cmd

import (
	"bytes"
	osexec "os/exec"
	"strings"
	"testing"
	"time"
)

// TestCallsItselfElsewhere: where process IDs are others, as in a container, one that
// calls itself is told so while it is evaluated, and is answered later.
func TestCallsItselfElsewhere(t *testing.T) {
	inside := []string{"unshare", "--pid", "--fork", "--mount-proc"}
	if osexec.Command(inside[0], append(inside[1:], "true")...).Run() != nil {
		t.Skip("there can be no namespace")
	}
	b := newWorkbench(t)
	b.env = append(b.env, "D="+b.binary, "IN="+strings.Join(inside, " "))
	b.write("self.sh", "#!/bin/sh\ntest -e later && echo 8 && exit\nexec $IN \"$D\" run $FLAGS -- ./self.sh\n")
	for _, flags := range []string{"", "--refresh", "--repeat", "--no-cache --timeout 3s"} {
		c := b.command("run", "--", "./self.sh")
		c.Env = append(c.Env, "FLAGS="+flags)
		var errs bytes.Buffer
		c.Stderr = &errs
		begun := time.Now()
		c.Run() // for an hour, if it waits for itself
		if status := c.ProcessState.ExitCode(); status != 125 && !strings.Contains(flags, "timeout") || status == 0 {
			t.Errorf("%q: status %d after %v: %s", flags, status, time.Since(begun), &errs)
		}
	}
	// What is left behind there asks when it has ended.
	b.write("serve.sh", "#!/bin/sh\ntest -e asked && echo 8 && exit\necho >asked\n($IN sh -c 'while ! test -e go; do sleep 0.02; done; \"$D\" run -- ./serve.sh' >served 2>&1 &) >/dev/null\nexit 1\n")
	b.run("run", "--", "./serve.sh")
	b.write("go", "")
	b.wait("it is answered", func() bool { return len(b.lines("served")) > 0 })
	if got := b.lines("served"); got[0] != "8" {
		t.Errorf("it is told %q", got)
	}
}
