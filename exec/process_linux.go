package exec

import "syscall"

// groupAttributes puts a program into a group of its own, and has the kernel
// kill it if we die.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
