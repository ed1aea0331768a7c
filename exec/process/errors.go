package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"dvlcache/cache/plain"
)

// StartError is a program that could not be started.
type StartError struct {
	Command  string
	Err      error
	NotFound bool // otherwise it is there and can't be executed
	TooLong  bool // its arguments are more than the system takes
}

func (e *StartError) Error() string { return fmt.Sprintf("%s can't be run: %v", e.Command, e.Err) }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ExitError is a program that failed: it exited with a status, or was ended by
// a signal that was not ours.
type ExitError struct {
	Command string
	Status  int            // 1 to 255
	Signal  syscall.Signal // 0 if it exited by itself
	Last    Last
}

// Last is the end of what a program wrote to stdout that failed; see Tail.Lines. It
// is empty where that was shown while it ran.
type Last struct {
	Stdout []byte
	Cut    bool
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%s was ended by signal %d (%v)", e.Command, int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("%s exited with status %d", e.Command, e.Status)
}

// UnwatchableError is a program that does what can't be done under watch.
type UnwatchableError struct{ Reason string }

func (e *UnwatchableError) Error() string { return "it can't be watched: " + e.Reason }

// TimeoutError is a program that was ended because it took too long.
type TimeoutError struct {
	Command string
	After   time.Duration
	Last    Last
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s did not end within %v and was stopped", e.Command, e.After)
}

// ShortageError is a program that was not started for want of what may be there
// again soon: our trouble, not its own.
type ShortageError struct {
	command string
	err     error
}

func (e *ShortageError) Error() string { return fmt.Sprintf("%s can't be run: %v", e.command, e.err) }
func (e *ShortageError) Unwrap() error { return e.err }

// Scarce reports whether an error is our own trouble, and may pass.
func Scarce(err error) bool {
	for _, e := range []error{syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func startError(name string, err error) error {
	err = plain.Error(err)
	switch {
	case errors.Is(err, syscall.E2BIG):
		return &StartError{Command: name, Err: errors.New("its arguments are longer than the system takes"), TooLong: true}
	case errors.Is(err, syscall.ENOEXEC):
		err = errors.New("it is no program, and a script without a #! line (add one, or run it as sh " + name + ")")
	case Scarce(err):
		return &ShortageError{name, err}
	}
	// The file was found before; what is missing now is an interpreter.
	if errors.Is(err, fs.ErrNotExist) {
		if info, statErr := os.Stat(name); statErr == nil && info.Mode().IsRegular() {
			err = errors.New("the interpreter in its #! line is missing")
			if !isScript(name) {
				err = errors.New("the loader that it was built for is missing")
			}
		}
		return &StartError{Command: name, Err: err, NotFound: true}
	}
	return &StartError{Command: name, Err: err}
}

func isScript(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [2]byte
	f.Read(head[:])
	return string(head[:]) == "#!"
}

// ExitErrorOf says how a program that was waited for failed, or returns nil.
func ExitErrorOf(name string, state *os.ProcessState) error { return exitError(name, state, nil) }
