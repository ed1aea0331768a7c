//go:build unix

package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dvlcache/cache/memcached/memcachedtest"
)

// workbench is a folder with a cache of its own, in which the real program runs.
type workbench struct {
	testing.TB
	dir, binary string
	env         []string
}

func newWorkbench(t testing.TB) *workbench {
	t.Helper()
	binary, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// A machine that is busy, or has a slow disk, may let a lock stand still for
	// longer than users would wait. And programs of tests wait for files that
	// appear and count their calls in others: to see that they read them would be
	// right, and is tested elsewhere.
	env := append(os.Environ(), "DVLCACHE_DIR="+filepath.Join(dir, ".cache"), "XDG_CONFIG_HOME="+dir, "DVLCACHE_LOCK_TIMEOUT=2m", "DVLCACHE_TRACK=args")
	return &workbench{t, dir, binary, env}
}

// backends are those that processes can share.
var backends = []string{"bolt", "session", "memcached", "folder"}

// onEachBackend runs a test on each backend, side by side.
func onEachBackend(t *testing.T, test func(t *testing.T, b *workbench)) {
	t.Parallel()
	for _, backend := range backends {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			onBackend(t, backend, test)
		})
	}
}

// onEachBackendAlone is for tests that keep all cores busy with dozens of
// processes: beside each other these would only be in each other's way.
func onEachBackendAlone(t *testing.T, test func(t *testing.T, b *workbench)) {
	for _, backend := range backends {
		t.Run(backend, func(t *testing.T) { onBackend(t, backend, test) })
	}
}

func onBackend(t *testing.T, backend string, test func(t *testing.T, b *workbench)) {
	b := newWorkbench(t)
	switch backend {
	case "session":
		session := b.command("session", "--", "sh", "-c", "echo $DVLCACHE_SESSION >folder; while ! test -e end; do sleep 0.02; done")
		if err := session.Start(); err != nil {
			t.Fatal(err)
		}
		b.wait("the session begins", func() bool { return len(b.lines("folder")) == 1 })
		b.env = append(b.env, "DVLCACHE_SESSION="+b.lines("folder")[0])
		defer session.Wait()
		defer b.write("end", "")
	case "folder":
		b.env = append(b.env, "DVLCACHE_FOLDER="+filepath.Join(b.dir, ".shared"))
	case "memcached":
		b.env = append(b.env, "DVLCACHE_MEMCACHED="+memcachedtest.Start(t).Address)
	}
	test(t, b)
}

func (b *workbench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *workbench) write(name, text string) {
	b.Helper()
	if err := writeProgram(b.path(name), text); err != nil {
		b.Fatal(err)
	}
}

func (b *workbench) command(args ...string) *osexec.Cmd {
	c := osexec.Command(b.binary, args...)
	c.Dir, c.Env = b.dir, slices.Clone(b.env)
	return c
}

// run runs dvlcache and returns its stdout, stderr and status.
func (b *workbench) run(args ...string) (stdout, stderr string, status int) {
	b.Helper()
	c := b.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// number runs dvlcache and returns the number it prints; anything else fails
// the test.
func (b *workbench) number(args ...string) string {
	b.Helper()
	out, errs, status := b.run(args...)
	if status != 0 {
		b.Fatalf("%q: status %d\n%s", args, status, errs)
	}
	return strings.TrimSpace(out)
}

// lines returns the lines of a file, which may be missing.
func (b *workbench) lines(name string) []string {
	data, _ := os.ReadFile(b.path(name))
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")[:strings.Count(string(data), "\n")]
}

// wait waits until something holds; the limit is for tests that hang.
func (b *workbench) wait(what string, holds func() bool) {
	b.Helper()
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	b.Fatalf("waited in vain: %s", what)
}

// processKiB reads a figure of a process from /proc, in KiB.
func processKiB(pid int, what string) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), what)
	if fields := strings.Fields(rest); len(fields) > 0 {
		kib, _ := strconv.Atoi(fields[0])
		return kib
	}
	return 0
}

// pending reports whether a signal to a process is still on its way. Where that
// can't be seen it takes its time.
func pending(pid int, sig syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		time.Sleep(time.Second)
		return false
	}
	for _, what := range []string{"SigPnd:", "ShdPnd:"} {
		_, rest, _ := strings.Cut(string(status), what)
		set, _ := strconv.ParseUint(strings.Fields(rest + " 0")[0], 16, 64)
		if set&(1<<(sig-1)) != 0 {
			return true
		}
	}
	return false
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// TestSingleFlight: of 64 callers of one cold key one evaluates.
func TestSingleFlight(t *testing.T) { onEachBackend(t, testSingleFlight) }

func testSingleFlight(t *testing.T, b *workbench) {
	b.write("train.sh", "#!/bin/sh\necho $$ >>calls\nsleep 1\necho 0.$$\n")
	start := time.Now()
	var wg sync.WaitGroup
	answers := make([]string, 64)
	for i := range answers {
		wg.Go(func() { answers[i] = b.number("run", "--", "./train.sh") })
	}
	wg.Wait()
	t.Logf("64 callers, 1 s of evaluation: %v", time.Since(start))
	if calls := b.lines("calls"); len(calls) != 1 {
		t.Errorf("%d evaluations", len(calls))
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers differ: %q and %q", a, answers[0])
		}
	}
	if left, _ := os.ReadDir(b.path(".cache/leases")); len(left) != 0 {
		t.Errorf("%d leases are left behind", len(left))
	}
}

// TestSingleFlightHolderKilled: if the one that evaluates dies, another does.
func TestSingleFlightHolderKilled(t *testing.T) { onEachBackend(t, testSingleFlightHolderKilled) }

func testSingleFlightHolderKilled(t *testing.T, b *workbench) {
	b.write("train.sh", "#!/bin/sh\necho $$ >>calls\nwhile ! test -e go; do sleep 0.01; done\necho 0.$$\n")
	first := b.command("run", "--", "./train.sh")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("the first evaluates", func() bool { return len(b.lines("calls")) == 1 })
	var wg sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		wg.Go(func() { answers[i] = b.number("run", "--", "./train.sh") })
	}
	time.Sleep(100 * time.Millisecond) // most of them wait by now; the test is right in any case
	first.Process.Kill()
	first.Wait()
	b.wait("another takes over", func() bool { return len(b.lines("calls")) == 2 })
	if runtime.GOOS == "linux" {
		orphan, _ := strconv.Atoi(b.lines("calls")[0])
		b.wait("the killed one's program is gone", func() bool { return !alive(orphan) })
	}
	b.write("go", "")
	wg.Wait()
	if n := len(b.lines("calls")); n != 2 {
		t.Errorf("%d evaluations", n)
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers differ: %q and %q", a, answers[0])
		}
	}
}

// TestSingleFlightHolderFails: if it fails, the others go ahead side by side.
func TestSingleFlightHolderFails(t *testing.T) { onEachBackend(t, testSingleFlightHolderFails) }

func testSingleFlightHolderFails(t *testing.T, b *workbench) {
	const callers = 8
	// Each program but the first waits until all others are there: it
	// would for ever if they stood in line.
	b.write("train.sh", `#!/bin/sh
echo $$ >>calls.$1
if mkdir first.$1 2>/dev/null; then
	while ! test -e go.$1; do sleep 0.01; done
	exit 7
fi
while test $(wc -l <calls.$1) -lt `+strconv.Itoa(callers)+` && ! test -e late.$1; do sleep 0.01; done
exit 8
`)
	// Who comes when the first has failed is a first again, and the others
	// wait for it. On a busy machine they come late, so they get more time.
	for _, pause := range []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second} {
		try := pause.String()
		statuses := make(chan int, callers)
		for range callers {
			go func() {
				_, _, status := b.run("run", "--", "./train.sh", try)
				statuses <- status
			}()
		}
		b.wait("the first evaluates", func() bool { return len(b.lines("calls."+try)) >= 1 })
		time.Sleep(pause)
		b.write("go."+try, "")
		limit := time.After(10 * pause)
		late := false
		count := map[int]int{}
		for n := 0; n < callers; {
			select {
			case s := <-statuses:
				count[s]++
				n++
			case <-limit:
				late = true
				b.write("late."+try, "")
			}
		}
		if count[7] != 1 || count[8] != callers-1 {
			t.Fatalf("statuses %v", count)
		}
		if !late {
			return
		}
	}
	t.Error("they stand in line")
}

// TestStatisticsAreExact: 64 processes with 50 hits each count 3,200.
func TestStatisticsAreExact(t *testing.T) { onEachBackendAlone(t, testStatisticsAreExact) }

func testStatisticsAreExact(t *testing.T, b *workbench) {
	b.number("run", "--", "echo", "1")
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 50 {
				if got := b.number("run", "--", "echo", "1"); got != "1" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
	if out := b.number("stats", "--json"); !strings.HasPrefix(out, `{"hits":3200,"misses":1,"sets":1,"evaluations":1,`) {
		t.Error(out)
	}
}

// TestEditsAreSeen: one byte of the script, of an argument or of a dependency,
// within the same second and to the same length: 200 times each.
func TestEditsAreSeen(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	for name, call := range map[string][]string{
		"script":     {"run", "--", "./script"},
		"argument":   {"run", "--", "cat", "argument"},
		"dependency": {"run", "--depends-on", "dependency", "--", "cat", b.path("dependency")},
	} {
		if name == "dependency" {
			call = append([]string{"run", "--track", "none"}, call[1:]...)
		}
		for i := range 200 {
			want := fmt.Sprint(1000 + i)
			if name == "script" {
				b.write(name, "#!/bin/sh\necho "+want+"\n")
			} else {
				b.write(name, want+"\n")
			}
			if got := b.number(call...); got != want {
				t.Fatalf("%s, edit %d: the answer is %s", name, i, got)
			}
		}
	}
}

// TestSignalsEndAll: on a signal the program and its children end, nothing is
// stored, no orphan stays, and a shell's loop stops.
func TestSignalsEndAll(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			b := newWorkbench(t)
			// The child ignores the interrupt, as background jobs of sh do.
			b.write("train.sh", "#!/bin/sh\nsleep 100 &\necho $$ >pids\necho $! >>pids\nwait\necho 1\n")
			c := b.command("run", "--", "./train.sh")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			b.wait("it runs", func() bool { return len(b.lines("pids")) == 2 })
			c.Process.Signal(sig)
			c.Wait()
			if got := c.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || got.Signal() != sig {
				t.Errorf("dvlcache ended with %v", c.ProcessState)
			}
			for _, line := range b.lines("pids") {
				pid, _ := strconv.Atoi(line)
				b.wait("no orphan stays", func() bool { return !alive(pid) })
			}
			if _, _, status := b.run("run", "--only-cached", "--", "./train.sh"); status != statusNotCached {
				t.Errorf("something is stored: status %d", status)
			}
		})
	}
}

func TestSignalStopsALoop(t *testing.T) {
	t.Parallel()
	if _, err := osexec.LookPath("bash"); err != nil {
		t.Skip("needs bash")
	}
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\necho $PPID >>pids\nsleep 100\n")
	// As from a terminal: the interrupt goes to the whole group.
	loop := osexec.Command("bash", "-c", `for i in 1 2 3; do "$0" run -- ./train.sh $i; done; echo went on`, b.binary)
	loop.Dir, loop.Env = b.dir, b.env
	loop.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	loop.Stdout = &out
	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
	syscall.Kill(-loop.Process.Pid, syscall.SIGINT)
	loop.Wait()
	if len(b.lines("pids")) != 1 || out.Len() > 0 {
		t.Errorf("the loop went on: %q, %q", b.lines("pids"), out.String())
	}
}

// TestSecondInterrupt: a program that doesn't listen has its grace, unless we
// are asked twice.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("deaf.sh", "#!/bin/sh\ntrap 'echo >>heard' TERM\ntrap '' INT\necho $$ >pids\nwhile :; do sleep 0.05; done\n")
	for _, args := range [][]string{{"run", "--grace", "1h", "--", "./deaf.sh"}, {"batch", "--grace", "1h", "--", "./deaf.sh"}} {
		os.Remove(b.path("pids"))
		os.Remove(b.path("heard"))
		c := b.command(args...)
		c.Stdin = strings.NewReader("1\n2\n")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
		c.Process.Signal(syscall.SIGINT)
		// Two that are under way at once are one.
		b.wait("the first one works", func() bool { return len(b.lines("heard")) > 0 })
		c.Process.Signal(syscall.SIGINT)
		c.Wait() // for an hour, if the second one does nothing
		if got := c.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() {
			t.Errorf("%q ended with %v", args, c.ProcessState)
		}
	}
}

// TestSignalAfterTheEnd: a signal that comes when the program has ended, and we
// wait for the cache, ends us, but its number is stored and printed.
func TestSignalAfterTheEnd(t *testing.T) {
	t.Parallel()
	flock, err := osexec.LookPath("flock")
	if err != nil {
		t.Skip("needs flock(1)")
	}
	b := newWorkbench(t)
	b.number("run", "--", "echo", "1")
	b.write("train.sh", "#!/bin/sh\necho $$ >pids\nwhile ! test -e go; do sleep 0.01; done\necho 42\n")
	c := b.command("run", "--lock-timeout", "1h", "--", "./train.sh")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
	program, _ := strconv.Atoi(b.lines("pids")[0])
	holder := osexec.Command(flock, b.path(".cache/cache.lock"), "sh", "-c", "echo >held; while ! test -e release; do sleep 0.01; done")
	holder.Dir = b.dir
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Wait()
	b.wait("the lock is held", func() bool { return len(b.lines("held")) == 1 })
	b.write("go", "")
	b.wait("the program has ended, and dvlcache knows", func() bool { return !alive(program) })
	// Most often it waits for the lock by then; the test is right in any case.
	time.Sleep(100 * time.Millisecond)
	c.Process.Signal(syscall.SIGTERM)
	b.wait("the signal is there", func() bool { return !pending(c.Process.Pid, syscall.SIGTERM) })
	b.write("release", "")
	c.Wait()
	if got := c.ProcessState.Sys().(syscall.WaitStatus); !got.Signaled() || out.String() != "42\n" {
		t.Errorf("it ended with %v and printed %q", c.ProcessState, out.String())
	}
	if got := b.number("run", "--only-cached", "--", "./train.sh"); got != "42" {
		t.Errorf("stored is %s", got)
	}
}

// TestSingleFlightHolderInterrupted: a Ctrl-C to the one that evaluates is none
// to the others; one of them takes over.
func TestSingleFlightHolderInterrupted(t *testing.T) {
	onEachBackend(t, testSingleFlightHolderInterrupted)
}

func testSingleFlightHolderInterrupted(t *testing.T, b *workbench) {
	b.write("train.sh", "#!/bin/sh\necho $$ >>calls\nwhile ! test -e go; do sleep 0.01; done\necho 1\n")
	first := b.command("run", "--", "./train.sh")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("the first evaluates", func() bool { return len(b.lines("calls")) == 1 })
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { b.number("run", "--", "./train.sh") })
	}
	time.Sleep(200 * time.Millisecond) // they wait by now
	first.Process.Signal(syscall.SIGINT)
	first.Wait()
	b.wait("another takes over", func() bool { return len(b.lines("calls")) >= 2 })
	b.write("go", "")
	wg.Wait()
	if n := len(b.lines("calls")); n != 2 {
		t.Errorf("%d evaluations", n)
	}
}

// TestSchedulersSignals: SIGUSR1 is passed on.
func TestSchedulersSignals(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\ntrap 'echo 7; exit 0' USR1\necho >>calls\nwhile :; do sleep 0.01; done\n")
	c := b.command("run", "--", "./train.sh")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("calls")) == 1 })
	c.Process.Signal(syscall.SIGUSR1)
	if err := c.Wait(); err != nil || out.String() != "7\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestSignalAtOnce: a signal that comes as soon as the program runs reaches it.
func TestSignalAtOnce(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", `#!/bin/sh
trap 'echo 7; exit 0' USR1
kill -USR1 $PPID
for i in $(seq 1000); do sleep 0.01; done
exit 1
`)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 8 {
				if _, errs, status := b.run("run", "--", "./train.sh", strconv.Itoa(8*worker+i)); status != 0 {
					t.Errorf("status %d\n%s", status, errs)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestCtrlZ: a stopped dvlcache stops its program, and continues it.
func TestCtrlZ(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\necho $$ >>pids\nread line <go\necho 1\n")
	// One process that waits: a shell whose child is stopped before it has
	// become its program is stopped with it, and looks otherwise.
	if err := syscall.Mkfifo(filepath.Join(b.dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	// In a group that is not orphaned, or the kernel would not stop it.
	c := b.command("run", "--", "./train.sh")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it runs", func() bool { return len(b.lines("pids")) == 1 })
	program, _ := strconv.Atoi(b.lines("pids")[0])
	state := func(pid int) string {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(stat), ") ")
		return rest[:min(1, len(rest))]
	}
	for range 3 {
		c.Process.Signal(syscall.SIGTSTP)
		b.wait("both are stopped", func() bool { return state(program) == "T" && state(c.Process.Pid) == "T" })
		c.Process.Signal(syscall.SIGCONT)
		b.wait("both go on", func() bool { return state(program) != "T" && state(c.Process.Pid) != "T" })
		time.Sleep(20 * time.Millisecond)
	}
	b.write("go", "\n")
	if err := c.Wait(); err != nil || out.String() != "1\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestFlood: a program that floods stdout does not fill our memory.
func TestFlood(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	b := newWorkbench(t)
	b.write("flood.sh", "#!/bin/sh\nhead -c 2147483648 /dev/zero\necho\necho 1\n")
	c := b.command("run", "--", "./flood.sh")
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	// Not the resource usage of the process: that begins with our own.
	peak := 0
	for {
		select {
		case err := <-ended:
			if err != nil || out.String() != "1\n" {
				t.Fatalf("%v, %q", err, out.String())
			}
			t.Logf("peak memory %d KiB after 2 GiB of output", peak)
			if peak == 0 || peak > 64<<10 {
				t.Errorf("it took %d KiB", peak)
			}
			return
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, processKiB(c.Process.Pid, "VmHWM:"))
		}
	}
}

// TestTimeoutEndsTheGroup: also a program that does not listen.
func TestTimeoutEndsTheGroup(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("deaf.sh", "#!/bin/sh\ntrap '' TERM\nsleep 100 &\necho $$ >pids\necho $! >>pids\nwait\nwait\necho 1\n")
	if _, errs, status := b.run("run", "--timeout", "0.5", "--grace", "0.1", "--", "./deaf.sh"); status != statusTimeout {
		t.Errorf("status %d\n%s", status, errs)
	}
	for _, line := range b.lines("pids") {
		pid, _ := strconv.Atoi(line)
		b.wait("no orphan stays", func() bool { return !alive(pid) })
	}
}

// TestStoppedHolder: a process that holds the cache's lock and is stopped
// delays the others by the lock timeout, and they compute.
func TestStoppedHolder(t *testing.T) {
	t.Parallel()
	flock, err := osexec.LookPath("flock")
	if err != nil {
		t.Skip("needs flock(1)")
	}
	b := newWorkbench(t)
	b.number("run", "--", "echo", "1")
	holder := osexec.Command(flock, b.path(".cache/cache.lock"), "sh", "-c", "echo >held; exec sleep 100")
	holder.Dir = b.dir
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Wait()
	defer holder.Process.Kill()
	b.wait("it is held", func() bool { return len(b.lines("held")) == 1 })
	out, errs, status := b.run("run", "--lock-timeout", "100ms", "--", "echo", "1")
	if out != "1\n" || status != 0 || !strings.Contains(errs, "another process holds its lock for longer than 100ms; running without the cache") {
		t.Errorf("status %d, %q\n%s", status, out, errs)
	}
}

// getenv is a variable of what the workbench runs.
func (b *workbench) getenv(name string) (value string) {
	for _, set := range b.env {
		if n, v, _ := strings.Cut(set, "="); n == name {
			value = v
		}
	}
	return value
}
