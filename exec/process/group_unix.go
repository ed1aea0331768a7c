//go:build unix

package process

import (
	"errors"
	"os"
	osexec "os/exec"
	"sync"
	"syscall"
)

const (
	sigcont = syscall.SIGCONT
	sigstop = syscall.SIGSTOP
)

func signalGroup(pid int, sig syscall.Signal) { syscall.Kill(-pid, sig) }

// groupExists reports whether there is a group still: not if all that was in it
// has ended and was waited for.
func groupExists(pid int) bool { return syscall.Kill(-pid, 0) != syscall.ESRCH }

// Descriptors is how many files this process may have open.
var Descriptors = sync.OnceValue(func() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
})

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
