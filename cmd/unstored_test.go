//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	osexec "os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// signalled prints another number where a signal cuts it short. Its limit, a minute at least,
// is for tests that fail: who is to send the signal may not have run for a while.
const signalled = `#!/bin/sh
trap 'echo 0.30; exit 0' USR1 TERM
echo $$ >>pids
i=0
while test $i -lt 3000 && ! test -e go; do sleep 0.02; i=$((i+1)); done
echo 0.90
`

// TestNumberBecauseOfASignal: a number that a program printed because a signal was
// passed on is printed, and never stored.
func TestNumberBecauseOfASignal(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"run":      {"run", "--", "./train.sh", "1"},
		"json":     {"run", "--extract", "only", "--", "./train.sh", "1"},
		"repeat":   {"run", "--repeat", "--", "./train.sh", "1"},
		"samples":  {"run", "--repeat=1", "--", "./train.sh", "1"},
		"converge": {"run", "--converge", "--max-repetitions", "1", "--", "./train.sh", "1"},
		"batch":    {"batch", "--input", "lines", "--", "./train.sh"},
		"jobs":     {"batch", "--jobs", "2", "--input", "lines", "--", "./train.sh"},
		"session":  {"session", "--save", "--", "sh", "-c", "dvlcache run -- ./train.sh 1 & echo $! >nested; wait $!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWorkbench(t)
			b.env = append(b.env, "PATH="+strings.TrimSuffix(b.binary, "/dvlcache")+":"+b.getenv("PATH"))
			b.write("train.sh", signalled)
			b.write("lines", "1\n")
			c := b.command(args...)
			var out, errs bytes.Buffer
			c.Stdout, c.Stderr = &out, &errs
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
			pid := c.Process.Pid
			if name == "session" {
				b.wait("its shell says what runs", func() bool { return len(b.lines("nested")) == 1 })
				pid, _ = strconv.Atoi(b.lines("nested")[0])
			}
			syscall.Kill(pid, syscall.SIGUSR1)
			// What comes after the first evaluation is cut short by nothing.
			b.wait("the signal was taken", func() bool {
				program, _ := strconv.Atoi(b.lines("pids")[0])
				return !alive(program)
			})
			b.write("go", "")
			if err := c.Wait(); err != nil {
				t.Fatal(err, errs.String())
			}
			if !strings.Contains(out.String(), "0.30") && !strings.Contains(out.String(), "0.3\n") && name != "samples" && name != "converge" {
				t.Errorf("it printed %q\n%s", out.String(), errs.String())
			}
			if !strings.Contains(errs.String(), "a signal came during the run") {
				t.Errorf("it does not say why the number isn't stored:\n%s", errs.String())
			}
			if out, _, _ := b.run("list", "--json"); strings.Contains(out, "0.3") {
				t.Errorf("the number is stored: %s", out)
			}
		})
	}
}

// TestSignalToBoth: a scheduler ends the program and dvlcache at once, the one or the
// other first.
func TestSignalToBoth(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"program", "dvlcache"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			b := newWorkbench(t)
			b.write("train.sh", signalled)
			// Who sends both may be stopped in between, on a busy machine: what comes
			// a second later is no signal to both.
			const together = 20 * time.Millisecond
			for i, done := 0, 0; done < 3 && i < 100; i++ {
				c := b.command("run", "--", "./train.sh", fmt.Sprint(i))
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				b.wait("it runs", func() bool { return len(b.lines("pids")) == i+1 })
				program, _ := strconv.Atoi(b.lines("pids")[i])
				time.Sleep(1200 * time.Millisecond) // as long as many evaluations take
				start := time.Now()
				if first == "program" {
					syscall.Kill(program, syscall.SIGTERM)
					c.Process.Signal(syscall.SIGTERM)
				} else {
					c.Process.Signal(syscall.SIGTERM)
					syscall.Kill(program, syscall.SIGTERM)
				}
				apart := time.Since(start)
				c.Wait()
				if apart > together {
					continue
				}
				done++
				if _, _, status := b.run("run", "--only-cached", "--", "./train.sh", fmt.Sprint(i)); status != statusNotCached {
					t.Fatalf("a number is stored of a run that a signal ended: status %d", status)
				}
			}
		})
	}
}

// TestEditedDuringABatch: a line whose data changed while it ran is evaluated once
// more; if they change each time, it has no answer.
func TestEditedDuringABatch(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("data", "0.1\n")
	b.write("train.sh", "#!/bin/sh\ncat data >number; echo $1 >>calls\nwhile ! test -e go; do sleep 0.01; done\ncat number\n")
	c := b.command("batch", "--depends-on", "data", "--input", "lines", "--", "./train.sh")
	b.write("lines", "a\nb\na\n")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("calls")) == 1 })
	b.write("data", "0.2\n")
	b.write("go", "")
	if err := c.Wait(); err != nil || out.String() != "a\t0.2\nb\t0.2\na\t0.2\n" {
		t.Errorf("%v, %q\n%s", err, out.String(), errs.String())
	}
	if n := len(b.lines("calls")); n != 3 {
		t.Errorf("%d evaluations", n)
	}

	b.write("train.sh", "#!/bin/sh\necho $1 >>data\necho 0.5\n")
	for _, retries := range []string{"0", "3"} {
		stdout, stderr, status := b.run("batch", "--retries", retries, "--depends-on", "data", "--input", "lines", "--", "./train.sh")
		if status != statusFailedLines || stdout != "a\tNA\nb\tNA\na\tNA\n" || !strings.Contains(stderr, "data changed during each of "+map[string]string{"0": "2", "3": "4"}[retries]+" evaluations") {
			t.Errorf("status %d, %q\n%s", status, stdout, stderr)
		}
	}
}

// TestJoinedLineOfAnUnstoredNumber: a line that came again while it ran isn't
// answered by a number that may not be stored.
func TestJoinedLineOfAnUnstoredNumber(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", signalled)
	b.write("lines", "1\n1\n1\n")
	c := b.command("batch", "--jobs", "2", "--input", "lines", "--", "./train.sh")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
	c.Process.Signal(syscall.SIGUSR1)
	b.wait("the next runs", func() bool { return len(b.lines("pids")) == 2 })
	b.write("go", "")
	if err := c.Wait(); err != nil || out.String() != "1\t0.30\n1\t0.90\n1\t0.90\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	if n := len(b.lines("pids")); n != 2 {
		t.Errorf("%d evaluations", n)
	}
}

// TestBatchOfNestedCalls: a program that asks for another line of its own batch gets
// that number, though the batch has begun with it: nobody waits for a lease whose
// program isn't running.
func TestBatchOfNestedCalls(t *testing.T) {
	onEachBackend(t, func(t *testing.T, b *workbench) {
		b.env = append(b.env, "PATH="+strings.TrimSuffix(b.binary, "/dvlcache")+":"+b.getenv("PATH"))
		// Short ones before, so that what comes next is prepared ahead.
		b.write("t.sh", `#!/bin/sh
case $1 in
*,*) sleep 0.1; echo $(( $(dvlcache run -- ./t.sh ${1%%,*}) + $(dvlcache run -- ./t.sh ${1#*,}) )) ;;
*) echo $1 ;;
esac
`)
		short := numbers(40)
		lines := short + "101,102\n101\n102\n103,104\n105,106\n103\n104\n105\n106\n"
		b.write("lines", lines)
		back := "106\n105\n104\n103\n105,106\n103,104\n102\n101\n101,102\n"
		b.write("back", short+back)
		want := map[string]string{"101,102": "203", "103,104": "207", "105,106": "211"}
		commands := []*osexec.Cmd{}
		outs := make([]bytes.Buffer, 2)
		for i, input := range []string{"lines", "back"} { // crosswise
			c := b.command("batch", "--jobs", "1", "--input", input, "--", "./t.sh")
			c.Stdout = &outs[i]
			commands = append(commands, c)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
		}
		ended := make(chan error, len(commands))
		for _, c := range commands {
			go func() { ended <- c.Wait() }()
		}
		b.wait("both end", func() bool { return len(ended) == len(commands) })
		for range commands { // all, before any of what they printed is read
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		for i := range outs {
			for _, line := range strings.Split(strings.TrimSpace(outs[i].String()), "\n") {
				subset, got, _ := strings.Cut(line, "\t")
				number, sum := want[subset]
				if !sum {
					number = subset
				}
				if got != number {
					t.Errorf("%s is %s", subset, got)
				}
			}
			if n := strings.Count(outs[i].String(), "\n"); n != 49 {
				t.Errorf("%d lines", n)
			}
		}
	})
}
