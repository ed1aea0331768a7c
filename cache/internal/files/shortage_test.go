//go:build unix

package files

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFewDescriptors: what can't be done without is opened as soon as there is a descriptor
// for it.
func TestFewDescriptors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
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
	for name, open := range map[string]func() error{
		"OpenOwn":      func() error { f, err := OpenOwn(path, os.O_RDWR); f.Close(); return err },
		"OpenContents": func() error { f, err := OpenContents(path); f.Close(); return err },
		"ReadSmall":    func() error { _, err := ReadSmall(path, make([]byte, 1)); return err },
	} {
		var taken []int
		for {
			fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				break
			}
			taken = append(taken, fd)
		}
		time.AfterFunc(50*time.Millisecond, func() { unix.Close(taken[0]) })
		if err := open(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, fd := range taken[1:] {
			unix.Close(fd)
		}
	}
}
