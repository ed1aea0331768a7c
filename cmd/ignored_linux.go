package cmd

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// stopIgnored reports whether Ctrl-Z is ignored, as the kernel has it.
func stopIgnored() bool {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if set, ok := strings.CutPrefix(lines.Text(), "SigIgn:"); ok {
			ignored, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err == nil && ignored&(1<<(syscall.SIGTSTP-1)) != 0
		}
	}
	return false
}
