package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// screen runs dvlcache with its stdout on a terminal of a width, and returns what it shows
// there.
func (b *workbench) screen(width int, args ...string) string {
	b.Helper()
	c := b.command(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	shown := b.shownBy(width, c)
	if shown == "" {
		b.Fatalf("%q shows nothing: %s", args, stderr.String())
	}
	return shown
}

// shownBy runs a command on a terminal of a width, stderr too unless that goes elsewhere,
// and returns what is written there.
func (b *workbench) shownBy(width int, c *osexec.Cmd) string {
	b.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer terminal.Close()
	fd := int(terminal.Fd())
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: uint16(width)}))
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		b.Fatal(err)
	}
	if c.Stdout = stdout; c.Stderr == nil {
		c.Stderr = stdout
	}
	err = c.Start()
	stdout.Close()
	if err != nil {
		b.Fatal(err)
	}
	shown, _ := io.ReadAll(terminal) // EIO, once nobody holds the other end
	var exit *osexec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		b.Fatal(err)
	}
	return strings.ReplaceAll(string(shown), "\r\n", "\n")
}

// TestBatchOnATerminal: where results and the bar stand on one terminal, the bar is taken
// away for each result.
func TestBatchOnATerminal(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\nsleep 0.2\necho 0.$1\n") // a bar is drawn every 100 ms
	c := b.command("batch", "--", "./train.sh")
	c.Stdin = strings.NewReader("1\n2\n3\n")
	written := b.shownBy(80, c)
	var shown []string
	for line := range strings.Lines(written) {
		shown = append(shown, line[strings.LastIndex(line, "\r\x1b[K")+1:])
	}
	if got := strings.ReplaceAll(strings.Join(shown, ""), "\x1b[K", ""); got != "1\t0.1\n2\t0.2\n3\t0.3\n" || !strings.Contains(written, "] 1/3") {
		t.Errorf("it shows %q", written)
	}
}

// TestScreens: what is shown on a terminal is no wider than it, but for lines that
// are whole by design; keys and numbers are whole on each; and what is no terminal,
// or one without colours, gets no escape sequences.
func TestScreens(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.env = append(b.env, "TERM=xterm", "NO_COLOR=")
	indices := strings.TrimSuffix(strings.Repeat("1234567,", 40), ",")
	b.write("noisy.sh", "#!/bin/sh\necho >>calls\nn=$(wc -l <calls)\necho -0.$((n * 7919 % 900 + 100))123\n")
	b.write("train.sh", "#!/bin/sh\necho '{\"acc\": 0.9130, \"f1\": -1.2345678901234567e-300}'\n")
	b.number("run", "--repeat=60", "--", "./noisy.sh", "--indices", "1,4,7")
	impure := b.number("run", "--", "./noisy.sh", "--indices", indices+",8")
	for _, extract := range []string{"json:acc", "json:f1"} {
		b.number("run", "--extract", extract, "--", "./train.sh", "--data", "資料集/訓練", "--indices", indices)
	}
	b.number("run", "--namespace", "資料集"+strings.Repeat("-long", 40), "--", "sh", "-c", "echo 1e6")

	type entry struct {
		Key     string
		Value   json.Number
		Stderr  json.Number
		Seconds json.Number
		Count   int
	}
	var all []entry
	var averaged, single entry
	for line := range strings.Lines(b.number("list", "--json")) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		if e.Count > 1 {
			averaged = e
		} else if e.Value.String() == impure {
			single = e
		}
	}
	if len(all) != 5 || averaged.Key == "" || single.Key == "" {
		t.Fatalf("%+v", all)
	}
	mean, _ := averaged.Value.Float64()
	stderr, _ := averaged.Stderr.Float64()
	listed := []string{fmt.Sprintf("%.6g ± %.2g", mean, stderr)}
	dearest := []string{"hits", "1", "stored", "63", "evaluations"}
	for _, e := range all {
		listed, dearest = append(listed, e.Key[:8]), append(dearest, e.Key[:8])
		if e.Count == 1 {
			listed = append(listed, e.Value.String())
		}
		seconds, _ := e.Seconds.Float64()
		dearest = append(dearest, duration(seconds))
	}
	labels := strings.Repeat(` {3,7}-0\.\d{1,4} [┼┤].*\n`, 11)

	for _, s := range []struct {
		args []string
		// has are keys and numbers that have to be there whole; graph is a pattern.
		has   []string
		graph string
		// whole are the beginnings of lines that may be wider.
		whole []string
	}{
		{args: []string{"list"}, has: listed},
		{args: []string{"list", "--sort", "value"}, has: listed},
		{args: []string{"show", averaged.Key}, graph: labels,
			has:   []string{averaged.Key, averaged.Value.String(), averaged.Stderr.String(), averaged.Seconds.String(), "60", "evaluations 2 to 60"},
			whole: []string{"key ", "directory ", "program "}},
		{args: []string{"show", single.Key}, has: []string{single.Key, impure}, whole: []string{"key ", "command ", "directory ", "program "}},
		{args: []string{"stats"}, has: dearest},
		{args: []string{"explain", "--", "./noisy.sh", "--indices", indices}, has: []string{averaged.Key[:12], single.Key[:12]},
			whole: []string{"miss: ", "key ", "program ", "argument ", "directory ", "  --indices "}},
		{args: []string{"verify"}, has: []string{single.Key[:12], "stored " + impure}},
		{args: []string{"run", "--help"}, has: []string{"--keep-output", "(default 2KiB)"}, whole: []string{"  dvlcache run "}},
	} {
		t.Run(strings.Join(s.args[:1], " "), func(t *testing.T) {
			for _, width := range []int{60, 100, 200} {
				where := fmt.Sprintf("%d columns", width)
				shown := b.screen(width, s.args...)
				if bold := strings.Contains(shown, "\x1b[1m"); bold != (s.args[0] == "stats") {
					t.Errorf("%s: headings stand out: %v", where, bold)
				}
				shown = strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(shown)
				if s.args[0] == "run" && width > 100 {
					width = 100 // a wider help is hard to read
				}
				for _, text := range s.has {
					if !regexp.MustCompile(`(?m)(^|[ (])` + regexp.QuoteMeta(text) + `([ ,)]|$)`).MatchString(shown) {
						t.Errorf("%s: %q is not there whole:\n%s", where, text, shown)
					}
				}
				if !regexp.MustCompile(s.graph).MatchString(shown) {
					t.Errorf("%s: there is no graph:\n%s", where, shown)
				}
				for line := range strings.Lines(shown) {
					line = strings.TrimSuffix(line, "\n")
					exempt := slices.ContainsFunc(s.whole, func(begin string) bool { return strings.HasPrefix(line, begin) })
					if n := columns(line); n > width && !exempt || strings.Contains(line, strings.Repeat(" ", 60)) {
						t.Errorf("%s: a line of %d:\n%s", where, n, line)
					}
				}
			}
			pipe, _, _ := b.run(s.args...)
			colourless := *b
			colourless.env = append(slices.Clone(b.env), "NO_COLOR=1")
			dumb := *b
			dumb.env = append(slices.Clone(b.env), "TERM=dumb")
			for where, shown := range map[string]string{
				"in a pipe": pipe, "with NO_COLOR": colourless.screen(100, s.args...), "on a dumb terminal": dumb.screen(100, s.args...),
			} {
				if strings.ContainsAny(shown, "\x1b\r\b") {
					t.Errorf("%s: escape sequences: %q", where, shown)
				}
			}
		})
	}
}
