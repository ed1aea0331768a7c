package cmd

import (
	"os"
	"strings"
	"testing"
	"time"

	"dvlcache/exec"
)

// TestBar: at any width it fits, and what is shown is shown whole.
func TestBar(t *testing.T) {
	s := exec.BatchState{Read: 123456, Done: 100000, Hits: 98765, Failed: 12, Evaluated: 1223, Running: 4, Cold: 2000, Input: true}
	p := &pace{start: time.Now().Add(-time.Minute), cold: time.Now().Add(-time.Minute)}
	parts := p.parts(s)
	whole := strings.Join(append([]string{count(s)}, parts...), ", ")
	for width := 40; width <= 250; width++ {
		line := bar(s, parts, width)
		_, text, ok := strings.Cut(line, "] ")
		if len(line) > width-1 || !ok || !strings.HasPrefix(whole, text) || len(text) < len(whole) && !strings.HasPrefix(whole[len(text):], ", ") {
			t.Errorf("at %d columns: %q", width, line)
		}
	}
	if got := bar(s, parts, 200); !strings.HasSuffix(got, whole) {
		t.Errorf("at 200 columns: %q", got)
	}
}

// TestMessageTakesTurns: a message waits for what another goroutine writes, a
// warning or a bar, and so never takes the bar away twice, or half of it.
func TestMessageTakesTurns(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	defer func(stderr *os.File) { os.Stderr = stderr }(os.Stderr)
	os.Stderr = null
	ui := &terminal{}
	ui.mu.Lock()
	said := make(chan struct{})
	go func() {
		ui.message("line 7: it failed", "")
		close(said)
	}()
	select {
	case <-said:
		t.Error("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	ui.mu.Unlock()
	<-said
}
