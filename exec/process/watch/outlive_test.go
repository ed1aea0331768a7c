//go:build linux && (amd64 || arm64)

package watch

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// daemon is a Python program that leaves a process behind which looks at files
// until a name is there, and says then what went wrong.
const daemon = `
import os, sys, subprocess
if os.fork(): os._exit(0)
os.setsid()
fd = os.open("/dev/null", os.O_RDWR)
for i in 0, 1, 2: os.dup2(fd, i)
n = wrong = 0
try:
    while not os.path.exists("stop"):
        n += 1
        try:
            os.stat("/etc/passwd"); open("/etc/passwd").close()
            if n % 50 == 0: subprocess.run(["true"], check=True)
        except BaseException as e: wrong = repr(e); break
except BaseException as e: wrong = repr(e)
with open("said.new", "w") as f: f.write("%s after %d" % (wrong, n))
os.rename("said.new", "said")
`

// TestKilled kills the watcher at any moment: what it watched goes on, is
// answered, and never told that there is no such call.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		dir := t.TempDir()
		cmd := exec.Command(self, "sh", "-c", `/usr/bin/python3 -c "$0" & /usr/bin/python3 -c "$0"; while :; do [ -f /etc/passwd ] || echo gone; done`, daemon)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), helperVariable+"="+filepath.Join(dir, "trace"))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(rand.Int64N(int64(400 * time.Millisecond)))
		time.Sleep(after)
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		// Both daemons may not have come to be.
		os.WriteFile(filepath.Join(dir, "stop"), nil, 0o666)
		waitForFiltered(t, dir)
		if b, err := os.ReadFile(filepath.Join(dir, "said")); err == nil && !strings.HasPrefix(string(b), "0 ") {
			t.Errorf("round %d, killed after %v: a process left behind said %s", round, after, b)
		}
		if strings.Contains(out.String(), "gone") {
			t.Errorf("round %d: %s", round, &out)
		}
	}
}

// TestKeeperKilled kills the keeper as soon as it is there: the command is started all
// the same, whatever garbage there is, and what it leaves behind is answered.
func TestKeeperKilled(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	for range 40 {
		dir := t.TempDir()
		cmd := exec.Command("sh", "-c", "{ read line <gate; while [ -f $0 ] && [ ! -e stop ]; do :; done; echo $? >said; } </dev/null >/dev/null 2>&1 & cat $0", "/etc/passwd")
		cmd.Dir = dir
		if err := syscall.Mkfifo(filepath.Join(dir, "gate"), 0o600); err != nil {
			t.Fatal(err)
		}
		gate, err := os.OpenFile(filepath.Join(dir, "gate"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		var killed atomic.Bool
		over := make(chan struct{})
		go func() {
			defer close(over)
			for !killed.Load() {
				for _, pid := range children() {
					if name, _ := os.ReadFile("/proc/" + pid + "/comm"); string(name) == "dvlcache-keeper\n" {
						pid, _ := strconv.Atoi(pid)
						syscall.Kill(pid, syscall.SIGKILL)
						killed.Store(true)
					}
				}
			}
		}()
		w, err := Start(cmd, Options{Late: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		<-over
		w.Wait()
		trace := w.Finish()
		if !cmd.ProcessState.Success() || !trace.Outlived {
			t.Errorf("%v, outlived %v", cmd.ProcessState, trace.Outlived)
		}
		gate.WriteString("\n")
		time.Sleep(time.Millisecond)
		os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600)
		waitForFiltered(t, dir)
		gate.Close() // not before it was opened, or that would wait for ever
		if said, err := os.ReadFile(filepath.Join(dir, "said")); string(said) != "0\n" {
			t.Errorf("what was left behind said %q, %v", said, err)
		}
	}
}

// children are the IDs of ours.
func children() (pids []string) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		b, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		pids = append(pids, strings.Fields(string(b))...)
	}
	return pids
}

// waitForFiltered waits until no process that works in a folder is left.
func waitForFiltered(t *testing.T, dir string) {
	t.Helper()
	dir, _ = filepath.EvalSymlinks(dir)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left := processesIn(dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range left {
				state, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
				t.Logf("%s", state)
				syscall.Kill(pid, syscall.SIGKILL)
			}
			t.Fatalf("%d processes are stuck", len(left))
		}
	}
}

func processesIn(dir string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if cwd, err := os.Readlink("/proc/" + e.Name() + "/cwd"); err == nil && cwd == dir && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestLeavesDaemons: a process that a command leaves behind is answered, while
// we live and afterwards, and its keeper ends with it.
func TestLeavesDaemons(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self, "/usr/bin/python3", "-c", daemon)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), helperVariable+"="+filepath.Join(dir, "trace"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := readReport(t, filepath.Join(dir, "trace"))
	if r.Trace == nil || !r.Outlived {
		t.Errorf("it isn't said that a process was left behind: %+v", r)
	}
	time.Sleep(300 * time.Millisecond)
	os.WriteFile(filepath.Join(dir, "stop"), nil, 0o666)
	waitForFiltered(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, "said"))
	if err != nil || !strings.HasPrefix(string(b), "0 ") {
		t.Errorf("it said %s, %v", b, err)
	}

	// And while we live.
	dir = t.TempDir()
	cmd = exec.Command("/usr/bin/python3", "-c", daemon)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	trace := run(t, cmd)
	if !trace.Outlived {
		t.Error("it isn't said that a process was left behind")
	}
	if trap.Reap() == 0 {
		t.Error("no keeper was left")
	}
	os.WriteFile(filepath.Join(dir, "stop"), nil, 0o666)
	waitForFiltered(t, dir)
	for deadline := time.Now().Add(time.Minute); trap.Reap() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the keeper doesn't end")
		}
	}
}

// TestLate: a file system that doesn't answer holds a program back for a short
// while at most, and that is said.
func TestLate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts a file system")
	}
	dir, let := silentFolder(t)
	// Whoever looks into it waits until it is closed.
	cmd := exec.Command("sh", "-c", `[ -f "$0/x" ] & for i in 1 2 3 4 5; do [ -f /etc/passwd ] && echo there; done; sh -c '[ -f "$0/y" ]' "$0" & sleep 1; [ -f /etc/group ] && echo there; kill -9 $!`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.WaitDelay = 10 * time.Second
	w, err := Start(cmd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*time.Second, let)
	w.Wait()
	trace := w.Finish()
	if strings.Count(out.String(), "there") != 6 {
		t.Errorf("it printed %q", &out)
	}
	if !strings.Contains(strings.Join(trace.Unseen, "; "), "did not answer in time") {
		t.Errorf("unseen is %q", trace.Unseen)
	}
}

// TestLateAtTheEnd: the end of a watch doesn't wait for a file system either.
func TestLateAtTheEnd(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts a file system")
	}
	dir, _ := silentFolder(t)
	cmd := exec.Command("sh", "-c", `[ -f "$0/x" ] & sleep 0.05`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if trace := run(t, cmd); !strings.Contains(strings.Join(trace.Unseen, "; "), "did not answer in time") || !trace.Outlived {
		t.Errorf("unseen %q, outlived %v", trace.Unseen, trace.Outlived)
	}
}

// silentFolder is on a file system that doesn't answer, until it is let go.
func silentFolder(t *testing.T) (dir string, let func()) {
	t.Helper()
	dir = t.TempDir()
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("needs FUSE: ", err)
	}
	options := "rootmode=40000,user_id=0,group_id=0,fd=" + strconv.Itoa(fuse)
	if err := unix.Mount("none", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Skip("can't mount: ", err)
	}
	let = sync.OnceFunc(func() { unix.Close(fuse) })
	t.Cleanup(func() {
		let()
		unix.Unmount(dir, unix.MNT_DETACH)
	})
	return dir, let
}
