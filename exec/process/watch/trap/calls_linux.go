//go:build amd64 || arm64

package trap

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Op is what a system call does with names.
type Op uint8

const (
	OpNone Op = iota
	OpOpen
	OpOpen2    // its flags lie in a struct
	OpCreate   // creat(2)
	OpLook     // asks about what the name leads to
	OpLookLink // asks about the name itself
	OpReadlink
	OpExecute
	OpList    // getdents(2)
	OpConnect // connect(2)
	OpRename
	OpLink
	OpRemove
	OpMake // mkdir, mknod, symlink
	OpTruncate
	OpTime     // utimes, by a name or by a descriptor
	OpTell     // chmod, chown: what is told of what the name leads to
	OpTellFile // the same of what a descriptor is open on
	OpNamespace
	OpBlind // reads that go by no name
	OpTimer
	OpSignal
	OpCatch // sigaction(2)
	OpFilter
	OpTrace // ptrace(2)
	OpStdin // read(2) from descriptor 0
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

// Call says of a system call where its arguments are; -1 where there is none.
type Call struct {
	Nr               uintptr
	Op               Op
	Dir, Name, Flags int8
	when             []cond // all must hold
	Text             string // for messages
}

// calls are what the filter shows us, on every architecture. What has no name
// in it (reads from a descriptor, fstat) was seen when it was opened, but for
// the reading of a folder, since most that are opened are never listed.
var calls = append([]Call{
	{Nr: unix.SYS_OPENAT, Op: OpOpen, Dir: 0, Name: 1, Flags: 2},
	{Nr: unix.SYS_OPENAT2, Op: OpOpen2, Dir: 0, Name: 1, Flags: 2},
	// With AT_EMPTY_PATH it is fstat(2), and every third call.
	{Nr: sysFstatat, Op: OpLook, Dir: 0, Name: 1, Flags: 3, when: []cond{{3, hasNot, []uint32{unix.AT_EMPTY_PATH}}}},
	{Nr: unix.SYS_STATX, Op: OpLook, Dir: 0, Name: 1, Flags: 2, when: []cond{{2, hasNot, []uint32{unix.AT_EMPTY_PATH}}}},
	{Nr: unix.SYS_FACCESSAT, Op: OpLook, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_FACCESSAT2, Op: OpLook, Dir: 0, Name: 1, Flags: 3},
	{Nr: unix.SYS_READLINKAT, Op: OpReadlink, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_EXECVE, Op: OpExecute, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_EXECVEAT, Op: OpExecute, Dir: 0, Name: 1, Flags: 4},
	{Nr: unix.SYS_GETDENTS64, Op: OpList, Dir: 0, Name: -1, Flags: -1},
	{Nr: unix.SYS_CHDIR, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_STATFS, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_GETXATTR, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LGETXATTR, Op: OpLookLink, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LISTXATTR, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LLISTXATTR, Op: OpLookLink, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_INOTIFY_ADD_WATCH, Op: OpLook, Dir: -1, Name: 1, Flags: -1},
	{Nr: unix.SYS_NAME_TO_HANDLE_AT, Op: OpLook, Dir: 0, Name: 1, Flags: -1},

	{Nr: unix.SYS_RENAMEAT2, Op: OpRename, Dir: 0, Name: 1, Flags: 4},
	{Nr: unix.SYS_RENAMEAT, Op: OpRename, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_LINKAT, Op: OpLink, Dir: 0, Name: 1, Flags: 4},
	{Nr: unix.SYS_UNLINKAT, Op: OpRemove, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_MKDIRAT, Op: OpMake, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_MKNODAT, Op: OpMake, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_SYMLINKAT, Op: OpMake, Dir: 1, Name: 2, Flags: -1},
	{Nr: unix.SYS_TRUNCATE, Op: OpTruncate, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_FCHMODAT, Op: OpTell, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_FCHMODAT2, Op: OpTell, Dir: 0, Name: 1, Flags: 3},
	{Nr: unix.SYS_FCHOWNAT, Op: OpTell, Dir: 0, Name: 1, Flags: 4},
	{Nr: unix.SYS_UTIMENSAT, Op: OpTime, Dir: 0, Name: 1, Flags: 3},
	{Nr: unix.SYS_SETXATTR, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LSETXATTR, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_REMOVEXATTR, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LREMOVEXATTR, Op: OpTell, Dir: -1, Name: 0, Flags: -1},

	// As by sqlite with its journals, if it is root.
	{Nr: unix.SYS_FCHMOD, Op: OpTellFile, Dir: 0, Name: -1, Flags: -1},
	{Nr: unix.SYS_FCHOWN, Op: OpTellFile, Dir: 0, Name: -1, Flags: -1},
	{Nr: unix.SYS_FSETXATTR, Op: OpTellFile, Dir: 0, Name: -1, Flags: -1},
	{Nr: unix.SYS_FREMOVEXATTR, Op: OpTellFile, Dir: 0, Name: -1, Flags: -1},

	{Nr: unix.SYS_CONNECT, Op: OpConnect, Dir: -1, Name: 1, Flags: -1},
	// A shell's read takes a byte a call, to leave the rest to others: such
	// loops would become ten times slower.
	{Nr: unix.SYS_READ, Op: OpStdin, Dir: -1, Name: -1, Flags: -1, when: []cond{{0, isOne, []uint32{0}}, {2, atLeast, []uint32{2}}}},

	{Nr: unix.SYS_UNSHARE, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1, when: []cond{{0, hasBits, []uint32{unix.CLONE_NEWNS}}}},
	{Nr: unix.SYS_SETNS, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_CHROOT, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_PIVOT_ROOT, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_MOUNT, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_UMOUNT2, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_MOVE_MOUNT, Op: OpNamespace, Dir: -1, Name: -1, Flags: -1},

	{Nr: unix.SYS_IO_URING_SETUP, Op: OpBlind, Dir: -1, Name: -1, Flags: -1, Text: "io_uring"},
	{Nr: unix.SYS_OPEN_BY_HANDLE_AT, Op: OpBlind, Dir: -1, Name: -1, Flags: -1, Text: "open_by_handle_at"},
	{Nr: unix.SYS_OPEN_TREE, Op: OpBlind, Dir: -1, Name: -1, Flags: -1, Text: "open_tree"},

	// Where signals come from that may interrupt a call; see guard_linux.go.
	{Nr: unix.SYS_SETITIMER, Op: OpTimer, Dir: -1, Name: -1, Flags: -1, when: []cond{{1, nonzero64, nil}}},
	{Nr: unix.SYS_TIMER_CREATE, Op: OpTimer, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_RT_SIGACTION, Op: OpCatch, Dir: -1, Name: 1, Flags: -1, when: []cond{{0, isOne, []uint32{uint32(unix.SIGCHLD), uint32(unix.SIGIO)}}, {1, nonzero64, nil}}},
	{Nr: unix.SYS_KILL, Op: OpSignal, Dir: -1, Name: 0, Flags: 1, when: []cond{{1, isNone, harmless}}},
	{Nr: unix.SYS_TKILL, Op: OpSignal, Dir: -1, Name: 0, Flags: 1, when: []cond{{1, isNone, harmless}}},
	{Nr: unix.SYS_TGKILL, Op: OpSignal, Dir: -1, Name: 1, Flags: 2, when: []cond{{2, isNone, harmless}}},
	{Nr: unix.SYS_RT_SIGQUEUEINFO, Op: OpSignal, Dir: -1, Name: 0, Flags: 1, when: []cond{{1, isNone, harmless}}},
	{Nr: unix.SYS_RT_TGSIGQUEUEINFO, Op: OpSignal, Dir: -1, Name: 1, Flags: 2, when: []cond{{2, isNone, harmless}}},
	{Nr: unix.SYS_PIDFD_SEND_SIGNAL, Op: OpSignal, Dir: 0, Name: -1, Flags: 1, when: []cond{{1, isNone, harmless}}},

	// What can't be done under a filter.
	{Nr: unix.SYS_SECCOMP, Op: OpFilter, Dir: -1, Name: 2, Flags: 1, when: []cond{{0, isOne, []uint32{unix.SECCOMP_SET_MODE_STRICT, unix.SECCOMP_SET_MODE_FILTER}}}},
	{Nr: unix.SYS_PRCTL, Op: OpFilter, Dir: -1, Name: 2, Flags: -1, when: []cond{{0, isOne, []uint32{unix.PR_SET_SECCOMP}}}},
	{Nr: unix.SYS_PTRACE, Op: OpTrace, Dir: -1, Name: -1, Flags: -1, when: []cond{{0, isOne, []uint32{unix.PTRACE_TRACEME, unix.PTRACE_ATTACH, unix.PTRACE_SEIZE}}}},
}, archCalls...)

// Told reports whether the filter tells us of the call with these arguments.
func (c *Call) Told(args [6]uint64) bool {
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

// ByNumber finds a call.
var ByNumber = sync.OnceValue(func() *[512]*Call {
	var table [512]*Call
	for i := range calls {
		table[calls[i].Nr] = &calls[i]
	}
	return &table
})
