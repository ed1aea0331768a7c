// Package process runs a program: in a group of its own, which it ends if need be,
// with the signals that are passed on to it and the end of its stdout.
package process

import (
	"context"
	"errors"
	"io"
	"os"
	osexec "os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dvlcache/exec/process/watch"
)

const (
	// captured is how much of a program's stdout is kept while it runs, in
	// bytes.
	Captured = 1 << 20
	// lastPrinted is how much is kept of what a program printed that failed, in
	// bytes: a batch may hold many of them.
	lastPrinted = 2 << 10
	// openGrace is how long a program's stdout may stay open after its end.
	openGrace = time.Second
)

// Outcome is what came of a program that exited with status 0; of one that failed it is
// the Trace alone.
type Outcome struct {
	Stdout  []byte // its end; see Tail.Lines
	Cut     bool   // there was more
	Open    bool   // somebody still holds stdout
	Left    bool   // a process that it started lives on
	Seconds float64
	// Trace is what the program and all that it started were seen to use; nil if it
	// was not watched. Unwatched says why, where it should have been.
	Trace     *watch.Trace
	Unwatched error

	runner  *Runner
	signals int64 // that had come before it ran
	ended   time.Time
}

// Signaled reports whether a signal came to us or was passed on during the run: many
// programs print what they have by then, and exit with status 0. A scheduler sends
// its signals to the program and to us, one after the other, so Signaled waits for a
// moment after the end of the run: a fiftieth of its time, and at most 100 ms.
func (o *Outcome) Signaled() bool {
	const longest = 100 * time.Millisecond
	moment := min(time.Duration(o.Seconds*float64(time.Second))/50, longest)
	time.Sleep(moment - time.Since(o.ended))
	return o.runner.signals.Load() != o.signals
}

// Runner runs programs and passes signals on to them. It may be used by many
// goroutines.
type Runner struct {
	// Stderr is what programs get as their stderr.
	Stderr *os.File
	// Grace is how long a program has to end after SIGTERM, before SIGKILL.
	Grace time.Duration

	starting sync.Mutex // held while a program is started, until it is in groups
	mu       sync.Mutex
	groups   map[int]*running
	signals  atomic.Int64 // that came, or were passed on
	short    atomic.Bool  // there was too little for watching the last time
}

// Interrupted notes that a signal has come that asks us to end: see
// Outcome.Signaled.
func (r *Runner) Interrupted() { r.signals.Add(1) }

// Signal sends a signal to the process groups of all running programs, and of
// one that is being started as soon as it is: it may have done something by
// which others know that it runs.
func (r *Runner) Signal(sig syscall.Signal) {
	if sig != sigstop && sig != sigcont { // by which nothing is cut short
		r.signals.Add(1)
	}
	for range 1000 { // not for ever: an exec may hang, on a dead file system
		if r.starting.TryLock() {
			defer r.starting.Unlock()
			break
		}
		time.Sleep(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid := range r.groups {
		r.send(pid, sig)
	}
}

// send sends a signal to a group, if it is there. It needs the lock.
func (r *Runner) send(pid int, sig syscall.Signal) {
	if p := r.groups[pid]; p != nil && p.watch != nil && sig != syscall.SIGKILL { // which nothing outlasts
		p.watch.BeforeSignal()
	}
	signalGroup(pid, sig)
}

// running is a program that runs.
type running struct {
	*osexec.Cmd
	out       *os.File     // its stdout
	watch     *watch.Watch // nil: it isn't watched
	unwatched error        // why not
}

func (r *Runner) begins(p *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.groups == nil {
		r.groups = map[int]*running{}
	}
	r.groups[p.Process.Pid] = p
}

func (r *Runner) ends(p *running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.groups, p.Process.Pid)
}

// wait waits for the program.
func (p *running) wait() error {
	if p.watch != nil {
		return p.watch.Wait()
	}
	return p.Wait()
}

// Run runs a program to its end, in a session of its own: one that wants to ask
// on the terminal fails, where in a mere group it would be stopped for ever.
// When the context ends first, or the timeout, it ends the program's whole
// group. Its errors are *StartError, *ExitError, *TimeoutError, and the cause of
// the context's end.
func (r *Runner) Run(ctx context.Context, c Command) (Outcome, error) {
	name := c.Args[0]
	// The kernel ends the program when the thread that started it ends: this
	// one, which waits for it in a system call and so costs no switches.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := r.signals.Load()
	p, start, err := r.begin(ctx, c)
	var unavailable *watch.Unavailable
	if errors.As(err, &unavailable) {
		return Outcome{}, err
	}
	if err != nil {
		return Outcome{}, startError(name, err)
	}
	out := p.out
	defer out.Close()
	pid := p.Process.Pid
	defer r.ends(p)
	spareUpThreads()
	// Once nothing of it is of interest any more; what still runs goes on.
	finish := sync.OnceValue(func() *watch.Trace {
		if p.watch == nil {
			return nil
		}
		return p.watch.Finish()
	})
	defer finish()

	kept := &Tail{Limit: Captured}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		var w io.Writer = kept
		if c.Tee {
			shown := &tee{to: r.Stderr}
			defer shown.endLine()
			w = io.MultiWriter(kept, shown)
		}
		io.Copy(w, struct{ io.Reader }{out})
	}()
	ended := make(chan struct{})
	stopped := make(chan error, 1)
	go func() { stopped <- r.guard(ctx, name, pid, c.Timeout, ended) }()
	err = p.wait()
	close(ended)
	var failed *TimeoutError
	if err := <-stopped; errors.As(err, &failed) {
		failed.Last = last(ctx, c, out, drained, kept)
		return Outcome{Trace: finish()}, failed
	} else if err != nil {
		return Outcome{Trace: finish()}, err
	}
	result := Outcome{Seconds: time.Since(start).Seconds(), Unwatched: p.unwatched, runner: r, signals: signals, ended: time.Now()}
	var exit *ExitError
	if err := exitError(name, p.ProcessState, err); errors.As(err, &exit) {
		if trace := finish(); trace != nil && trace.Unwatchable != "" {
			// It was ended just before it would have failed under watch.
			unwatchable := &UnwatchableError{trace.Unwatchable}
			if c.Watch == WatchOrFail {
				return Outcome{}, unwatchable
			}
			c.Watch = Unwatched
			again, err := r.Run(ctx, c)
			again.Unwatched = unwatchable
			return again, err
		}
		exit.Last = last(ctx, c, out, drained, kept)
		return Outcome{Trace: finish()}, exit
	} else if err != nil {
		return Outcome{Trace: finish()}, err
	}
	if result.Open = staysOpen(ctx, drained); result.Open && ctx.Err() != nil {
		r.end(pid, nil)
		return Outcome{Trace: finish()}, context.Cause(ctx)
	}
	out.SetReadDeadline(time.Now())
	<-drained
	result.Stdout, result.Cut = kept.Lines()
	result.Left = groupExists(pid)
	result.Trace = finish()
	return result, nil
}

// last is what a program that failed wrote last.
func last(ctx context.Context, c Command, out *os.File, drained <-chan struct{}, kept *Tail) (l Last) {
	staysOpen(ctx, drained)
	out.SetReadDeadline(time.Now())
	<-drained // or --tee would not have shown all of it
	if c.Tee {
		return l
	}
	l.Stdout, l.Cut = kept.Last(lastPrinted)
	return l
}

// staysOpen waits until stdout is read to its end, and reports whether somebody
// holds it for longer than the grace.
func staysOpen(ctx context.Context, drained <-chan struct{}) bool {
	// In steps: where the machine is so busy that we ourselves did not run
	// for a while, the grace would be over before we have read what is there.
	const steps = 20
	done := ctx.Done()
	for i := 0; i < steps; i++ {
		t := time.NewTimer(openGrace / steps)
		select {
		case <-drained:
			return false
		case <-t.C:
		case <-done:
			// What is there is still read: the program has ended.
			done, i = nil, max(i, steps-4)
		}
		t.Stop()
	}
	return true
}

// start starts a program and sets it running.
func (r *Runner) start(c Command) (*running, error) {
	r.starting.Lock() // several at once could take from each other what one needs
	defer r.starting.Unlock()
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	command := func() *osexec.Cmd {
		cmd := &osexec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Stdin: c.Stdin, Stdout: stdout, Stderr: r.Stderr}
		cmd.SysProcAttr = ownSession()
		// A grandchild may hold on to the stdin that we copy; see Cmd.WaitDelay.
		cmd.WaitDelay = openGrace
		return cmd
	}
	p := &running{Cmd: command(), out: out}
	var unavailable *watch.Unavailable
	if c.Watch != Unwatched {
		p.watch, err = watch.Start(p.Cmd, watch.Options{})
		err = beyondLimit(err)
		if !Scarce(err) && errors.As(err, &unavailable) { // or there may be enough soon
			p.unwatched = unavailable
		}
	}
	if c.Watch == Unwatched || unavailable != nil && c.Watch != WatchOrFail {
		p.Cmd = command()
		err = p.Start()
	}
	if err != nil {
		out.Close()
		return nil, beyondLimit(err)
	}
	r.begins(p)
	return p, nil
}

// guard ends a program's group if the context or the timeout ends before the
// program, and says which it was. On a busy machine we may hear of both ends at
// once: a group that is gone was first.
func (r *Runner) guard(ctx context.Context, name string, pid int, timeout time.Duration, ended <-chan struct{}) error {
	var expired <-chan time.Time
	if timeout > 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		expired = t.C
	}
	var err error
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-expired:
		err = &TimeoutError{Command: name, After: timeout}
	}
	select {
	case <-ended:
		return nil
	default:
	}
	if !groupExists(pid) {
		<-ended
		return nil
	}
	r.end(pid, ended)
	return err
}

// end ends a group: SIGTERM, and SIGKILL for what is left of it after the
// grace. ended is nil if the group's leader has ended already.
func (r *Runner) end(pid int, ended <-chan struct{}) {
	r.signalOne(pid, syscall.SIGTERM)
	r.signalOne(pid, sigcont)
	deadline := time.Now().Add(r.Grace)
	if ended != nil {
		t := time.NewTimer(r.Grace)
		defer t.Stop()
		select {
		case <-ended:
			ended = nil
		case <-t.C:
		}
	}
	for time.Now().Before(deadline) && groupAlive(pid) {
		time.Sleep(10 * time.Millisecond)
	}
	r.signalOne(pid, syscall.SIGKILL)
	if ended != nil {
		<-ended
	}
}

// signalOne is send under the lock.
func (r *Runner) signalOne(pid int, sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(pid, sig)
}
