//go:build !unix

package process

import (
	"os"
	"syscall"
)

const (
	sigcont = syscall.Signal(0)
	sigstop = syscall.Signal(0)
)

// signalGroup ends the program, since this system has no groups and no other
// signal.
func signalGroup(pid int, sig syscall.Signal) {
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill()
		}
	}
}

func groupExists(int) bool { return true }

func Descriptors() int { return 1024 }

func groupAlive(int) bool { return false }

func ownSession() *syscall.SysProcAttr { return nil }

// exitError says how a program that was waited for failed, or nil.
func exitError(name string, state *os.ProcessState, err error) error {
	if state.ExitCode() != 0 {
		return &ExitError{Command: name, Status: state.ExitCode() & 0xff}
	}
	return err
}
