package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/cache/internal/files"
)

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

// TestMappedWriting: a shared mapping is written to again and again, nothing is
// synced, and each digest is that of what is there.
func TestMappedWriting(t *testing.T) {
	for place, dir := range placesOfData(t) {
		for name, size := range map[string]int{"few bytes": 80, "many": 1 << 20} {
			t.Run(place+" "+name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(dir, name)
				writeFile(t, path, strings.Repeat("a", size))
				m := mapped(t, path)
				d := New(filepath.Join(t.TempDir(), "digests"))
				m[0] = '0' // its page is dirty from now on
				time.Sleep(racyWindow + 100*time.Millisecond)
				remembered := false
				for i := byte(0); i < 10; i++ {
					m[0] = i // dirty already: it takes no fault
					for range 2 {
						sum, seen, err := d.Digest(context.Background(), path)
						if err != nil || sum != sha256.Sum256(m) {
							t.Fatalf("store %d: the digest of something else, %v", i, err)
						}
						_, _, ok := d.recall(path, seen.Identity)
						remembered = remembered || ok
					}
				}
				if place == "disk" && size > small && !remembered {
					if f, err := os.Open(path); err == nil {
						defer f.Close()
						if belief, _ := files.FilesystemOf(f); belief == files.BelieveStat {
							t.Error("it is never remembered")
						}
					}
				}
			})
		}
	}
}

// TestFilesOfTheKernel: what /proc shows has neither size nor time.
func TestFilesOfTheKernel(t *testing.T) {
	path := "/proc/sys/kernel/random/uuid" // another at each reading
	d := New(filepath.Join(t.TempDir(), "digests"))
	first, _, err := d.Digest(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := d.Digest(context.Background(), path)
	if err != nil || first == second {
		t.Errorf("twice the same, %v", err)
	}
}

// inMountNamespace runs f, if that is allowed, where what is mounted is seen by
// nobody else.
func inMountNamespace(t *testing.T, f func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		ok := unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS) == nil && unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") == nil
		defer func() { done <- ok }()
		if ok {
			f()
		}
	}()
	if !<-done {
		t.Skip("it takes root to mount")
	}
}

// TestImagesInTurn: two images of equal times, inodes and IDs are mounted one after
// the other at one place, and differ in the contents of a file.
func TestImagesInTurn(t *testing.T) {
	dir := t.TempDir()
	source, at := filepath.Join(dir, "source"), filepath.Join(dir, "at")
	for _, d := range []string{source, at} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	one := bytes.Repeat([]byte("one!"), 16<<10)
	writeFile(t, filepath.Join(source, "data"), string(one))
	first := filepath.Join(dir, "first")
	if out, err := osexec.Command("mkfs.ext4", "-q", "-d", source, first, "4M").CombinedOutput(); err != nil {
		t.Skipf("no image can be made: %v %s", err, out)
	}
	image, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	two := bytes.Repeat([]byte("two!"), 16<<10)
	if n := bytes.Count(image, one); n != 1 {
		t.Fatalf("the file is %d times in the image", n)
	}
	second := filepath.Join(dir, "second")
	if err := os.WriteFile(second, bytes.Replace(image, one, two, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(racyWindow + time.Second)
	inMountNamespace(t, func() {
		d := New(filepath.Join(dir, "digests"))
		path := filepath.Join(at, "data")
		var identities []Identity
		for i, image := range []string{first, second, first} {
			if out, err := osexec.Command("mount", "-o", "loop,ro", image, at).CombinedOutput(); err != nil {
				t.Errorf("mount: %v %s", err, out)
				return
			}
			want := [][]byte{one, two, one}[i]
			for range 2 {
				sum, seen, err := d.Digest(context.Background(), path)
				if err != nil || sum != sha256.Sum256(want) {
					t.Errorf("image %d: the digest of another's file, %v", i, err)
				}
				identities = append(identities, seen.Identity)
			}
			if out, err := osexec.Command("umount", at).CombinedOutput(); err != nil {
				t.Errorf("umount: %v %s", err, out)
			}
		}
		a, b := identities[0], identities[2]
		if a.Mount, b.Mount = 0, 0; a != b {
			t.Errorf("the test shows nothing: %v and %v", a, b)
		}
	})
}
