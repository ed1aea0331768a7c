//go:build unix

package process

import (
	"context"
	osexec "os/exec"
	"testing"
	"time"
)

// TestEndsBeforeItIsAsked: a program that has ended before the signal or the
// timeout came has ended well, though on a busy machine we hear of both at once.
func TestEndsBeforeItIsAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := &Runner{}
	gone := osexec.Command("true")
	gone.SysProcAttr = ownSession()
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	there := osexec.Command("sleep", "100") // left behind in its group, say
	there.SysProcAttr = ownSession()
	if err := there.Start(); err != nil {
		t.Fatal(err)
	}
	defer there.Wait()
	defer there.Process.Kill()
	closed := make(chan struct{})
	close(closed)
	for range 50 {
		if err := r.guard(ctx, "x", there.Process.Pid, time.Nanosecond, closed); err != nil {
			t.Fatalf("it has ended: %v", err)
		}
		if staysOpen(ctx, closed) {
			t.Fatal("its stdout is read to the end, and counts as open")
		}
		// The system has told its end, and the news is under way.
		late := make(chan struct{})
		go func() {
			time.Sleep(time.Millisecond)
			close(late)
		}()
		if err := r.guard(ctx, "x", gone.Process.Pid, 0, late); err != nil {
			t.Fatalf("its group is gone: %v", err)
		}
	}
}
