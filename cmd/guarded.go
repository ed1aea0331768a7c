package cmd

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// createGuarded is createWhole for a command that a signal would end: it takes away
// what was written first.
func createGuarded(file string) (w io.Writer, finish func(good bool) error, err error) {
	signals := make(chan os.Signal, 1)
	notify(signals, passedOn...)
	w, finishFile, err := createWhole("output", file)
	if err != nil {
		signal.Stop(signals)
		return nil, nil, err
	}
	done := make(chan struct{})
	var once sync.Once // by the signal, or at the end
	go func() {
		select {
		case s := <-signals:
			once.Do(func() {
				finishFile(false)
				err := &signalError{s.(syscall.Signal)}
				raise(err)
				os.Exit(meaningOf(err).status)
			})
		case <-done:
		}
	}()
	return w, func(good bool) (err error) {
		once.Do(func() { err = finishFile(good) })
		close(done)
		signal.Stop(signals)
		return err
	}, nil
}
