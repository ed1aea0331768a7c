//go:build unix

package cmd

import (
	"os"
	"strconv"
	"syscall"
)

// ours reports whether a folder is ours, or root's caller's by sudo, and nobody else
// may write to it.
func ours(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	us := os.Geteuid()
	return int(stat.Uid) == us || us == 0 && strconv.Itoa(int(stat.Uid)) == os.Getenv("SUDO_UID")
}
