//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestUsersShare: two users of a group share a cache in a folder with the set-group-ID
// bit, whatever their umasks: no call of theirs is refused anything.
func TestUsersShare(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to be two other users")
	}
	const group = 61000
	for _, c := range [][2]string{{"bolt", "022"}, {"bolt", "077"}, {"folder", "022"}, {"folder", "077"}} {
		backend, umask := c[0], c[1]
		t.Run(backend+", umask "+umask, func(t *testing.T) {
			// Not below the test's folder, which is root's alone.
			dir, err := os.MkdirTemp("", "shared")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			in := func(name string) string { return filepath.Join(dir, name) }
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(os.Chmod(dir, 0o755))
			binary, err := os.ReadFile(filepath.Join(binaryDir, "dvlcache"))
			if err != nil {
				binary, err = os.ReadFile(newWorkbench(t).binary)
			}
			must(err)
			must(writeProgram(in("dvlcache"), string(binary)))
			must(writeProgram(in("train.sh"), "#!/bin/sh\necho 0.$1\n"))
			for _, name := range []string{"cache", "cache/folder"} {
				must(os.Mkdir(in(name), 0o755))
				must(os.Chown(in(name), 61001, group))
				must(os.Chmod(in(name), 0o775|fs.ModeSetgid))
			}
			as := func(user uint32, args string) (string, error) {
				c := osexec.Command("sh", "-c", "umask "+umask+"; "+args)
				c.Dir = dir
				c.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "DVLCACHE_DIR=" + in("cache"), "DVLCACHE_LOCK_TIMEOUT=2m", "XDG_CONFIG_HOME=/nowhere", "DVLCACHE_BACKEND=" + backend, "DVLCACHE_FOLDER=" + in("cache/folder")}
				c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: []uint32{group}}}
				var errs bytes.Buffer
				c.Stderr = &errs
				out, err := c.Output()
				// The other may clear the cache at any time.
				if err == nil && errs.Len() > 0 && !strings.Contains(args, "session") && !strings.Contains(errs.String(), "was cleared") {
					err = fmt.Errorf("stderr: %s", errs.String())
				} else if err != nil {
					err = fmt.Errorf("%w: %s", err, errs.String())
				}
				return string(out), err
			}
			var wg sync.WaitGroup
			for i := range 2 {
				wg.Go(func() {
					user := uint32(61001 + i)
					for round := range 4 {
						for _, args := range []string{
							fmt.Sprintf("dvlcache run -- ./train.sh %d", round),
							fmt.Sprintf("seq %d %d | dvlcache batch --jobs 2 -- ./train.sh {}", round, round+20),
							"dvlcache run --repeat -- ./train.sh 5",
							"dvlcache session --save -- dvlcache run -- ./train.sh 1000",
							"dvlcache check",
							"dvlcache compact",
							"dvlcache stats",
							"dvlcache clear",
							"dvlcache explain -- ./train.sh 1",
							"dvlcache list",
						} {
							out, err := as(user, args)
							if err != nil {
								t.Errorf("%d: %s: %v", user, args, err)
							}
							if want := fmt.Sprintf("0.%d\n", round); strings.HasPrefix(args, "dvlcache run -- ") && out != want {
								t.Errorf("%s prints %q", args, out)
							}
						}
					}
				})
			}
			wg.Wait()
			// Each hits what the other stored.
			for i := range 2 {
				one, other := uint32(61001+i), uint32(61002-i)
				if _, err := as(one, fmt.Sprintf("dvlcache run -- ./train.sh 7%d", i)); err != nil {
					t.Error(err)
				}
				if _, err := as(other, fmt.Sprintf("dvlcache run --only-cached -- ./train.sh 7%d", i)); err != nil {
					t.Error(err)
				}
			}
			// So it is after one of them has salvaged what was damaged.
			for i := range 2 {
				one, other := uint32(61001+i), uint32(61002-i)
				spoil(t, in("cache"))
				if out, err := as(one, "dvlcache check --salvage"); err != nil || !strings.Contains(out, "salvaged: ") || !strings.Contains(out, "kept as ") {
					t.Errorf("%v: %s", err, out)
				}
				for _, user := range []uint32{other, one} {
					if out, err := as(user, fmt.Sprintf("dvlcache run -- ./train.sh 8%d", i)); err != nil || out != fmt.Sprintf("0.8%d\n", i) {
						t.Errorf("%v: %q", err, out)
					}
					if out, err := as(user, "dvlcache check"); err != nil {
						t.Errorf("%v: %s", err, out)
					}
				}
			}
			filepath.WalkDir(in("cache"), func(path string, d fs.DirEntry, err error) error {
				must(err)
				info, err := d.Info()
				must(err)
				if stat := info.Sys().(*syscall.Stat_t); stat.Gid != group || info.Mode().Perm()&0o060 != 0o060 || d.IsDir() && info.Mode()&fs.ModeSetgid == 0 {
					t.Errorf("%s: %v of group %d", path, info.Mode(), stat.Gid)
				}
				if umask == "077" && path != in("cache") && path != in("cache/folder") && info.Mode().Perm()&0o007 != 0 {
					t.Errorf("%s: %v, in spite of the umask", path, info.Mode())
				}
				return nil
			})
		})
	}
}

// spoil damages the records in all files of a cache.
func spoil(t *testing.T, dir string) {
	t.Helper()
	spoiled := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(d.Name(), "broken-") {
			return err
		}
		text, err := os.ReadFile(path)
		if changed := bytes.ReplaceAll(text, []byte("train.sh"), []byte("TRAIN.sh")); err == nil && !bytes.Equal(changed, text) {
			spoiled = true
			err = os.WriteFile(path, changed, 0) // which is there, and stays whose it is
		}
		return err
	})
	if err != nil || !spoiled {
		t.Fatalf("nothing is spoiled: %v", err)
	}
}

// TestNotShared: who isn't in the group isn't answered from its folder, and in a folder of
// one's own all stays one's own.
func TestNotShared(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.number("run", "--", "echo", "1")
	filepath.WalkDir(b.path(".cache"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err := os.Chmod(b.path(".cache"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, errs, _ := b.run("run", "--", "echo", "2"); !strings.Contains(errs, "everybody may write to "+b.path(".cache")) {
		t.Errorf("a folder that is open to all: %q", errs)
	}
}

// TestBarredFolder: where a folder lies below one that lets its user not pass, the hint is
// about that one.
func TestBarredFolder(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	dir, err := os.MkdirTemp("", "barred") // not below the test's folder, which is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := newWorkbench(t)
	binary, err := os.ReadFile(b.binary)
	if err == nil {
		err = writeProgram(filepath.Join(dir, "dvlcache"), string(binary))
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	private := filepath.Join(dir, "private")
	if err == nil {
		err = os.MkdirAll(filepath.Join(private, "shared", "x"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := osexec.Command(filepath.Join(dir, "dvlcache"), "run", "--", "echo", "1")
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "DVLCACHE_FOLDER=" + filepath.Join(private, "shared"), "DVLCACHE_DIR=" + filepath.Join(dir, "none"), "XDG_CONFIG_HOME=/nowhere"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61002, Gid: 61002}}
	var errs bytes.Buffer
	c.Stderr = &errs
	if out, err := c.Output(); err != nil || string(out) != "1\n" || !strings.Contains(errs.String(), "hint: the way to it is through "+private+", which lets only some pass: chmod g+x "+private+"\n") {
		t.Errorf("%v: %s%s", err, out, &errs)
	}
}
