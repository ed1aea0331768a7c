package cmd

import (
	"fmt"
	"syscall"
)

func mountTmpfs(path string, kib int) bool {
	return syscall.Mount("dvlcache-test", path, "tmpfs", 0, fmt.Sprintf("size=%dk,mode=700", kib)) == nil
}

func readOnly(path string) {
	syscall.Mount("dvlcache-test", path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

func unmount(path string) { syscall.Unmount(path, syscall.MNT_DETACH) }
