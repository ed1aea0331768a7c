//go:build linux && (amd64 || arm64)

package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestManyAtOnce: watches side by side, on one processor, with the collector of
// garbage always at work, don't hold each other up, and leave nothing behind.
func TestManyAtOnce(t *testing.T) {
	warm := exec.Command("true")
	run(t, warm)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	before := leftovers()
	stop := make(chan struct{})
	var churn sync.WaitGroup
	churn.Add(1)
	go func() {
		defer churn.Done()
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 20 {
				cmd := exec.Command("sh", "-c", fmt.Sprintf("cat /etc/passwd /etc/group >/dev/null; exit %d", i+j))
				w, err := Start(cmd, Options{})
				if err != nil {
					t.Error(err)
					return
				}
				w.Wait()
				trace := w.Finish()
				if cmd.ProcessState.ExitCode() != i+j {
					t.Errorf("status %v", cmd.ProcessState)
				}
				if len(trace.Unseen) > 0 || trace.Outlived || !uses(trace, "/etc/group", Opened) {
					t.Errorf("unseen %q, outlived %v, %d files", trace.Unseen, trace.Outlived, len(trace.Files))
				}
			}
		}()
	}
	wg.Wait()
	close(stop)
	churn.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := leftovers()
		if after.descriptors <= before.descriptors && after.goroutines <= before.goroutines && after.children <= before.children {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	}
}

type left struct{ descriptors, goroutines, children int }

func leftovers() left {
	fds, _ := os.ReadDir("/proc/self/fd")
	return left{len(fds), runtime.NumGoroutine(), len(children())}
}

// TestStartFails: what can't be started says so as without watching, and leaves
// nothing behind.
func TestStartFails(t *testing.T) {
	run(t, exec.Command("true"))
	before := leftovers()
	for range 20 {
		_, err := Start(&exec.Cmd{Path: "/nowhere", Args: []string{"nowhere"}}, Options{})
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		_, err = Start(&exec.Cmd{Path: "/etc/passwd", Args: []string{"x"}}, Options{})
		if !errors.Is(err, fs.ErrPermission) {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := leftovers()
		if after.descriptors <= before.descriptors && after.goroutines <= before.goroutines && after.children <= before.children {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	}
}

// TestOutOfDescriptors: where there are too few, the command isn't watched, or
// what could not be looked at is said.
func TestOutOfDescriptors(t *testing.T) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
	fds, _ := os.ReadDir("/proc/self/fd")
	refused, failed := 0, 0
	for more := range uint64(20) {
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(len(fds)) - 1 + more, Max: old.Max})
		cmd := exec.Command("/bin/ls", "/")
		w, err := Start(cmd, Options{})
		var no *Unavailable
		switch {
		case errors.As(err, &no):
			refused++
			continue
		case err != nil:
			failed++
			continue
		}
		w.Wait()
		trace := w.Finish()
		if !cmd.ProcessState.Success() {
			continue // it has as few as we have
		}
		for _, f := range trace.Files {
			if f.Name == "/" && f.Use&Listed != 0 && len(f.Entries) == 0 {
				t.Errorf("with %d descriptors / is empty", more)
			}
		}
		if len(trace.Unseen) == 0 && !uses(trace, "/", Listed) {
			t.Errorf("with %d descriptors nobody says that / was not listed", more)
		}
	}
	if refused+failed == 0 {
		t.Error("there were always enough")
	}
}

func uses(t *Trace, name string, u Use) bool {
	for _, f := range t.Files {
		if f.Name == name {
			return f.Use&u == u
		}
	}
	return false
}

// TestInherited: what whoever started us left open is told of.
func TestInherited(t *testing.T) {
	dir := folderToTrace(t)
	f, err := os.Open(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd())) // which is not closed at an exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	all, err := Inherited()
	if err != nil || !slices.Contains(all, Descriptor{Number: fd, Name: dir + "/a", Regular: true}) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, d := range all {
		if d.Number == int(f.Fd()) {
			t.Errorf("%+v is not inherited", d)
		}
	}
}

// TestStopped: a watcher that is stopped holds the program up, and no more.
func TestStopped(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self, "sh", "-c", `i=0; while [ $i -lt 20000 ]; do i=$((i+1)); [ -f /etc/passwd ] || echo missed; done; echo $i`)
	cmd.Env = append(os.Environ(), helperVariable+"="+dir+"/trace")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		time.Sleep(5 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGCONT)
	}
	if err := cmd.Wait(); err != nil || out.String() != "20000\n" {
		t.Errorf("%v: %q", err, out.String())
	}
}

// TestStartUnderSignals: a signal that comes to the thread that starts a command, or to the
// one that waits for its first call, as Go's own do, keeps no command from being watched.
func TestStartUnderSignals(t *testing.T) {
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			threads, _ := os.ReadDir("/proc/self/task")
			for _, thread := range threads {
				tid, _ := strconv.Atoi(thread.Name())
				unix.Tgkill(os.Getpid(), tid, unix.SIGURG)
			}
		}
	})
	for range 300 {
		w, err := Start(exec.Command("true"), Options{})
		if err != nil {
			t.Error(err)
			break
		}
		w.Wait()
		w.Finish()
	}
	close(stop)
	sender.Wait()
}
