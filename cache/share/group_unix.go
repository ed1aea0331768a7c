//go:build unix

package share

import (
	"os"
	"slices"
	"syscall"
)

// Ours reports whether a folder is shared by a group that we are in.
func Ours(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !In(dir).Shared {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	groups, err := os.Getgroups()
	return ok && err == nil && slices.Contains(append(groups, os.Getegid()), int(stat.Gid))
}

// chgrp gives a file the group of another, if we are in it.
func chgrp(path string, other os.FileInfo) {
	if stat, ok := other.Sys().(*syscall.Stat_t); ok {
		os.Lchown(path, -1, int(stat.Gid))
	}
}
