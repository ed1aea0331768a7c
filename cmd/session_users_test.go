//go:build unix

package cmd

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSessionWaitsForTheLast: what its command has left running still has the
// session's folder, and is saved.
func TestSessionWaitsForTheLast(t *testing.T) {
	for _, args := range [][]string{nil, {"--save"}} {
		b := newWorkbench(t)
		b.env = append(b.env, "D="+b.binary)
		b.write("train.sh", "#!/bin/sh\necho >>started\nwhile ! test -e go.$1; do sleep 0.02; done\ntest -d $DVLCACHE_SESSION && echo $1\n")
		b.write("work.sh", `#!/bin/sh
"$D" run -- ./train.sh 1 >one &
echo 2 | "$D" batch -- ./train.sh >two &
while ! test -e started || test $(wc -l <started) -lt 2; do sleep 0.02; done
echo >ended
`)
		s := b.command(slices.Concat([]string{"session"}, args, []string{"--", "./work.sh"})...)
		var errs bytes.Buffer
		s.Stderr = &errs
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		b.wait("its command has ended", func() bool { return len(b.lines("ended")) == 1 })
		b.write("go.1", "")
		b.wait("one of them has ended", func() bool { return len(b.lines("one")) == 1 })
		b.write("go.2", "")
		if err := s.Wait(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, &errs)
		}
		if one, two := b.lines("one"), b.lines("two"); !slices.Equal(one, []string{"1"}) || !slices.Equal(two, []string{"2\t2"}) {
			t.Errorf("%q: %q, %q: %s", args, one, two, &errs)
		}
		if strings.Contains(errs.String(), "no such file") {
			t.Errorf("%q: %s", args, &errs)
		}
		if args == nil {
			continue
		}
		for _, i := range []string{"1", "2"} {
			if got := b.number("run", "--only-cached", "--", "./train.sh", i); got != i {
				t.Errorf("%q: %s is not saved: %s", args, i, got)
			}
		}
	}
}

// TestSessionSignalled: a signal that ends its command ends what is left below it too,
// and the folder outlasts that.
func TestSessionSignalled(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} { // sh waits after a SIGINT
		for _, call := range []string{`run -- ./train.sh`, `batch --input lines -- ./train.sh`, `run --converge -- ./train.sh`} {
			b := newWorkbench(t)
			b.env = append(b.env, "D="+b.binary)
			b.write("lines", "1\n")
			b.write("train.sh", `#!/bin/sh
trap 'sleep 0.3; test -d $DVLCACHE_SESSION && echo >>there; exit 1' TERM
echo >>started
while :; do sleep 0.02; done
`)
			// The command dies at once, of a signal that it alone is sent.
			s := b.command("session", "--save", "--", "sh", "-c", `"$D" run -- echo 7; "$D" `+call+"; exit 0")
			var errs bytes.Buffer
			s.Stderr = &errs
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			b.wait("the program begins", func() bool { return len(b.lines("started")) == 1 })
			s.Process.Signal(sig)
			s.Wait() // for ever, if nobody ends the program
			if len(b.lines("there")) != 1 {
				t.Errorf("%v, %s: the folder was gone, or the program had no grace: %s", sig, call, &errs)
			}
			if got := s.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != sig {
				t.Errorf("%v, %s: it ended with %v", sig, call, s.ProcessState)
			}
			if got := b.number("run", "--only-cached", "--", "echo", "7"); got != "7" {
				t.Errorf("%v, %s: not saved: %s", sig, call, got)
			}
		}
	}
}
