//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// valuedUtility scores subsets of ten points so that no two sizes are alike. It tells of
// its calls in $CALLS.
const valuedUtility = `#!/bin/sh
echo "$2" >>"$CALLS"
IFS=,
sum=0 size=0
for p in $2; do sum=$((sum + p * p % 7)) size=$((size + 1)); done
echo 0.$((100 + sum * 13 % 29 + size * (20 - size)))
`

// valueArgs value ten points, with 20 evaluations a point, if no flag says otherwise.
func valueArgs(flags ...string) []string {
	return slices.Concat([]string{"value", "--quiet", "--points", "1-10"}, flags, []string{"--", "./u.sh", "--indices", "{}"})
}

const valuedSubsets = 200

// valuedBytes is what each of the runs below has to print: what one process does that
// evaluates one subset after the other, and shares nothing.
func valuedBytes(t *testing.T) string {
	t.Helper()
	alone := newWorkbench(t)
	alone.write("u.sh", valuedUtility)
	alone.env = append(alone.env, "CALLS=calls")
	out, errs, status := alone.run(valueArgs("--backend", "memory")...)
	calls := alone.lines("calls")
	if status != 0 || len(calls) != valuedSubsets || len(distinct(calls)) != valuedSubsets || strings.Count(out, "\n") != 11 {
		t.Fatalf("status %d, %d evaluations\n%s%s", status, len(calls), out, errs)
	}
	return out
}

// distinct are the lines without those that came before.
func distinct(lines []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(lines)))
}

// TestValueJobs: --jobs changes nothing of what is printed.
func TestValueJobs(t *testing.T) {
	t.Parallel()
	want := valuedBytes(t)
	for _, jobs := range []string{"2", "7", "50"} {
		b := newWorkbench(t)
		b.write("u.sh", valuedUtility)
		b.env = append(b.env, "CALLS=calls")
		if out, errs, _ := b.run(valueArgs("--backend", "memory", "--jobs", jobs)...); out != want || errs != "" {
			t.Errorf("--jobs %s prints\n%s%s\nnot\n%s", jobs, out, errs, want)
		}
		if n := len(b.lines("calls")); n != valuedSubsets {
			t.Errorf("--jobs %s: %d evaluations", jobs, n)
		}
	}
}

// TestValueKilled: a valuation that is killed ten times goes on where it was, and prints
// in the end what one does that was never interrupted. What was evaluated, but for what
// was running at each kill, isn't evaluated again.
func TestValueKilled(t *testing.T) { onEachBackend(t, testValueKilled) }

func testValueKilled(t *testing.T, b *workbench) {
	const kills, jobs = 10, 2
	want := valuedBytes(t)
	// On a busy machine we may come late to kill it: no more is evaluated meanwhile than
	// leaves something for the next.
	b.write("u.sh", strings.Replace(valuedUtility, "\n", "\nwhile test $(wc -l <calls) -ge $(cat most); do sleep 0.01; done\n", 1))
	b.write("calls", "")
	b.env = append(b.env, "CALLS=calls")
	rng := rand.New(rand.NewPCG(1, uint64(len(b.env))))
	// The leases of those that were killed are waited for no longer than that.
	again := valueArgs("--jobs", "2", "--wait-timeout", "20ms")
	for kill := range kills {
		b.write("most", fmt.Sprintln((kill+1)*valuedSubsets/kills-jobs))
		c := b.command(again...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		upTo := len(b.lines("calls")) + 1 + rng.IntN(valuedSubsets/kills-jobs)
		b.wait("it gets on", func() bool { return len(b.lines("calls")) >= upTo })
		if c.Process.Kill(); c.Wait() == nil {
			t.Fatalf("it was through before kill %d", kill+1)
		}
	}
	b.write("most", fmt.Sprintln(2*valuedSubsets))
	out, errs, status := b.run(again...)
	if status != 0 || out != want {
		t.Errorf("status %d, it prints\n%s%s\nnot\n%s", status, out, errs, want)
	}
	calls := b.lines("calls")
	if n := len(distinct(calls)); n != valuedSubsets || len(calls) > n+kills*2*jobs {
		t.Errorf("%d evaluations of %d subsets", len(calls), n)
	}
}

// TestValueTogether: four processes with the same command evaluate each subset once
// among them, and all print the same.
func TestValueTogether(t *testing.T) { onEachBackend(t, testValueTogether) }

func testValueTogether(t *testing.T, b *workbench) {
	want := valuedBytes(t)
	b.write("u.sh", valuedUtility)
	b.env = append(b.env, "CALLS=calls")
	var all sync.WaitGroup
	for _, jobs := range []string{"1", "2", "1", "3"} {
		all.Go(func() {
			if out, errs, status := b.run(valueArgs("--jobs", jobs)...); status != 0 || out != want || errs != "" {
				t.Errorf("status %d, it prints\n%s%s\nnot\n%s", status, out, errs, want)
			}
		})
	}
	all.Wait()
	calls := b.lines("calls")
	if len(calls) != valuedSubsets || len(distinct(calls)) != valuedSubsets {
		t.Errorf("%d evaluations of %d subsets", len(calls), len(distinct(calls)))
	}
}

// TestValueMore: a larger budget asks what the smaller one did, and as much besides.
func TestValueMore(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", valuedUtility)
	b.env = append(b.env, "CALLS=calls")
	for i, evaluations := range []string{"20n", "40n", "20n"} {
		if out, errs, status := b.run(valueArgs("--jobs", "2", "--evaluations", evaluations)...); status != 0 {
			t.Fatalf("status %d\n%s%s", status, out, errs)
		}
		calls, asked := b.lines("calls"), valuedSubsets*min(i+1, 2)
		if len(calls) != asked || len(distinct(calls)) != asked {
			t.Errorf("with %s there were %d evaluations of %d subsets", evaluations, len(calls), len(distinct(calls)))
		}
	}
	// Where the budget is more than there are, each is asked once.
	if out, errs, status := b.run(valueArgs("--jobs", "4", "--evaluations", "200n")...); status != 0 || strings.Contains(out, "e-") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if calls := b.lines("calls"); len(calls) != 1024 || len(distinct(calls)) != 1024 {
		t.Errorf("%d evaluations of %d subsets, of which there are 1024", len(calls), len(distinct(calls)))
	}
}

// TestValueInterrupted: Ctrl-C ends it by that signal, prints no value, and keeps what
// was evaluated.
func TestValueInterrupted(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", valuedUtility)
	b.env = append(b.env, "CALLS=calls")
	c := b.command(valueArgs("--jobs", "2", "--output", "values.tsv")...)
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it gets on", func() bool { return len(b.lines("calls")) >= 20 })
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	if s := c.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", c.ProcessState)
	}
	if text := errs.String(); !strings.Contains(text, "what was evaluated is stored: run it again to resume") {
		t.Errorf("it said %s", text)
	}
	if n := len(b.lines("values.tsv")); n > 0 {
		t.Errorf("there are %d lines of values", n)
	}
	if out, errs, status := b.run(valueArgs("--output", "values.tsv")...); status != 0 || out != "" {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	calls := b.lines("calls")
	if n := len(distinct(calls)); n != valuedSubsets || len(calls) > n+2 {
		t.Errorf("%d evaluations of %d subsets", len(calls), n)
	}
	if got := strings.Join(b.lines("values.tsv"), "\n") + "\n"; got != valuedBytes(t) {
		t.Errorf("the values are\n%s", got)
	}
}

// TestValueCutShort: a number that a signal may have cut short makes no value.
func TestValueCutShort(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", signalled)
	c := b.command("value", "--points", "1-3", "--exact", "--", "./u.sh", "{}")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
	program, _ := strconv.Atoi(b.lines("pids")[0])
	syscall.Kill(c.Process.Pid, syscall.SIGUSR1)
	b.wait("the signal was taken", func() bool { return !alive(program) })
	b.write("go", "") // for what comes after it
	c.Wait()
	if status := c.ProcessState.ExitCode(); status != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "the empty subset: its number can't be relied on: a signal came during the run") {
		t.Errorf("status %d, %s\n%s", status, out.String(), errs.String())
	}
}

// TestValueEdited: where a file that counts is edited meanwhile, numbers of before and
// after make no value; the same command again asks as the file is now.
func TestValueEdited(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--depends-on", "factor"}, {"--track", "auto"}} {
		if flags[0] == "--track" && runtime.GOOS != "linux" {
			continue // what is read isn't seen
		}
		b := newWorkbench(t)
		b.write("u.sh", strings.Replace(strings.Replace(valuedUtility, "IFS=,", "read -r factor <factor; IFS=,", 1), "echo 0.", "echo $factor.", 1))
		b.write("factor", "0\n")
		b.env = append(b.env, "CALLS=calls")
		args := valueArgs(flags...)
		c := b.command(args...)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		b.wait("it gets on", func() bool { return len(b.lines("calls")) >= 5 })
		b.write("factor", "7\n")
		c.Wait()
		if c.ProcessState.ExitCode() != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "no value is made of numbers from before and after") {
			t.Errorf("%v: %v, %s\n%s", flags, c.ProcessState, out.String(), errs.String())
		}
		again, said, status := b.run(args...)
		want, _, _ := b.run(valueArgs(append(flags, "--backend", "memory")...)...)
		// With a file that is declared the calls are others, and nothing is evaluated again.
		tells := strings.Contains(said, "factor, which u.sh read, changed since")
		if status != 0 || again != want || tells != (flags[0] == "--track") {
			t.Errorf("%v: status %d\n%s%s\nnot\n%s", flags, status, again, said, want)
		}
	}
}
