//go:build amd64 || arm64

package watch

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// A call that a signal interrupts before we have received it fails with EINTR
// where the signal's handler has no SA_RESTART, though stat(2) and its like
// never do. So processes that such signals may come to are guarded: a thread of
// ours is their tracer, which the kernel stops them for at each signal, and has
// the interrupted call begin anew. Nothing else of them is traced, no call
// costs more, and most programs never need it: timers, signals sent within the
// tree, and a handler for SIGCHLD or SIGIO are what calls for it.

// guards are the processes that have a guard.
type guards struct {
	guardsMu sync.Mutex
	guarded  map[uint32]bool     // by process
	last     map[uint32]lastCall // by thread: what we last let through
}

// lastCall is a call that was let through.
type lastCall struct {
	nr   int32
	args [6]uint64
	// It may be interrupted without us too if it waits, or if it opens a name
	// that isn't a file's.
	waits bool
	opens string
}

// passed notes what is let through, for the guards.
func (r *reader) passed(n *trap.Notification) {
	r.guardsMu.Lock()
	defer r.guardsMu.Unlock()
	if len(r.guarded) == 0 {
		return
	}
	r.last[n.PID] = lastCall{n.Nr, n.Args, r.waits, string(r.opens)}
}

// mayInterrupt is for calls after which a signal may come.
func (r *reader) mayInterrupt(c *trap.Call, n *trap.Notification) {
	task := r.task()
	switch c.Op {
	case trap.OpTimer:
		if err := r.guard(task.tgid); err != nil && !traced(task.tgid) {
			r.giveUp(task.program.name + " uses timers, and can't be kept from being interrupted: " + err.Error())
		}
	case trap.OpCatch:
		var act [16]byte // handler and flags
		if got, _ := readMemory(int(n.PID), act[:], uintptr(n.Args[1])); got < len(act) {
			return
		}
		const (
			standard = 1          // SIG_DFL and SIG_IGN are not above it
			restart  = 0x10000000 // SA_RESTART
		)
		if binary.NativeEndian.Uint64(act[:]) > standard && binary.NativeEndian.Uint64(act[8:])&restart == 0 {
			r.guard(task.tgid)
		}
	case trap.OpSignal:
		r.signalled(c, n)
	case trap.OpTrace:
		target := uint32(n.Args[1])
		if n.Args[0] == unix.PTRACE_TRACEME {
			target = task.tgid
		}
		if r.isGuarded(target) {
			r.giveUp(task.program.name + " traces a program that is guarded from signals")
		}
	}
}

// signalled guards those that a signal within the tree is for, if they catch it.
func (r *reader) signalled(c *trap.Call, n *trap.Notification) {
	signal := uint(n.Args[c.Flags])
	if signal == 0 || signal > 64 {
		return
	}
	target := int32(0)
	if c.Name >= 0 {
		target = int32(n.Args[c.Name])
	}
	if uint32(target) == n.PID && c.Nr != unix.SYS_KILL {
		return // itself: it is in no other call
	}
	if target > 0 {
		if tgid, ok := r.member(uint32(target)); ok && catches(tgid, 1<<(signal-1)) {
			r.guard(tgid)
		}
		return
	}
	r.guardAll(1 << (signal - 1))
}

// member is the process of a thread of the tree.
func (r *reader) member(tid uint32) (tgid uint32, ok bool) {
	if t := r.seen.tasks[tid]; t != nil {
		return t.tgid, true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return 0, false
	}
	tgid = field(status, "\nTgid:")
	_, process := r.seen.tasks[tgid]
	_, child := r.seen.tasks[field(status, "\nPPid:")]
	return tgid, process || child
}

// guardAll guards all that are known and catch one of some signals.
func (w *Watch) guardAll(signals uint64) {
	done := map[uint32]bool{}
	var all []uint32
	for _, t := range w.seen.tasks {
		if !done[t.tgid] && int(t.tgid) != os.Getpid() && catches(t.tgid, signals) {
			all = append(all, t.tgid)
		}
		done[t.tgid] = true
	}
	w.guard(all...)
}

// BeforeSignal is to be called before a signal is sent to the command, so that
// it interrupts no call that it would not interrupt without us.
func (w *Watch) BeforeSignal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopping.Load() {
		w.guardAll(^uint64(0))
	}
}

// catches reports whether a process has a handler for one of some signals.
func catches(tgid uint32, signals uint64) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tgid))
	_, rest, _ := strings.Cut(string(status), "\nSigCgt:")
	line, _, _ := strings.Cut(rest, "\n")
	caught, _ := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return caught&signals != 0
}

// traced reports whether a process has a tracer.
func traced(tgid uint32) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tgid))
	return field(status, "\nTracerPid:") != 0
}

// guard guards processes from now on until they execute another program or end: with
// one thread for all of them, since the program may have taken all that its user may
// have, and Go ends where it gets none. The error is the last one's.
func (w *Watch) guard(tgids ...uint32) error {
	tgids = slices.DeleteFunc(tgids, w.isGuarded)
	if len(tgids) == 0 {
		return nil
	}
	seized := make(chan error)
	go onFreshThread(func() {
		var last error
		for _, tgid := range tgids {
			if err := w.seize(tgid); err != nil {
				last = err
			}
		}
		seized <- last
		w.attend()
		// What is still traced is let go by the end of the thread.
	})
	return <-seized
}

// setGuarded notes whether a process has a guard.
func (w *Watch) setGuarded(tgid uint32, is bool) {
	w.guardsMu.Lock()
	defer w.guardsMu.Unlock()
	if w.guarded == nil {
		w.guarded, w.last = map[uint32]bool{}, map[uint32]lastCall{}
	}
	if is {
		w.guarded[tgid] = true
	} else {
		delete(w.guarded, tgid)
	}
}

// seize makes this thread the tracer of all threads of a process.
func (w *Watch) seize(tgid uint32) error {
	// Forked processes have the handlers still, until they execute something.
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEEXEC
	have := map[string]bool{}
	for {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", tgid))
		if err != nil {
			return err
		}
		more := false
		for _, e := range entries {
			if have[e.Name()] {
				continue
			}
			have[e.Name()], more = true, true
			tid, _ := strconv.Atoi(e.Name())
			_, err := ptrace(unix.PTRACE_SEIZE, tid, 0, options)
			// One that was made by one that we have already is ours too.
			if err != 0 && err != unix.ESRCH && !(err == unix.EPERM && len(have) > 1) {
				return err
			}
		}
		if !more {
			w.setGuarded(tgid, true)
			return nil
		}
	}
}

func (w *Watch) isGuarded(tgid uint32) bool {
	w.guardsMu.Lock()
	defer w.guardsMu.Unlock()
	return w.guarded[tgid]
}

// attend is what a guard does: it lets go on what stops, and has interrupted
// calls begin anew.
func (w *Watch) attend() {
	for {
		var info [128]byte // siginfo_t
		const options = unix.WSTOPPED | unix.WEXITED | unix.WNOWAIT | unix.WALL | unix.WNOTHREAD
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)), options, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return
		}
		tid := int(int32(binary.NativeEndian.Uint32(info[16:])))
		switch code := int32(binary.NativeEndian.Uint32(info[8:])); code {
		case 1, 2, 3: // it has ended
			w.setGuarded(uint32(tid), false)
			if tid == w.cmd.Process.Pid {
				// The command itself is our child: to wait for it is up to Wait.
				time.Sleep(time.Millisecond)
				continue
			}
			unix.Wait4(tid, nil, unix.WALL|unix.WNOTHREAD, nil)
			continue
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(tid, &status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil); err != nil || !status.Stopped() {
			continue
		}
		const eventStop = 128 // PTRACE_EVENT_STOP
		signal := status.StopSignal()
		switch event := int(status) >> 16; {
		case event == eventStop && (signal == unix.SIGSTOP || signal == unix.SIGTSTP || signal == unix.SIGTTIN || signal == unix.SIGTTOU):
			ptrace(unix.PTRACE_LISTEN, tid, 0, 0) // it stays stopped, as it shall
		case event == unix.PTRACE_EVENT_EXEC:
			// Its handlers are gone.
			w.setGuarded(uint32(tid), false)
			ptrace(unix.PTRACE_DETACH, tid, 0, 0)
		case event == unix.PTRACE_EVENT_FORK:
			if child, err := unix.PtraceGetEventMsg(tid); err == nil {
				w.setGuarded(uint32(child), true)
			}
			fallthrough
		case event != 0:
			ptrace(unix.PTRACE_CONT, tid, 0, 0)
		default:
			w.restart(tid)
			ptrace(unix.PTRACE_CONT, tid, 0, uintptr(signal))
		}
	}
}

// restart has the call that a signal interrupted begin anew after the handler,
// if it would not have been interrupted without us.
func (w *Watch) restart(tid int) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) != nil {
		return
	}
	nr, args := trap.Interrupted(&regs)
	table := trap.ByNumber()
	if nr >= uint64(len(table)) || table[nr] == nil || !table[nr].Told(args) {
		return
	}
	w.guardsMu.Lock()
	last, ok := w.last[uint32(tid)]
	w.guardsMu.Unlock()
	if ok && last.nr == int32(nr) && last.args == args {
		// It was let through, and waited for something of its own.
		if last.waits {
			return
		}
		if st, ok := now(last.opens, true); last.opens != "" && ok && st.mode&unix.S_IFMT != unix.S_IFREG && st.mode&unix.S_IFMT != unix.S_IFDIR {
			return
		}
	}
	instruction := func(at uint64) uint32 {
		var b [4]byte
		readMemory(tid, b[:], uintptr(at))
		return binary.NativeEndian.Uint32(b[:])
	}
	if trap.RestartAnyway(&regs, instruction) {
		unix.PtraceSetRegs(tid, &regs)
	}
}

func ptrace(request, tid int, addr, data uintptr) (uintptr, unix.Errno) {
	r, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return r, errno
}
