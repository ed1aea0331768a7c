//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
)

// TestOutputUnderSignals: a signal leaves neither a part of --output's file, nor what
// it was to become, and the file that was there stays as it was.
func TestOutputUnderSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
		for _, args := range [][]string{
			{"export", "--output", "x.out"},
			{"export", "--format", "csv", "--output", "x.out"},
			{"batch", "--input", "lines", "--output", "x.out", "--", "./train.sh"},
			{"run", "--output", "x.out", "--", "./train.sh"},
		} {
			if sig == syscall.SIGUSR1 && args[0] != "export" {
				continue // it is the program's
			}
			b := newWorkbench(t)
			b.number("run", "--", "echo", "1")
			b.write("lines", "1\n")
			b.write("train.sh", "#!/bin/sh\necho >started\nsleep 1000\n")
			b.write("x.out", "as it was\n")
			c := b.command(args...)
			lock := flock.New(b.path(".cache/cache.lock"))
			if args[0] == "export" { // which waits then
				if err := lock.Lock(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			b.wait("it is under way", func() bool {
				part, _ := filepath.Glob(b.path("x.out.*"))
				return len(part) > 0 && args[0] == "export" || len(b.lines("started")) > 0
			})
			c.Process.Signal(sig)
			c.Wait()
			lock.Unlock()
			if got := c.ProcessState.Sys().(syscall.WaitStatus); (!got.Signaled() || got.Signal() != sig) && got.ExitStatus() != 128+int(sig) {
				t.Errorf("%v, %q: it ended with %v", sig, args, c.ProcessState)
			}
			if left, _ := filepath.Glob(b.path("x.out*")); len(left) != 1 {
				t.Errorf("%v, %q: left are %q", sig, args, left)
			}
			if text, _ := os.ReadFile(b.path("x.out")); string(text) != "as it was\n" {
				t.Errorf("%v, %q: it holds %q", sig, args, text)
			}
		}
	}
}
