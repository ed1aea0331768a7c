package cmd

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"dvlcache/exec"
)

// batchProgress returns what tells how a batch gets on, or nil: a bar on a
// terminal, or a line every ten seconds, if that is asked for. more, if not nil, is
// what else there is to say.
func (t *terminal) batchProgress(how string, quiet bool, more func() string) func(exec.BatchState) {
	if quiet || how == "none" || how == "auto" && !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	p := &pace{start: time.Now()}
	last := p.start
	due := func(every time.Duration) bool {
		now := time.Now()
		if now.Sub(last) < every {
			return false
		}
		last = now
		return true
	}
	parts := func(s exec.BatchState) []string {
		parts := p.parts(s)
		if more != nil {
			if text := more(); text != "" {
				parts = append(parts, text)
			}
		}
		return parts
	}
	if how == "plain" {
		return func(s exec.BatchState) {
			if p.see(s); due(10 * time.Second) {
				t.message(strings.Join(append([]string{count(s)}, parts(s)...), ", "), "")
			}
		}
	}
	return func(s exec.BatchState) {
		if p.see(s); !due(100 * time.Millisecond) {
			return
		}
		width := cmp.Or(widthOf(os.Stderr), 80)
		t.mu.Lock()
		defer t.mu.Unlock()
		io.WriteString(os.Stderr, t.clearLine()+bar(s, parts(s), width))
		t.line = true
	}
}

// count says how many lines are answered, of those read so far or of all.
func count(s exec.BatchState) string {
	more := ""
	if s.Input {
		more = "+"
	}
	return fmt.Sprintf("%d/%d%s", s.Done, s.Read, more)
}

// bar draws a bar and as many of the parts behind it as fit into width. (By
// hand: the libraries for this that were tried cost each hit of run a tenth of
// a millisecond of start-up, for their colours.)
func bar(s exec.BatchState, parts []string, width int) string {
	const least, most = 10, 40 // columns of the bar itself
	text := count(s)
	for _, part := range parts {
		if len(text)+len(part)+2 > width-least-4 {
			break
		}
		text += ", " + part
	}
	n := max(0, min(most, width-len(text)-4))
	done := int(int64(n) * s.Done / max(s.Read, 1))
	return "[" + strings.Repeat("=", done) + strings.Repeat(" ", n-done) + "] " + text
}

// pace is how fast a batch gets on.
type pace struct {
	start time.Time
	cold  time.Time // when the first evaluation was under way
}

func (p *pace) see(s exec.BatchState) {
	if p.cold.IsZero() && s.Running > 0 {
		p.cold = time.Now()
	}
}

// parts says it in words, the most important first. The time that is left is
// reckoned from evaluations alone: hits take none.
func (p *pace) parts(s exec.BatchState) []string {
	var parts []string
	if s.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", s.Failed))
	}
	if s.Evaluated > 0 && s.Cold > 0 {
		left := time.Since(p.cold).Seconds() / float64(s.Evaluated) * float64(s.Cold)
		parts = append(parts, duration(left)+" left")
	}
	parts = append(parts, fmt.Sprintf("%d running", s.Running), plural(s.Hits, "hit"))
	return append(parts, fmt.Sprintf("%.3g/s", float64(s.Done)/time.Since(p.start).Seconds()))
}
