//go:build unix

package cmd

import (
	"os"
	"syscall"
)

// ours reports whether a folder or file is ours, and nobody else may write to it.
func ours(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}
