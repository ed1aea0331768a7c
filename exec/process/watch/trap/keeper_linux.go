//go:build amd64 || arm64

package trap

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Slots is how many readers can be at work, most of them stuck in a file
// system that doesn't answer.
const Slots = 16

// shared is memory that the keeper shares with us. Each reader has the kernel
// write the call that it receives into a slot of it. So if we are killed, even
// between the receipt and the return to our code, the keeper knows which calls
// wait for an answer that nobody else would give.
type shared struct {
	slot   [Slots]Notification
	keeper Notification
	answer answer
	poll   [2]unix.PollFd
	name   [16]byte
	took   uint32 // the keeper has taken over
	// started says that the command was executed before the keeper was there.
	started bool
}

// Keeper is a process that answers the calls of the watched tree when we don't:
// while the command is started, and for what outlives it or us. Without it
// these calls would fail with ENOSYS as soon as the listener is closed.
type Keeper struct {
	pid  int
	gone bool // it was killed, and waited for
	pipe int  // closed, by us or by our end, it tells the keeper to take over
	mem  *shared
	raw  []byte
	ends bool // it was killed
}

// StartKeeper forks a keeper. It is a fork without exec, which would cost more
// than all the rest: the child runs keep alone, which calls nothing of Go's
// runtime, as between fork and exec in package syscall.
//
// Until a program is executed it answers all calls. started says that this has been.
func StartKeeper(listener int, started bool) (*Keeper, error) {
	raw, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(shared{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		unix.Munmap(raw)
		return nil, err
	}
	k := &Keeper{pipe: pipe[1], raw: raw, mem: (*shared)(unsafe.Pointer(&raw[0]))}
	copy(k.mem.name[:], "dvlcache-keeper")
	k.mem.started = started
	k.pid, err = forkKeeper(listener, pipe[0], k.mem)
	unix.Close(pipe[0])
	if err != nil {
		unix.Close(pipe[1])
		unix.Munmap(raw)
		return nil, err
	}
	return k, nil
}

// forking is held by the one that forks: what one leaves out, another may need.
var forking sync.Mutex

func forkKeeper(listener, pipe int, mem *shared) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	forking.Lock()
	defer forking.Unlock()
	// The child must not run a signal handler: that is Go's.
	all, old := ^uint64(0), uint64(0)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	pid, errno := forkAndKeep(uintptr(listener), uintptr(pipe), mem)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), nil
}

// leaveHeap has the kernel leave our heap out of the child of a fork, but for the piece
// that the stack lies in. Else we would pay for a copy of each page of it that we write to
// afterwards: a millisecond for one evaluation. What is there by mistake, or isn't, costs
// time alone, but for what keep uses: its stack, its code, and what is shared. It must run
// where the stack can't move any more before the fork.
//
//go:noinline
//go:norace
//go:nosplit
func leaveHeap() {
	const (
		arena = 64 << 20 // the heap consists of such, and each begins at a multiple
		piece = 64 << 10 // far more than keep needs, and a multiple of every page
	)
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	// Of an arena that is partly there the kernel does that part.
	syscall.RawSyscall(unix.SYS_MADVISE, at&^(arena-1), arena, unix.MADV_DONTFORK)
	syscall.RawSyscall(unix.SYS_MADVISE, at&^(piece-1)-piece, 3*piece, unix.MADV_DOFORK)
}

//go:noinline
//go:norace
//go:nosplit
func forkAndKeep(listener, pipe uintptr, mem *shared) (uintptr, syscall.Errno) {
	leaveHeap()
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	keep(listener, pipe, mem)
	return 0, 0
}

// keep is all that the keeper does; it never returns. It must not grow its
// stack, allocate or write pointers: the child has one thread and no runtime.
//
//go:noinline
//go:norace
//go:nosplit
func keep(listener, pipe uintptr, mem *shared) {
	n, a, p := uintptr(unsafe.Pointer(&mem.keeper)), uintptr(unsafe.Pointer(&mem.answer)), uintptr(unsafe.Pointer(&mem.poll))
	// A session of its own: signals for our group aren't for it. Nothing of
	// ours stays open, above all no lock and nobody's output.
	syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&mem.name)), 0, 0, 0, 0)
	low, high := listener, pipe
	if low > high {
		low, high = high, low
	}
	if low > 0 {
		syscall.RawSyscall(unix.SYS_CLOSE_RANGE, 0, low-1, 0)
	}
	if high-low > 1 {
		syscall.RawSyscall(unix.SYS_CLOSE_RANGE, low+1, high-1, 0)
	}
	syscall.RawSyscall(unix.SYS_CLOSE_RANGE, high+1, 1<<31, 0)
	mem.name[0] = '/'
	mem.name[1] = 0
	syscall.RawSyscall(unix.SYS_CHDIR, uintptr(unsafe.Pointer(&mem.name)), 0, 0)

	// Until the command is executed the calls are those of our own thread that
	// starts it, which holds what our other threads need to run.
	mem.poll[0].Fd = int32(listener)
	mem.poll[0].Events = unix.POLLIN
	mem.poll[1].Fd = int32(pipe)
	mem.poll[1].Events = unix.POLLIN
	for !mem.started {
		mem.poll[0].Revents = 0
		mem.poll[1].Revents = 0
		// ppoll(2), since newer architectures have no poll(2).
		syscall.RawSyscall6(unix.SYS_PPOLL, p, 2, 0, 0, 0, 0)
		if mem.poll[1].Revents != 0 || mem.poll[0].Revents&unix.POLLHUP != 0 {
			break
		}
		if mem.poll[0].Revents&unix.POLLIN == 0 {
			continue
		}
		if !answerOne(listener, n, a, mem) {
			continue
		}
		if mem.keeper.Nr == unix.SYS_EXECVE || mem.keeper.Nr == unix.SYS_EXECVEAT {
			break
		}
	}
	// Now others answer, as long as they hold the pipe.
	for {
		r, _, errno := syscall.RawSyscall(unix.SYS_READ, pipe, n, 1)
		if errno != syscall.EINTR && (errno != 0 || r == 0) {
			break
		}
	}
	mem.took = 1
	for i := range mem.slot {
		if mem.slot[i].ID != 0 {
			mem.answer.id = mem.slot[i].ID
			mem.answer.flags = letGo
			syscall.RawSyscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, a)
		}
	}
	for {
		mem.poll[0].Revents = 0
		syscall.RawSyscall6(unix.SYS_PPOLL, p, 1, 0, 0, 0, 0)
		if mem.poll[0].Revents&unix.POLLIN != 0 {
			answerOne(listener, n, a, mem)
		} else if mem.poll[0].Revents != 0 {
			break // the last one has gone
		}
	}
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// answerOne receives a call and lets it through.
//
//go:noinline
//go:norace
//go:nosplit
func answerOne(listener, n, a uintptr, mem *shared) bool {
	mem.keeper.ID = 0
	mem.keeper.PID = 0
	mem.keeper.flags = 0
	mem.keeper.Nr = 0
	mem.keeper.Arch = 0
	mem.keeper.ip = 0
	for i := range mem.keeper.Args {
		mem.keeper.Args[i] = 0
	}
	if _, _, errno := syscall.RawSyscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_RECV, n); errno != 0 {
		return false
	}
	mem.answer.id = mem.keeper.ID
	mem.answer.flags = letGo
	syscall.RawSyscall(unix.SYS_IOCTL, listener, unix.SECCOMP_IOCTL_NOTIF_SEND, a)
	return true
}

// Call is where a reader has the kernel write the call that it receives; slot is below
// Slots.
func (k *Keeper) Call(slot int) *Notification { return &k.mem.slot[slot] }

// Killed reports whether somebody has killed the keeper, which ends itself only when it
// has taken over.
func (k *Keeper) Killed() bool {
	if !k.gone {
		pid, err := unix.Wait4(k.pid, nil, unix.WNOHANG, nil)
		// A guard may have waited for it, on the thread that it was forked from.
		k.gone = err == nil && pid == k.pid || err == unix.ECHILD
	}
	return k.gone
}

// Received is the call that the keeper has received last: one that was killed may not have
// let it through. Its ID is 0 if there is none.
func (k *Keeper) Received() *Notification { return &k.mem.keeper }

// Executes reports whether a call executes a program.
func (n *Notification) Executes() bool {
	return n.ID != 0 && (n.Nr == unix.SYS_EXECVE || n.Nr == unix.SYS_EXECVEAT)
}

// HandOver has the keeper answer what no reader can, since all are stuck.
func (k *Keeper) HandOver() {
	if k.pipe >= 0 {
		unix.Close(k.pipe)
		k.pipe = -1
	}
}

// TakesOver is HandOver at the end, and reports whether the keeper lives to do so. One
// that is stopped will when it goes on.
func (k *Keeper) TakesOver() bool {
	k.HandOver()
	for range 2000 {
		if atomic.LoadUint32(&k.mem.took) != 0 {
			return true
		} else if k.Killed() {
			return false
		}
		time.Sleep(50 * time.Microsecond)
	}
	return true
}

// TakeOver lets the keeper answer from now on. needed is whether anybody is
// left to be answered: if not, Wait has to be called. stuck is whether a reader has
// still a slot.
func (k *Keeper) TakeOver(needed, stuck bool) {
	if !stuck {
		unix.Munmap(k.raw) // the keeper's stays
	}
	k.HandOver()
	if k.gone {
		return
	}
	if !needed {
		k.ends = true
		unix.Kill(k.pid, unix.SIGKILL)
		return
	}
	keepers.Lock()
	defer keepers.Unlock()
	keepers.left = append(keepers.left, k.pid)
}

// Wait waits for the end of a keeper that isn't needed.
func (k *Keeper) Wait() {
	for k.ends {
		if _, err := unix.Wait4(k.pid, nil, 0, nil); err != unix.EINTR {
			k.ends = false
		}
	}
}

// keepers are those that answer for what outlived its command.
var keepers struct {
	sync.Mutex
	left []int
}

// Reap waits for the keepers that have ended, and returns how many have not.
func Reap() int {
	keepers.Lock()
	defer keepers.Unlock()
	left := keepers.left[:0]
	for _, pid := range keepers.left {
		if p, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == unix.EINTR || err == nil && p == 0 {
			left = append(left, pid)
		}
	}
	keepers.left = left
	return len(left)
}
