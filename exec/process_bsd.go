//go:build unix && !linux

package exec

import "syscall"

// groupAttributes puts a program into a group of its own. Only Linux can also
// kill it if we die.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
