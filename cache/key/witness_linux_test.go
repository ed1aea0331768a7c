package key

import (
	"context"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// duringTheRun are what may happen to a file "data" that holds A, beside "copy"
// that holds the same and "other" that doesn't, while a program runs. After all of
// it "data" holds what it did. seen says that B may have been read in between.
var duringTheRun = []struct {
	name, script string
	seen         bool
}{
	{"nothing", `true`, false},
	{"it is read", `cat data`, false},
	{"it is touched", `touch data`, false},
	{"it gets an old time", `touch -d 2001-01-01 data`, false},
	{"it is touched, and read before and after", `cat data; touch data; cat data`, false},
	{"its mode changes", `chmod 600 data; cat data`, false},
	{"its mode changes and back", `chmod 600 data; cat data; chmod 644 data`, false},
	{"it gets a link", `ln data link`, false},
	{"it gets a link and loses it", `ln data link; rm link`, false},
	{"it is overwritten by the same", `cp copy data; cat data`, false},
	{"it is overwritten by the same through another link", `ln data link; cat copy > link; cat data`, false},
	{"it is written anew", `cat data; cat copy > data; cat data`, false},
	{"it is overwritten in place", `dd if=copy of=data conv=notrunc status=none; cat data`, false},
	{"it is replaced by the same", `cp copy new; mv new data; cat data`, false},
	{"it is replaced by the same twice", `cp copy new; mv new data; cp copy new; mv new data; cat data`, false},

	{"another is there meanwhile", `cp other data; cat data; cp copy data`, true},
	{"… with its times kept", `touch -r data copy other; cp -p other data; cat data; cp -p copy data`, true},
	{"… of another inode", `mv data away; mv other data; cat data; mv data other; mv away data`, true},
	{"… by links", `mv data away; ln other data; cat data; rm data; mv away data`, true},
	{"… by git", `commit() { git -c user.name=x -c user.email=x@x commit -q "$@"; }; git init -q; git add data; commit -m 1; cp other data; commit -am 2; git checkout -q HEAD~1; git checkout -q -; cat data; git checkout -q HEAD~1`, true},
	{"… through another link", `ln data link; cat other > link; cat data; cat copy > link`, true},
	{"… and it is touched", `cp other data; cat data; cp copy data; touch data; chmod 600 data`, true},
	{"… of which the rewriting is read half", `: > data; cat data; cat copy >> data`, true},
	{"… by sed -i", `sed -i s/A/B/ data; cat data; sed -i s/B/A/ data`, true},
	{"… in place, and it is read by who has it open", `exec 3<data; cp other data; cat <&3; cp copy data`, true},
}

func TestChangedAndPutBack(t *testing.T) {
	for _, test := range duringTheRun {
		for name, size := range map[string]int{"small": 10, "large": 1 << 20} {
			t.Run(test.name+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				path := filepath.Join(dir, "data")
				a, b := strings.Repeat("A\n", size/2), strings.Repeat("B\n", size/2)
				c := &Call{digests: NewDigests(""), spec: &CallSpec{}}
				// A child of another goroutine has our open files until it executes: that
				// it closes them then would be seen.
				syscall.ForkLock.RLock()
				err := errors.Join(
					os.WriteFile(filepath.Join(dir, "copy"), []byte(a), 0o644),
					os.WriteFile(filepath.Join(dir, "other"), []byte(b), 0o644),
					os.WriteFile(path, []byte(a), 0o644),
				)
				if err == nil {
					_, err = c.track(context.Background(), path)
				}
				syscall.ForkLock.RUnlock()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Watch()()
				cmd := osexec.Command("sh", "-ec", test.script)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v %s", err, out)
				}
				if now, err := os.ReadFile(path); err != nil || string(now) != a {
					t.Fatalf("the test does not put it back: %v", err)
				}
				if changed, _ := c.Changed(context.Background()); (changed != "") != test.seen {
					t.Errorf("%q changed", changed)
				}
			})
		}
	}
}

// TestPutBackUnderAMapping: who maps a file reads it without a call.
func TestPutBackUnderAMapping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	a, b := strings.Repeat("A", 10000), strings.Repeat("B", 10000)
	writeFile(t, path, a)
	c := &Call{digests: NewDigests(""), spec: &CallSpec{}}
	if _, err := c.track(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	defer c.Watch()()
	writeFile(t, path, b)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, len(b), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil || m[0] != 'B' {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	f.Close()
	writeFile(t, path, a)
	if changed, _ := c.Changed(context.Background()); changed != path {
		t.Error("it counts as unchanged")
	}
	// And who writes through one leaves no word of it but the time.
	other := filepath.Join(t.TempDir(), "data")
	writeFile(t, other, a)
	c = &Call{digests: NewDigests(""), spec: &CallSpec{}}
	if _, err := c.track(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	defer c.Watch()()
	w := mapped(t, other)
	w[0] = 'B'
	w[0] = 'A'
	if changed, _ := c.Changed(context.Background()); changed != other {
		t.Error("it counts as unchanged")
	}
}

// placesOfData are where data lie: the disk, and memory, where a shared mapping
// moves no time at all.
func placesOfData(t *testing.T) map[string]string {
	places := map[string]string{"disk": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "dvlcache-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		places["memory"] = dir
	}
	return places
}

// mapped maps a file as numpy.memmap does.
func mapped(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	return m
}

// TestMappedWritingDuringTheRun: the key is made, the run begins, a mapping is
// written to.
func TestMappedWritingDuringTheRun(t *testing.T) {
	for place, dir := range placesOfData(t) {
		for name, size := range map[string]int{"few bytes": 80, "many": 1 << 20} {
			t.Run(place+" "+name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(dir, name)
				writeFile(t, path, strings.Repeat("a", size))
				m := mapped(t, path)
				m[0] = '0'
				d := NewDigests(filepath.Join(t.TempDir(), "digests"))
				for i := range 3 { // young, old, remembered
					c := &Call{digests: d, spec: &CallSpec{}}
					if _, err := c.track(context.Background(), path); err != nil {
						t.Fatal(err)
					}
					c.Watch()
					if changed, _ := c.Changed(context.Background()); changed != "" {
						t.Errorf("%d: %s changed before it did", i, changed)
					}
					m[size-1]++
					if changed, _ := c.Changed(context.Background()); changed != path {
						t.Errorf("%d: %q changed", i, changed)
					}
					if i == 0 {
						time.Sleep(2100 * time.Millisecond)
					}
				}
			})
		}
	}
}

// TestKernelDuringTheRun: what /proc shows is another at each reading.
func TestKernelDuringTheRun(t *testing.T) {
	path := "/proc/sys/kernel/random/uuid"
	c := &Call{digests: NewDigests(""), spec: &CallSpec{}}
	if _, err := c.track(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	if changed, _ := c.Changed(context.Background()); changed != path {
		t.Errorf("%q changed", changed)
	}
}
