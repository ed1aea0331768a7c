//go:build unix

package cmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"dvlcache/exec/process"
)

// TestSignalJustBeforeTheEnd: one that has come counts, though nobody may have
// come round to it.
func TestSignalJustBeforeTheEnd(t *testing.T) {
	come := make(chan os.Signal, 1)
	signal.Notify(come, syscall.SIGTERM)
	defer signal.Stop(come)
	for range 100 {
		_, stop := watchSignals(context.Background(), &process.Runner{})
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-come
		var e *signalError
		if err := stop(); !errors.As(err, &e) || e.signal != syscall.SIGTERM {
			t.Fatalf("it was lost: %v", err)
		}
	}
}
