package cmd

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/term"

	"dvlcache/cache"
	"dvlcache/exec"
)

// terminal speaks to the user: results on stdout, and on stderr one line for
// each message, "dvlcache: …" in lower case, and "hint: …" where the mend is
// known. It may be used by many goroutines.
type terminal struct {
	mu   sync.Mutex // over all that follows, and what is written to stderr
	said map[string]bool
	safe sync.Once // see say
	line bool      // a progress line stands on stderr
	mute bool      // nobody reads what is said, as where a shell completes a line

	unwritten error // help that stdout didn't take
}

// message prints a line, and more of them, and a hint if there is one.
func (t *terminal) message(text, hint string, more ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say(text, hint, more...)
}

// say is message under the lock.
func (t *terminal) say(text, hint string, more ...string) {
	if t.mute {
		return
	}
	// A stderr that is gone must not end us before the number is printed.
	t.safe.Do(ignoreBrokenPipe)
	lines := t.clearLine() + "dvlcache: " + oneLine(text) + "\n"
	for _, text := range more {
		lines += "dvlcache: " + oneLine(text) + "\n"
	}
	if hint != "" {
		lines += "hint: " + oneLine(hint) + "\n"
	}
	io.WriteString(os.Stderr, lines)
}

// warn prints a message that this process has not printed yet.
func (t *terminal) warn(text, hint string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said[text] {
		return
	}
	if t.said == nil {
		t.said = map[string]bool{}
	}
	t.said[text] = true
	t.say(text, hint)
}

// report prints the error that a command ended with.
func (t *terminal) report(err error) {
	var signal *signalError
	var told *toldError
	if err == nil || errors.As(err, &signal) || errors.As(err, &told) {
		return // the shell speaks of signals
	}
	t.message(err.Error(), meaningOf(err).hint, printed("", err)...)
}

// printed is what a program wrote to stdout before it failed, in lines of messages
// that begin with prefix.
func printed(prefix string, err error) []string {
	lines := exec.Printed(err)
	for i, line := range lines {
		lines[i] = prefix + "stdout: " + line
	}
	return lines
}

// toldError is an error that its user has been told of, with more than it says
// itself.
type toldError struct{ error }

func (e *toldError) Unwrap() error { return e.error }

// progress returns what shows, in a line on the terminal, how the evaluations
// of a query get on; nil where stderr is no terminal.
func (t *terminal) progress(q exec.Query) func(cache.Moments) {
	show := t.liveLine()
	if show == nil {
		return nil
	}
	return func(m cache.Moments) { show(progressLine(m, q)) }
}

// liveLine returns what shows a line on the terminal in the place of the one
// before, as much of it as fits; nil where stderr is no terminal.
func (t *terminal) liveLine() func(string) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return func(line string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		width := cmp.Or(widthOf(os.Stderr), 80)
		// Part by part, so that no number is broken.
		for len([]rune(line)) > width-1 {
			i := strings.LastIndexByte(line, ',')
			if i < 0 {
				break
			}
			line = line[:i]
		}
		io.WriteString(os.Stderr, t.clearLine()+line)
		t.line = true
	}
}

func progressLine(m cache.Moments, q exec.Query) string {
	mean := fmt.Sprintf("mean %.6g", m.Mean)
	if m.Spread() {
		mean += fmt.Sprintf(" ± %.3g", m.Stderr())
	}
	if n := q.Repeat.Samples; n > 0 {
		return fmt.Sprintf("%d of %d evaluations, %s", m.Count, n, mean)
	}
	return fmt.Sprintf("%s, %s, target ±%.3g", plural(m.Count, "evaluation"), mean, q.Stop.Target(m))
}

// endProgress takes the progress line away.
func (t *terminal) endProgress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	io.WriteString(os.Stderr, t.clearLine())
}

// aboveProgress returns what writes results to w, which is our stdout: where that is a
// terminal the progress line is taken away first, which stands where they go.
func (t *terminal) aboveProgress(w io.Writer) io.Writer {
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		return w
	}
	return &overProgress{t, w}
}

type overProgress struct {
	t  *terminal
	to io.Writer
}

func (w *overProgress) Write(p []byte) (int, error) {
	w.t.endProgress()
	return w.to.Write(p)
}

// clearLine is what takes away the progress line that stands. It needs the lock.
func (t *terminal) clearLine() string {
	if !t.line {
		return ""
	}
	t.line = false
	return "\r\x1b[K"
}

// widthOf is how wide the terminal is that f is; 0: it is none.
func widthOf(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// confirm asks a question on a terminal, and takes a yes for granted where
// stdin is none.
func (t *terminal) confirm(question string) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return true
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

// oneLine keeps what a message quotes from breaking the line, or the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7f {
			return r
		}
		// Those that steer a terminal, or the direction in which it writes.
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, s)
}
