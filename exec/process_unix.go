//go:build unix

package exec

import (
	"errors"
	"os"
	osexec "os/exec"
	"syscall"
)

const sigcont = syscall.SIGCONT

func signalGroup(pid int, sig syscall.Signal) { syscall.Kill(-pid, sig) }

// exitError says how a program that was waited for failed, or nil.
func exitError(name string, state *os.ProcessState, err error) error {
	status := state.Sys().(syscall.WaitStatus)
	switch {
	case status.Signaled():
		return &ExitError{Command: name, Status: 128 + int(status.Signal()), Signal: status.Signal()}
	case status.ExitStatus() != 0:
		return &ExitError{Command: name, Status: status.ExitStatus()}
	case errors.Is(err, osexec.ErrWaitDelay):
		return nil // it ended well and left stdin unread
	}
	return err
}
