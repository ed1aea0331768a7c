package process

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch"
)

// TestWatchedWhenThereIsEnough: a program for whose watching there are too few descriptors
// at first is watched as soon as there are enough.
func TestWatchedWhenThereIsEnough(t *testing.T) {
	if !watch.Supported {
		return
	}
	r := &Runner{Stderr: os.Stderr}
	run := func() Outcome {
		t.Helper()
		o, err := r.Run(t.Context(), Command{Path: "/bin/sh", Args: []string{"sh", "-c", "echo 1"}, Watch: WatchIfPossible})
		if err != nil || string(o.Stdout) != "1\n" {
			t.Fatalf("%v, %q", err, o.Stdout)
		}
		return o
	}
	if o := run(); o.Trace == nil {
		t.Logf("nothing can be watched here: %v", o.Unwatched)
		return
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	// As many as an unwatched program needs are left.
	var taken []int
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken[:7] {
		unix.Close(fd)
	}
	time.AfterFunc(50*time.Millisecond, func() {
		for _, fd := range taken[7:] {
			unix.Close(fd)
		}
	})
	if o := run(); o.Trace == nil {
		t.Errorf("it ran unwatched: %v", o.Unwatched)
	}
}
