//go:build amd64 || arm64

package watch

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// op is what a system call does with names.
type op uint8

const (
	opNone op = iota
	opOpen
	opOpen2    // its flags lie in a struct
	opCreate   // creat(2)
	opLook     // asks about what the name leads to
	opLookLink // asks about the name itself
	opReadlink
	opExecute
	opList    // getdents(2)
	opConnect // connect(2)
	opRename
	opLink
	opRemove
	opMake   // mkdir, mknod, symlink
	opChange // chmod, chown, utimes, truncate: what the name leads to
	opNamespace
	opBlind // reads that go by no name
	opTimer
	opSignal
	opCatch // sigaction(2)
	opFilter
	opTrace // ptrace(2)
	opStdin // read(2) from descriptor 0
)

// cond is a test of one argument that the filter makes, so that calls which
// can't matter cost nothing.
type cond struct {
	arg  int
	kind condKind
	of   []uint32
}

type condKind uint8

const (
	always    condKind = iota
	isOne              // the argument is one of these
	isNone             // it is none of these
	hasNot             // it has none of these bits
	hasBits            // it has one of these bits
	atLeast            // it is at least this
	nonzero64          // the pointer isn't nil
)

// call says of a system call where its arguments are; -1 where there is none.
type call struct {
	nr               uintptr
	op               op
	dir, name, flags int8
	when             []cond // all must hold
	text             string // for messages
}

// calls are what the filter shows us, on every architecture. What has no name
// in it (reads from a descriptor, fstat) was seen when it was opened, but for
// the reading of a folder, since most that are opened are never listed.
var calls = append([]call{
	{nr: unix.SYS_OPENAT, op: opOpen, dir: 0, name: 1, flags: 2},
	{nr: unix.SYS_OPENAT2, op: opOpen2, dir: 0, name: 1, flags: 2},
	// With AT_EMPTY_PATH it is fstat(2), and every third call.
	{nr: sysFstatat, op: opLook, dir: 0, name: 1, flags: 3, when: []cond{{3, hasNot, []uint32{unix.AT_EMPTY_PATH}}}},
	{nr: unix.SYS_STATX, op: opLook, dir: 0, name: 1, flags: 2, when: []cond{{2, hasNot, []uint32{unix.AT_EMPTY_PATH}}}},
	{nr: unix.SYS_FACCESSAT, op: opLook, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_FACCESSAT2, op: opLook, dir: 0, name: 1, flags: 3},
	{nr: unix.SYS_READLINKAT, op: opReadlink, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_EXECVE, op: opExecute, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_EXECVEAT, op: opExecute, dir: 0, name: 1, flags: 4},
	{nr: unix.SYS_GETDENTS64, op: opList, dir: 0, name: -1, flags: -1},
	{nr: unix.SYS_CHDIR, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_STATFS, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_GETXATTR, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LGETXATTR, op: opLookLink, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LISTXATTR, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LLISTXATTR, op: opLookLink, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_INOTIFY_ADD_WATCH, op: opLook, dir: -1, name: 1, flags: -1},
	{nr: unix.SYS_NAME_TO_HANDLE_AT, op: opLook, dir: 0, name: 1, flags: -1},

	{nr: unix.SYS_RENAMEAT2, op: opRename, dir: 0, name: 1, flags: 4},
	{nr: unix.SYS_RENAMEAT, op: opRename, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_LINKAT, op: opLink, dir: 0, name: 1, flags: 4},
	{nr: unix.SYS_UNLINKAT, op: opRemove, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_MKDIRAT, op: opMake, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_MKNODAT, op: opMake, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_SYMLINKAT, op: opMake, dir: 1, name: 2, flags: -1},
	{nr: unix.SYS_TRUNCATE, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_FCHMODAT, op: opChange, dir: 0, name: 1, flags: -1},
	{nr: unix.SYS_FCHMODAT2, op: opChange, dir: 0, name: 1, flags: 3},
	{nr: unix.SYS_FCHOWNAT, op: opChange, dir: 0, name: 1, flags: 4},
	{nr: unix.SYS_UTIMENSAT, op: opChange, dir: 0, name: 1, flags: 3, when: []cond{{1, nonzero64, nil}}},
	{nr: unix.SYS_SETXATTR, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LSETXATTR, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_REMOVEXATTR, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LREMOVEXATTR, op: opChange, dir: -1, name: 0, flags: -1},

	{nr: unix.SYS_CONNECT, op: opConnect, dir: -1, name: 1, flags: -1},
	// A shell's read takes a byte a call, to leave the rest to others: such
	// loops would become ten times slower.
	{nr: unix.SYS_READ, op: opStdin, dir: -1, name: -1, flags: -1, when: []cond{{0, isOne, []uint32{0}}, {2, atLeast, []uint32{2}}}},

	{nr: unix.SYS_UNSHARE, op: opNamespace, dir: -1, name: -1, flags: -1, when: []cond{{0, hasBits, []uint32{unix.CLONE_NEWNS}}}},
	{nr: unix.SYS_SETNS, op: opNamespace, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_CHROOT, op: opNamespace, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_PIVOT_ROOT, op: opNamespace, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_MOUNT, op: opNamespace, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_UMOUNT2, op: opNamespace, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_MOVE_MOUNT, op: opNamespace, dir: -1, name: -1, flags: -1},

	{nr: unix.SYS_IO_URING_SETUP, op: opBlind, dir: -1, name: -1, flags: -1, text: "io_uring"},
	{nr: unix.SYS_OPEN_BY_HANDLE_AT, op: opBlind, dir: -1, name: -1, flags: -1, text: "open_by_handle_at"},
	{nr: unix.SYS_OPEN_TREE, op: opBlind, dir: -1, name: -1, flags: -1, text: "open_tree"},

	// Where signals come from that may interrupt a call; see guard_linux.go.
	{nr: unix.SYS_SETITIMER, op: opTimer, dir: -1, name: -1, flags: -1, when: []cond{{1, nonzero64, nil}}},
	{nr: unix.SYS_TIMER_CREATE, op: opTimer, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_RT_SIGACTION, op: opCatch, dir: -1, name: 1, flags: -1, when: []cond{{0, isOne, []uint32{uint32(unix.SIGCHLD), uint32(unix.SIGIO)}}, {1, nonzero64, nil}}},
	{nr: unix.SYS_KILL, op: opSignal, dir: -1, name: 0, flags: 1, when: []cond{{1, isNone, harmless}}},
	{nr: unix.SYS_TKILL, op: opSignal, dir: -1, name: 0, flags: 1, when: []cond{{1, isNone, harmless}}},
	{nr: unix.SYS_TGKILL, op: opSignal, dir: -1, name: 1, flags: 2, when: []cond{{2, isNone, harmless}}},
	{nr: unix.SYS_RT_SIGQUEUEINFO, op: opSignal, dir: -1, name: 0, flags: 1, when: []cond{{1, isNone, harmless}}},
	{nr: unix.SYS_RT_TGSIGQUEUEINFO, op: opSignal, dir: -1, name: 1, flags: 2, when: []cond{{2, isNone, harmless}}},
	{nr: unix.SYS_PIDFD_SEND_SIGNAL, op: opSignal, dir: 0, name: -1, flags: 1, when: []cond{{1, isNone, harmless}}},

	// What can't be done under a filter.
	{nr: unix.SYS_SECCOMP, op: opFilter, dir: -1, name: 2, flags: 1, when: []cond{{0, isOne, []uint32{unix.SECCOMP_SET_MODE_STRICT, unix.SECCOMP_SET_MODE_FILTER}}}},
	{nr: unix.SYS_PRCTL, op: opFilter, dir: -1, name: 2, flags: -1, when: []cond{{0, isOne, []uint32{unix.PR_SET_SECCOMP}}}},
	{nr: unix.SYS_PTRACE, op: opTrace, dir: -1, name: -1, flags: -1, when: []cond{{0, isOne, []uint32{unix.PTRACE_TRACEME, unix.PTRACE_ATTACH, unix.PTRACE_SEIZE}}}},
}, archCalls...)

// told reports whether the filter tells us of the call with these arguments.
func (c *call) told(args [6]uint64) bool {
	for _, w := range c.when {
		v := uint32(args[w.arg])
		ok := true
		switch w.kind {
		case isOne:
			ok = slices.Contains(w.of, v)
		case isNone:
			ok = !slices.Contains(w.of, v)
		case hasNot:
			ok = v&w.of[0] == 0
		case hasBits:
			ok = v&w.of[0] != 0
		case atLeast:
			ok = v >= w.of[0]
		case nonzero64:
			ok = args[w.arg] != 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// harmless signals interrupt nothing, since they can't be caught, or, as those
// that the Go runtime and the C library send to their own threads, always by
// handlers that let calls go on.
var harmless = []uint32{0, uint32(unix.SIGKILL), uint32(unix.SIGSTOP), uint32(unix.SIGURG), 32, 33}

// byNumber finds a call.
var byNumber = sync.OnceValue(func() *[512]*call {
	var table [512]*call
	for i := range calls {
		table[calls[i].nr] = &calls[i]
	}
	return &table
})
