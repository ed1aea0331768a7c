package exec

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// ourselves are we, as no other process is called while the machine is up: the boot,
// the namespace that our ID is of, the ID, and when we began, since IDs come again.
var ourselves = sync.OnceValue(func() string {
	pid := os.Getpid()
	began, _ := beginning(pid)
	return place() + "." + strconv.Itoa(pid) + "." + began
})

// place is where process IDs mean what they mean here.
var place = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	return strings.TrimSpace(string(boot)) + "/" + strings.Trim(strings.TrimPrefix(namespace, "pid:"), "[]")
})

// beginning is when a process began, in the kernel's words; ok if it is no zombie.
func beginning(pid int) (at string, ok bool) {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	// After the name, in brackets: state, parent, …; the 20th is the beginning.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", false
	}
	return string(fields[19]), fields[0][0] != 'Z' && fields[0][0] != 'X'
}

// livenessOf says whether what ourselves was elsewhere is there still.
func livenessOf(process string) liveness {
	words := strings.Split(process, ".")
	if len(words) != 3 {
		return alive
	}
	pid, err := strconv.Atoi(words[1])
	switch {
	case err != nil || pid < 1:
		return alive
	case words[0] != place():
		return distant
	case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return dead
	}
	// Where others' processes are hidden, that it is there has to do.
	if began, living := beginning(pid); began != "" && (began != words[2] || !living) {
		return dead
	}
	return alive
}
