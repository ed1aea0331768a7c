//go:build unix

package cmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process"
)

// watchSignals ends the context, with a *signalError, on the signals that ask
// us to end; on a second one it kills what runs. Ctrl-Z stops what runs, too.
// SIGUSR1 and SIGUSR2, by which schedulers tell that time is short, are passed
// on. Signals that were ignored when we were started stay ignored, as nohup and
// background jobs want it.
//
// stop gives the signals back to the system, and returns the *signalError if
// there was a signal, be it one that came just now.
func watchSignals(ctx context.Context, runner *process.Runner) (watched context.Context, stop func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 16)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT)
	ignoreBrokenPipe() // or --tee could end us before the number is stored
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range signals {
			switch s := s.(syscall.Signal); s {
			case syscall.SIGUSR1, syscall.SIGUSR2:
				runner.Signal(s)
			case syscall.SIGTSTP:
				// Not the signal itself: in a session of its own a
				// program would not be stopped by it.
				runner.Signal(syscall.SIGSTOP)
				// Go's runtime keeps its handler for good, so the
				// signal itself would not stop us.
				syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			case syscall.SIGCONT:
				runner.Signal(s)
			default:
				if runner.Interrupted(); ctx.Err() != nil {
					runner.Signal(syscall.SIGKILL)
				}
				cancel(&signalError{s})
				leavingSession()
			}
		}
	}()
	return ctx, func() error {
		signal.Stop(signals)
		close(signals)
		<-done // a busy machine may not have come round to the last one
		defer cancel(nil)
		return context.Cause(ctx)
	}
}

// passedOn are the signals that a session passes on to its command.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// ends reports whether a signal that is passed on asks to end.
func ends(s os.Signal) bool { return s != syscall.SIGUSR1 && s != syscall.SIGUSR2 }

// fromTerminal reports whether a signal is one that the terminal sends to all
// of its foreground group, which we are in.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == syscall.Getpgrp()
}

// ignoreBrokenPipe makes writing to a stderr that is gone an error, which would
// be our end otherwise. Not signal.Ignore, which programs would inherit. The
// result is written to stdout with brokenPipeEnds.
func ignoreBrokenPipe() { signal.Notify(brokenPipe, syscall.SIGPIPE) }

// brokenPipeEnds undoes ignoreBrokenPipe.
func brokenPipeEnds() { signal.Stop(brokenPipe) }

// brokenPipe is never read.
var brokenPipe = make(chan os.Signal, 1)

// raise ends us by the signal that an error stands for, if it does, so that
// a shell sees that and ends its loop.
func raise(err error) {
	var e *signalError
	if !errors.As(err, &e) || e.signal == syscall.SIGQUIT || signal.Ignored(e.signal) {
		return // Go's own answer to SIGQUIT is to print its stacks
	}
	signal.Reset(e.signal)
	syscall.Kill(os.Getpid(), e.signal)
	// It may take the kernel a moment to deliver.
	time.Sleep(time.Second)
}
