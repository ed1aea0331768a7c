//go:build unix

package cmd

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dvlcache/cache/key"
	"dvlcache/exec"
)

// numbers are the lines 1 to n.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

// TestBatchKilled: SIGKILL at 20 random moments of a batch of 2,000 lines, each
// followed by the same call again: in the end every line is right, and no line
// that was printed was evaluated again.
func TestBatchKilled(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("lines", numbers(2000))
	b.write("u.sh", "#!/bin/sh\necho $1 >>calls\necho 0.$1\n")
	printed := map[string]bool{}
	for i := 0; ; i++ {
		evaluated := len(b.lines("calls"))
		c := b.command("batch", "--jobs", "2", "--input", "lines", "--", "./u.sh")
		var out bytes.Buffer
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if i < 20 {
			go func() {
				time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
				c.Process.Kill()
			}()
		}
		err := c.Wait()
		for _, call := range b.lines("calls")[evaluated:] {
			if printed[call] {
				t.Errorf("line %s was printed and is evaluated again", call)
			}
		}
		whole := out.String()
		whole = whole[:strings.LastIndexByte(whole, '\n')+1]
		for n, line := range strings.Split(strings.TrimSuffix(whole, "\n"), "\n") {
			if line == "" && whole == "" {
				break
			}
			if want := fmt.Sprintf("%d\t0.%d", n+1, n+1); line != want {
				t.Fatalf("line %d is %q", n+1, line)
			}
			printed[fmt.Sprint(n+1)] = true
		}
		if i >= 20 {
			if err != nil || len(printed) != 2000 {
				t.Errorf("%d lines are printed in the end, %v", len(printed), err)
			}
			return
		}
	}
}

// TestTwoBatches: over the same 500 subsets at once: 500 evaluations in all.
func TestTwoBatches(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("lines", numbers(500))
	b.write("u.sh", "#!/bin/sh\necho $1 >>calls\nsleep 0.01\necho 0.$1\n")
	one := func() time.Duration {
		start := time.Now()
		out, errs, status := b.run("batch", "--jobs", "2", "--input", "lines", "--", "./u.sh")
		if status != 0 || strings.Count(out, "\n") != 500 {
			t.Errorf("status %d, %d lines\n%s", status, strings.Count(out, "\n"), errs)
		}
		return time.Since(start)
	}
	alone := one()
	if n := len(b.lines("calls")); n != 500 {
		t.Errorf("%d evaluations", n)
	}
	b.run("clear", "--yes")
	start := time.Now()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { one() })
	}
	wg.Wait()
	calls := b.lines("calls")[500:]
	slices.Sort(calls)
	if n := len(calls); n != 500 || len(slices.Compact(calls)) != 500 {
		t.Errorf("%d evaluations", n)
	}
	t.Logf("two batches take %.2f of the time of one alone", float64(time.Since(start))/float64(alone))
}

// TestBatchAsCoprocess: each line is answered at once, and an edit of the
// script in between is seen.
func TestBatchAsCoprocess(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", "#!/bin/sh\necho 0.1\n")
	c := b.command("batch", "--", "./u.sh")
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	for i := range 50 {
		want := fmt.Sprintf("x\t0.%d\n", i)
		b.write("u.sh", fmt.Sprintf("#!/bin/sh\necho 0.%d\n", i))
		for range 3 {
			io.WriteString(in, "x\n")
			if got, err := answers.ReadString('\n'); got != want {
				t.Fatalf("asked after edit %d: %q, %v", i, got, err)
			}
		}
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestCoprocessRecipe runs the recipe of docs/batch.md.
func TestCoprocessRecipe(t *testing.T) {
	t.Parallel()
	bash, err := osexec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	doc, err := os.ReadFile("../docs/batch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "<!-- run by TestCoprocessRecipe -->\n```bash\n")
	recipe, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("docs/batch.md has no recipe")
	}
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\necho 0.$(($2 * 2))\n")
	c := osexec.Command(bash, "-c", recipe)
	c.Dir = b.dir
	dir := strings.TrimSuffix(b.binary, "/dvlcache")
	c.Env = append(b.env, "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	if err != nil || string(out) != "1 scores 0.2\n2 scores 0.4\n3 scores 0.6\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBatchInterrupted: no new evaluations, those that run are ended, what is
// finished is stored, and a line says how to go on.
func TestBatchInterrupted(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("lines", numbers(1000))
	b.write("u.sh", "#!/bin/sh\necho $1 >>calls\n[ $1 -lt 20 ] || exec sleep 100\necho 0.$1\n")
	c := b.command("batch", "--jobs", "2", "--input", "lines", "--", "./u.sh")
	out, err := os.Create(b.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var errs bytes.Buffer
	c.Stdout, c.Stderr = out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("two are slow, and the others printed", func() bool { return len(b.lines("calls")) >= 21 && len(b.lines("out")) >= 19 })
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	if got := c.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", c.ProcessState)
	}
	if printed := b.lines("out"); len(printed) != 19 || !strings.Contains(errs.String(), "run it again to resume") {
		t.Errorf("%q\n%s", printed, errs.String())
	}
	if n := len(b.lines("calls")); n != 21 {
		t.Errorf("%d evaluations were begun", n)
	}
	if got := b.number("run", "--only-cached", "--", "./u.sh", "19"); got != "0.19" {
		t.Error(got)
	}
}

// TestBatchWindow: a slow first line holds back the others' answers, not their
// evaluation.
func TestBatchWindow(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("lines", numbers(50))
	b.write("u.sh", "#!/bin/sh\necho >>calls\nif [ $1 = 1 ]; then while ! test -e go; do sleep 0.01; done; fi\necho 0.$1\n")
	c := b.command("batch", "--jobs", "2", "--input", "lines", "--", "./u.sh")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("all others are evaluated", func() bool { return len(b.lines("calls")) == 50 })
	b.write("go", "")
	if err := c.Wait(); err != nil || !strings.HasPrefix(out.String(), "1\t0.1\n2\t0.2\n") {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestBatchMemory: a million lines do not fill our memory.
func TestBatchMemory(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	b := newWorkbench(t)
	b.write("u.sh", "#!/bin/sh\necho 0.$1\n")
	b.write("lines", numbers(500))
	b.run("batch", "--input", "lines", "--", "./u.sh")
	b.write("lines", strings.Repeat(numbers(500), 2000))
	peak, printed := 0, 0
	c := b.command("batch", "--input", "lines", "--", "./u.sh")
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); printed++ {
		if printed%20000 == 0 {
			peak = max(peak, processKiB(c.Process.Pid, "RssAnon:"))
		}
	}
	if err := c.Wait(); err != nil || printed != 1000000 {
		t.Errorf("%d lines, %v", printed, err)
	}
	t.Logf("peak %d KiB of anonymous memory at 1,000,000 lines", peak)
	if peak == 0 || peak > 150<<10 {
		t.Errorf("it took %d KiB", peak)
	}
}

// FuzzBatchInput: whatever the input is, there is a line for each of its lines
// and nothing but lines' own errors.
func FuzzBatchInput(f *testing.F) {
	f.Add([]byte("1,4\n\n2\r\n"), "lines", "{}")
	f.Add([]byte("a\tb\n1\t2\n3\n"), "tsv", "{a}{2}")
	f.Add([]byte("a,b\n\"1\",2\n\"x\n"), "csv", "x{b}")
	f.Add([]byte("{\"n\": 1}\nnull\n{\"n\": [1,2]}\n"), "json", "{n}")
	f.Add([]byte("a\x00b\x00"), "null", "{}{}")
	f.Fuzz(func(t *testing.T, data []byte, format, arg string) {
		if !slices.Contains([]string{"lines", "null", "tsv", "csv", "json"}, format) {
			return
		}
		l, err := newLineReader(format, bytes.NewReader(data), []string{"true", arg}, key.Rules{})
		if err != nil {
			return
		}
		n := 0
		for {
			line, err := l.read()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			n++
			if line.Number != n {
				t.Fatalf("line %d is numbered %d", n, line.Number)
			}
			if line.Err == nil && (len(line.Args) < 2 || line.Args[0] != "true" || strings.ContainsRune(strings.Join(line.Args, ""), 0)) {
				t.Fatalf("%q", line.Args)
			}
		}
		if want := bytes.Count(data, []byte{'\n'}); format == "lines" && n != want && n != want+1 {
			t.Fatalf("%d lines of %q", n, data)
		}
	})
}

// TestBatchReaderStandsStill: what was evaluated is stored though nobody reads the
// answers, and a signal ends us all the same.
func TestBatchReaderStandsStill(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", "#!/bin/sh\necho >>calls\ncase $1 in last) while ! test -e go; do sleep 0.02; done;; esac\necho 0.5\n")
	long := ""
	for i := range 3 {
		long += strings.Repeat("x", 60_000) + fmt.Sprintln(i) // more than a pipe holds
	}
	b.write("lines", long)
	b.run("batch", "--input", "lines", "--", "./u.sh")
	b.write("lines", "first\n"+long+"last\nnever\n")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := b.command("batch", "--jobs", "2", "--input", "lines", "--", "./u.sh")
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	w.Close()
	b.wait("the first is printed", func() bool {
		_, _, status := b.run("run", "--only-cached", "--", "./u.sh", "first")
		return status == 0
	})
	time.Sleep(200 * time.Millisecond) // the pipe is full
	c.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	if got := c.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", c.ProcessState)
	}
}

// TestBatchFewDescriptors: what could not be started for want of descriptors is no
// evaluation.
func TestBatchFewDescriptors(t *testing.T) {
	t.Parallel()
	for n := 14; n < 17; n++ {
		b := newWorkbench(t)
		b.write("lines", numbers(4))
		b.write("u.sh", "#!/bin/sh\necho >>calls\necho 0.$1\n")
		c := osexec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, n), "sh", b.binary, "batch", "--jobs", "4", "--input", "lines", "--", "./u.sh")
		c.Dir, c.Env = b.dir, b.env
		out, _ := c.CombinedOutput()
		var evaluations int
		stats, _, _ := b.run("stats", "--json")
		fmt.Sscanf(stats[strings.Index(stats, `"evaluations":`):], `"evaluations":%d`, &evaluations)
		if calls := len(b.lines("calls")); evaluations > calls {
			t.Errorf("%d descriptors: %d evaluations are counted, and %d were made\n%s", n, evaluations, calls, out)
		}
	}
}

// TestInputNeverWaits: a group ends where no more is there, also where what is there
// is no line.
func TestInputNeverWaits(t *testing.T) {
	for _, blank := range []string{"\n", "\r\n", "\n\n"} {
		r, w := io.Pipe()
		go io.WriteString(w, "n\n1\n"+blank)
		l, err := newLineReader("csv", r, []string{"true", "{n}"}, key.Rules{})
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan []exec.Line, 1)
		go func() {
			group, _, _ := l.group()
			read <- group
		}()
		select {
		case group := <-read:
			if len(group) != 1 || group[0].Input != "1" {
				t.Errorf("%q: %v", blank, group)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("it waits for what comes after %q", blank)
		}
		w.Close()
	}
}
