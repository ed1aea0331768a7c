//go:build amd64 || arm64

package watch

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// Supported is whether there is a way to watch on this system at all.
const Supported = true

// Watch is a command that is being watched.
type Watch struct {
	cmd        *exec.Cmd
	listener   int
	keeper     *trap.Keeper
	restricted bool
	late       time.Duration
	starterID  int // of the thread that started the command
	stdin      int // the empty one that we gave the command, or -1
	process    int // a descriptor of the command's process, or -1
	stop       chan struct{}
	ended      chan struct{} // nobody reads any more

	stopping atomic.Bool
	active   atomic.Pointer[reader]
	resting  atomic.Bool   // the watchdog sleeps
	wake     chan struct{} // and is woken by this

	mu   sync.Mutex // held by the active reader but while it waits for the system
	seen seen
	// stuck is set once a reader's place was taken by another.
	stuck bool
	guards
}

// Start starts a command so that its calls, and those of all that it starts,
// are seen. An error is an *Unavailable, with the command not started, or what
// cmd.Start said. Wait and then Finish have to be called.
//
// The filter is put before a thread of our own, from which the command is
// started and inherits it. No shim stands between, the command's process ID is
// that of cmd.Process, and cmd.SysProcAttr means what it always means;
// Pdeathsig comes when we end, since the thread lives until Finish.
func Start(cmd *exec.Cmd, o Options) (*Watch, error) {
	trap.Reap()
	twoProcessors()
	w := &Watch{
		cmd: cmd, listener: -1, stdin: -1, process: -1, late: o.Late,
		stop: make(chan struct{}), ended: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	if w.late <= 0 {
		w.late = 100 * time.Millisecond
	}
	if err := mayRead(); err != nil {
		return nil, err
	}
	if cmd.Stdin == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		defer null.Close()
		cmd.Stdin = null
		if w.stdin, err = unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return nil, err
		}
	}
	w.restricted = !trap.Privileged()
	w.seen.begin(w)
	if w.restricted {
		if reason := w.seen.losesRights(cmd.Path); reason != "" {
			w.close()
			return nil, &Unavailable{Reason: reason}
		}
	}
	installed, begin, started := make(chan error, 1), make(chan bool, 1), make(chan error, 1)
	go onFreshThread(func() { w.starter(installed, begin, started) })
	r := w.newReader(0)
	r.first()
	if err := <-installed; err != nil {
		w.close()
		return nil, err
	}
	err := w.prepare()
	if begin <- err == nil; err != nil {
		w.close()
		return nil, err
	}
	if err := w.awaitStart(started); err != nil {
		w.keeper.TakeOver(false, false)
		w.keeper.Wait()
		w.close()
		return nil, err
	}
	r.n = w.keeper.Call(0)
	go r.run()
	go w.watchdog()
	return w, nil
}

// awaitStart waits until the command is executed, which the keeper lets through. If
// somebody has killed that, another one does.
func (w *Watch) awaitStart(started <-chan error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-started:
			return err
		case <-tick.C:
			if w.keeper.Killed() {
				w.replaceKeeper()
			}
		}
	}
}

// replaceKeeper puts another keeper in the place of one that was killed, if it can be
// had. What that one had received nobody will receive again; and if that was the execution
// of the command, all that comes after it is the readers'.
func (w *Watch) replaceKeeper() {
	last := w.keeper.Received()
	if last.ID != 0 {
		trap.LetThrough(w.listener, last.ID)
	}
	if other, err := trap.StartKeeper(w.listener, last.Executes()); err == nil {
		w.keeper.TakeOver(false, w.stuck)
		w.keeper = other
	}
}

// Wait waits for the command as cmd.Wait does, which must not be called itself
// before the command has ended: a guard's stops would look like an end to it,
// since a tracer in our own process hides nothing from us.
func (w *Watch) Wait() error {
	for w.process >= 0 {
		poll := []unix.PollFd{{Fd: int32(w.process), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, -1); err != unix.EINTR && (err != nil || n > 0) {
			break
		}
	}
	return w.cmd.Wait()
}

// starter is the thread that starts the command. It ends with the watch.
func (w *Watch) starter(installed chan<- error, begin <-chan bool, started chan<- error) {
	w.starterID = unix.Gettid()
	var err error
	w.listener, err = trap.Install(w.restricted)
	var refused *trap.Refused
	if errors.As(err, &refused) {
		err = &Unavailable{Reason: refused.Reason, Err: refused.Err}
	}
	installed <- err
	if err != nil {
		return
	}
	unix.Faccessat(unix.AT_FDCWD, selfTest, unix.F_OK, 0)
	if !<-begin {
		return
	}
	if err := startUncollected(w.cmd); err != nil {
		started <- err
		return
	}
	w.process, err = unix.PidfdOpen(w.cmd.Process.Pid, 0)
	if err != nil {
		w.process = -1
	}
	started <- nil
	<-w.stop
	// A last call, by which the reader knows that all before it were seen.
	unix.Faccessat(unix.AT_FDCWD, "/", unix.F_OK, 0)
}

// A thread that has forked keeps its processor, in the words of Go's runtime, until its
// child executes the command. Should the keeper, which lets that through, be killed, it takes
// another processor to put one in its place, and a collection of garbage would stop that one,
// and wait for the first, for ever.
var (
	twoProcessors = sync.OnceFunc(func() {
		if runtime.GOMAXPROCS(0) == 1 {
			runtime.GOMAXPROCS(2)
		}
	})
	uncollected sync.Mutex
)

// startUncollected starts a command while no garbage is collected. One at a time is started
// in any case.
func startUncollected(cmd *exec.Cmd) error {
	uncollected.Lock()
	defer uncollected.Unlock()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return cmd.Start()
}

// onFreshThread runs f on a thread that ends with it.
func onFreshThread(f func()) {
	runtime.LockOSThread() // and never unlocked: so the thread ends
	if unix.Gettid() == unix.Getpid() {
		// The first thread never ends. Held, it can't be what we get next.
		done := make(chan struct{})
		go func() { defer close(done); onFreshThread(f) }()
		<-done
		runtime.UnlockOSThread()
		return
	}
	f()
}

// selfTest is a name that nobody has, and that we look for at each start.
const selfTest = "/dvlcache-looks-whether-it-sees"

// prepare is what is between the filter and the start of the command.
func (w *Watch) prepare() error {
	var n trap.Notification
	for {
		errno := trap.Receive(w.listener, &n)
		if errno == unix.EINTR || errno == unix.ENOENT { // a signal, for us or for the thread: it begins its call anew
			continue
		}
		if errno != 0 {
			// Nobody will answer: closing the listener lets the thread go.
			unix.Close(w.listener)
			w.listener = -1
			return &Unavailable{Reason: "the system doesn't hand over what it caught", Err: errno}
		}
		break
	}
	// The thread asks with a C string of its own memory.
	buf := make([]byte, len(selfTest)+1)
	got, err := readMemory(int(n.PID), buf, uintptr(n.Args[1]))
	trap.LetThrough(w.listener, n.ID)
	if err != nil || !bytes.Equal(buf[:got], append([]byte(selfTest), 0)) {
		return &Unavailable{Reason: "the names in calls can't be read", Err: err}
	}
	if w.keeper, err = trap.StartKeeper(w.listener, false); err != nil {
		return &Unavailable{Reason: "no keeper could be started", Err: err}
	}
	return nil
}

// mayRead says in an error if the memory of our children can't be read.
func mayRead() error {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if scope := string(bytes.TrimSpace(scope)); err == nil && (scope == "0" || scope == "1" || scope == "2" && trap.Privileged()) {
		return nil
	}
	return &Unavailable{Reason: "kernel.yama.ptrace_scope forbids it", Err: err}
}

func (w *Watch) close() {
	for _, fd := range []*int{&w.listener, &w.stdin, &w.process} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// readMemory reads a thread's memory, up to the end of the page where what
// follows isn't there.
func readMemory(tid int, buf []byte, at uintptr) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	local := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	// What can't be read in one part isn't read in part: so a part a page.
	var remote [3]unix.RemoteIovec
	parts, rest := 0, len(buf)
	for rest > 0 && parts < len(remote) {
		n := min(rest, pageSize-int(at)%pageSize)
		remote[parts] = unix.RemoteIovec{Base: at, Len: n}
		parts, rest, at = parts+1, rest-n, at+uintptr(n)
	}
	n, _, errno := unix.Syscall6(unix.SYS_PROCESS_VM_READV, uintptr(tid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), uintptr(parts), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pageSize is the smallest that there is: larger ones are multiples of it.
const pageSize = 4096
