package process

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Self is this process, as no other process is called while the machine is up: the boot,
// the namespace that our ID is of, the ID, and when we began, since IDs come again.
var Self = sync.OnceValue(func() string {
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

// LivenessOf says whether what Self was elsewhere is there still.
func LivenessOf(process string) Liveness {
	words := strings.Split(process, ".")
	if len(words) != 3 {
		return Alive
	}
	pid, err := strconv.Atoi(words[1])
	switch {
	case err != nil || pid < 1:
		return Alive
	case words[0] != place():
		return Distant
	case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
		return Dead
	}
	// Where others' processes are hidden, that it is there has to do.
	if began, living := beginning(pid); began != "" && (began != words[2] || !living) {
		return Dead
	}
	return Alive
}
