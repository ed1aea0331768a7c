//go:build amd64 || arm64

package watch

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// handle sees what a call is about. mu is held.
func (r *reader) handle(n *trap.Notification) {
	s := &r.seen
	s.calls++
	if n.Arch != trap.NativeArch || trap.ForeignNumbers > 0 && uint32(n.Nr) >= trap.ForeignNumbers {
		r.handleForeign(n)
		return
	}
	table := trap.ByNumber()
	if int(n.Nr) >= len(table) || table[n.Nr] == nil {
		return
	}
	c := table[n.Nr]
	dir := int32(unix.AT_FDCWD)
	if c.Dir >= 0 {
		dir = int32(n.Args[c.Dir])
	}
	var flags uint64
	if c.Flags >= 0 {
		flags = n.Args[c.Flags]
	}
	switch c.Op {
	case trap.OpList:
		r.list(dir)
		return
	case trap.OpTellFile:
		r.alterOpen(dir, told)
		return
	case trap.OpTime:
		if n.Args[c.Name] == 0 { // futimens(3)
			r.alterOpen(dir, timed)
			return
		}
	case trap.OpStdin:
		r.waits = true
		r.readStdin()
		return
	case trap.OpConnect:
		r.waits = true
		r.connect(uintptr(n.Args[1]), int(n.Args[2]))
		return
	case trap.OpBlind:
		s.unseen(r.task().program.name + " uses " + c.Text)
		return
	case trap.OpNamespace:
		s.namespaces++
		clear(s.tasks)
		return
	case trap.OpTimer, trap.OpSignal, trap.OpCatch, trap.OpTrace:
		r.mayInterrupt(c, n)
		return
	case trap.OpFilter:
		r.innerFilter(n)
		return
	}
	name, ok := r.nameAt(r.name[:], dir, uintptr(n.Args[c.Name]))
	if !ok {
		return
	}
	switch c.Op {
	case trap.OpOpen:
		r.open(name, flags)
	case trap.OpCreate:
		r.open(name, unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC)
	case trap.OpOpen2:
		r.open2(name, uintptr(flags))
	case trap.OpLook:
		r.look(name, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	case trap.OpLookLink:
		r.look(name, false)
	case trap.OpReadlink:
		r.look(name, false)
	case trap.OpExecute:
		r.execute(name, flags, n)
	case trap.OpRename, trap.OpLink:
		to := dir
		at := c.Name + 1
		if c.Dir >= 0 {
			to, at = int32(n.Args[c.Dir+2]), c.Name+2
		}
		if two, ok := r.nameAt(r.two[:], to, uintptr(n.Args[at])); ok {
			r.move(name, two, c.Op == trap.OpLink, flags)
		}
	case trap.OpRemove:
		rec, here := r.touch(name, false)
		r.alterOrLook(rec, here, removed, here.kind != absent)
	case trap.OpMake:
		rec, here := r.touch(name, false)
		r.alterOrLook(rec, here, made, here.kind == absent)
	case trap.OpTruncate:
		rec, here := r.touch(name, true)
		r.alterOrLook(rec, here, wrote, here.kind != absent)
	case trap.OpTime:
		rec, here := r.touch(name, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
		r.alterOrLook(rec, here, timed, here.kind != absent)
	case trap.OpTell:
		rec, here := r.touch(name, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
		r.alterOrLook(rec, here, told, here.kind != absent)
	}
}

// alterOrLook is for calls that change a name if they can, and else only tell
// that they can't.
func (r *reader) alterOrLook(rec *record, here found, c change, can bool) {
	switch {
	case rec == nil:
	case can:
		r.alter(rec, here, c)
	default:
		r.use(rec, Looked)
	}
}

// alterOpen is for calls that change what is told of what a descriptor is open on.
func (r *reader) alterOpen(fd int32, c change) {
	if name := r.folderOf(fd); name != nil {
		rec, here := r.touch(slices.Clone(name), true)
		r.alterOrLook(rec, here, c, here.kind != absent)
	}
}

// look is for calls that ask about a name.
func (r *reader) look(name []byte, follow bool) {
	rec, here := r.touch(name, follow)
	if rec == nil || !follow && here.kind == link {
		return // left out, or noted as a link
	}
	r.use(rec, Looked)
}

// open is for calls that open a file.
func (r *reader) open(name []byte, flags uint64) {
	r.opens = name
	creates := flags&unix.O_CREAT != 0
	follow := flags&unix.O_NOFOLLOW == 0 && !(creates && flags&unix.O_EXCL != 0)
	rec, here := r.touch(name, follow)
	if rec == nil {
		return
	}
	mode := flags & unix.O_ACCMODE
	switch {
	case flags&unix.O_PATH != 0, here.kind == folder, here.kind == link,
		creates && flags&unix.O_EXCL != 0 && here.kind != absent: // which fails
		r.use(rec, Looked)
	case here.kind == absent && creates:
		r.alter(rec, here, made)
	case here.kind == absent:
		r.use(rec, Opened)
	default:
		if flags&unix.O_TRUNC != 0 {
			r.alter(rec, here, replaced)
		} else if mode != unix.O_RDONLY {
			r.alter(rec, here, wrote)
		}
		if mode != unix.O_WRONLY {
			r.use(rec, Opened)
		}
	}
}

func (r *reader) open2(name []byte, how uintptr) {
	var b [24]byte
	r.outside()
	n, _ := readMemory(int(r.n.PID), b[:], how)
	r.inside()
	if n < len(b) {
		return
	}
	if binary.NativeEndian.Uint64(b[16:])&unix.RESOLVE_IN_ROOT != 0 {
		r.seen.unseen(r.task().program.name + " opens files below a root of its own")
	}
	r.open(name, binary.NativeEndian.Uint64(b[:]))
}

// move is for rename(2) and link(2).
func (r *reader) move(from, to []byte, link bool, flags uint64) {
	a, source := r.touch(from, link && flags&unix.AT_SYMLINK_FOLLOW != 0)
	b, target := r.touch(to, false)
	if a == nil || b == nil {
		return
	}
	switch {
	case link && target.kind != absent:
		r.use(b, Looked) // it will fail
		return
	case link && source.kind == absent && strings.HasSuffix(a.path, " (deleted)"):
		r.alter(b, target, made) // of a file that was opened without a name (O_TMPFILE)
		return
	case source.kind == absent:
		r.use(a, Looked)
		return
	}
	// What it holds will be read by another name.
	carries := change(0)
	if !r.seen.isOwned(a.path) {
		carries = carried
	}
	r.use(a, Opened)
	exchange := !link && flags&unix.RENAME_EXCHANGE != 0
	if exchange {
		r.use(b, Opened)
	}
	switch {
	case link:
		r.alter(a, source, told)
	case exchange:
		r.alter(a, source, replaced|carried)
	default:
		r.alter(a, source, removed)
	}
	if target.kind == absent {
		r.alter(b, target, made|carries)
	} else {
		r.alter(b, target, replaced|carries)
	}
}

// readStdin notes who reads the command's empty stdin.
func (r *reader) readStdin() {
	if r.stdin < 0 || r.seen.stdinReader != "" {
		return
	}
	const kcmpFile = 0
	same, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(unix.Getpid()), uintptr(r.n.PID), kcmpFile, uintptr(r.stdin), 0, 0)
	if errno == 0 && same == 0 {
		r.seen.stdinReader = r.task().program.name
	}
}

func (r *reader) connect(at uintptr, size int) {
	var b [128]byte
	if size < 2 || size > len(b) {
		return
	}
	r.outside()
	n, _ := readMemory(int(r.n.PID), b[:size], at)
	r.inside()
	if n < size {
		return
	}
	var address string
	port := func() string { return ":" + strconv.Itoa(int(binary.BigEndian.Uint16(b[2:]))) }
	switch family := binary.NativeEndian.Uint16(b[:]); {
	case family == unix.AF_INET && size >= 8:
		address = netip.AddrFrom4([4]byte(b[4:8])).String() + port()
	case family == unix.AF_INET6 && size >= 24:
		address = "[" + netip.AddrFrom16([16]byte(b[8:24])).String() + "]" + port()
	case family == unix.AF_UNIX && size > 3 && b[2] != 0:
		address = unix.ByteSliceToString(b[2:size])
		if st, ok := now(address, true); !ok || st.mode&unix.S_IFMT != unix.S_IFSOCK {
			return // nscd, which each program asks for in vain
		}
	default:
		return
	}
	if _, ok := r.seen.connections[address]; !ok {
		r.seen.connections[address] = r.task().program.name
	}
}

// innerFilter is for a program that puts a filter of its own before its calls.
func (r *reader) innerFilter(n *trap.Notification) {
	task := r.task()
	mode, flags := n.Args[0], n.Args[1]
	if n.Nr == unix.SYS_PRCTL {
		mode, flags = n.Args[1]-1, 0 // its modes are 1 and 2
	}
	if mode == unix.SECCOMP_SET_MODE_STRICT {
		r.giveUp(task.program.name + " wants a strict filter of its own")
		return
	}
	if flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 {
		// Another of us gets EBUSY, and needs nothing more.
		if !r.isOurs(n.PID) {
			r.giveUp(task.program.name + " wants to be told of calls itself")
		}
		return
	}
	var prog [16]byte
	if n, _ := readMemory(int(r.n.PID), prog[:], uintptr(n.Args[2])); n < len(prog) {
		return
	}
	code := make([]unix.SockFilter, min(int(binary.NativeEndian.Uint16(prog[:])), 4096))
	if len(code) == 0 {
		return
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&code[0])), len(code)*8)
	for at := uintptr(binary.NativeEndian.Uint64(prog[8:])); len(raw) > 0; {
		n, err := readMemory(int(r.n.PID), raw[:min(len(raw), pageSize)], at)
		if err != nil || n <= 0 {
			return
		}
		raw, at = raw[n:], at+uintptr(n)
	}
	for _, in := range code {
		// What ours tells of never gets as far as to its debugger.
		if in.Code == unix.BPF_RET|unix.BPF_K && in.K&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_TRACE {
			r.giveUp(task.program.name + " traces calls by a filter of its own")
			return
		}
	}
}

// isOurs reports whether a thread runs this very program.
func (r *reader) isOurs(tid uint32) bool {
	var own, its unix.Stat_t
	return unix.Stat("/proc/self/exe", &own) == nil && unix.Stat(fmt.Sprintf("/proc/%d/exe", tid), &its) == nil &&
		own.Dev == its.Dev && own.Ino == its.Ino
}

// giveUp ends the tree: what it is about to do would end otherwise than without
// us, and to undo it later is too late.
func (r *reader) giveUp(reason string) {
	if r.seen.unwatchable != "" {
		return
	}
	r.seen.unwatchable = reason
	if attr := r.cmd.SysProcAttr; attr != nil && (attr.Setsid || attr.Setpgid) {
		syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	}
	syscall.Kill(r.cmd.Process.Pid, syscall.SIGKILL)
	if r.alive() {
		syscall.Kill(int(r.n.PID), syscall.SIGKILL)
	}
}

func (r *reader) handleForeign(n *trap.Notification) {
	s := &r.seen
	s.unseen(r.task().program.name + " is for another architecture")
	for _, c := range trap.ForeignCalls {
		if n.Arch != trap.ForeignArch || c.Op != trap.OpExecute || int(c.Nr) != int(n.Nr) {
			continue
		}
		dir := int32(unix.AT_FDCWD)
		if c.Dir >= 0 {
			dir = int32(n.Args[c.Dir])
		}
		if name, ok := r.nameAt(r.name[:], dir, uintptr(n.Args[c.Name])); ok {
			r.execute(name, 0, n)
		}
	}
}
