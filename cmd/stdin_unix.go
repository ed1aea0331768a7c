//go:build unix

package cmd

import (
	"os"

	"golang.org/x/sys/unix"
)

// stdinWaits reports whether stdin holds something that nobody has read: the rest of a
// file, or what is in a pipe.
func stdinWaits() bool {
	info, err := os.Stdin.Stat()
	if err != nil {
		return false
	}
	switch {
	case info.Mode().IsRegular():
		at, err := unix.Seek(0, 0, 1)
		return err == nil && at < info.Size()
	case info.Mode()&os.ModeNamedPipe != 0:
		poll := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		return err == nil && n > 0 && poll[0].Revents&unix.POLLIN != 0
	}
	return false
}
