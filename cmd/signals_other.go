//go:build !unix

package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"dvlcache/exec/process"
)

// watchSignals ends the context on an interrupt, the one signal there is.
func watchSignals(ctx context.Context, runner *process.Runner) (watched context.Context, stop func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	go func() {
		if _, ok := <-signals; ok {
			runner.Interrupted()
			cancel(&signalError{syscall.SIGINT})
		}
	}()
	return ctx, func() error {
		signal.Stop(signals)
		close(signals)
		defer cancel(nil)
		return context.Cause(ctx)
	}
}

var passedOn = []os.Signal{os.Interrupt}

func notify(to chan<- os.Signal, signals ...os.Signal) { signal.Notify(to, signals...) }

func keepIgnored() {}

func ends(os.Signal) bool { return true }

func fromTerminal(os.Signal) bool { return false }

func ignoreBrokenPipe() {}

func brokenPipeEnds() {}

func raise(error) {}
