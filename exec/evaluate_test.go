//go:build unix

package exec

import (
	"context"
	"os"
	"syscall"
	"testing"

	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// TestNothingEvaluated: where the system has no room to start a program there was
// no evaluation, and none that failed.
func TestNothingEvaluated(t *testing.T) {
	r, w, err := os.Pipe() // Go's poller, too, needs descriptors
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	extraction, err := number.ParseExtraction("last", false)
	if err != nil {
		t.Fatal(err)
	}
	memo := &Memo{Runner: &process.Runner{}, Warn: func(message, _ string) { t.Error(message) }}
	c := memo.newCall(Query{Args: []string{"echo", "1"}, Extraction: extraction})
	if c.program, err = process.LookPath("echo"); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err = c.evaluate(context.Background(), nil)
	if limitErr := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); limitErr != nil {
		t.Fatal(limitErr)
	}
	if !process.Scarce(err) || c.counts != (stats.Counts{}) {
		t.Errorf("%v counts %v", err, c.counts)
	}
}
