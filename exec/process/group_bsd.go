//go:build unix && !linux

package process

import "syscall"

// ownSession puts a program into a session, and so a group, of its own. Only
// Linux can also kill it if we die.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// groupAlive reports whether a process is left in the group, be it dead and
// not yet waited for.
func groupAlive(pid int) bool { return syscall.Kill(-pid, 0) == nil }
