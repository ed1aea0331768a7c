//go:build unix

package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSomebodyElsesCache: a cache that is neither ours nor root's, who could answer any
// number, is used only where that is said to be safe; programs run all the same.
func TestSomebodyElsesCache(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("we aren't root")
	}
	b := newWorkbench(t)
	b.env = append(b.env, "SUDO_UID=")
	b.write("p.sh", "#!/bin/sh\necho >>calls\necho 1\n")
	b.number("run", "--", "./p.sh")
	filepath.WalkDir(b.path(".cache"), func(path string, _ fs.DirEntry, _ error) error { return os.Lchown(path, 12345, 12345) })
	for _, args := range [][]string{{"run", "--", "./p.sh"}, {"batch", "--input", "line", "--", "./p.sh"}, {"session", "--save", "--", b.binary, "run", "--", "./p.sh"}} {
		b.write("line", "1\n")
		before := len(b.lines("calls"))
		out, errs, status := b.run(args...)
		if status != 0 || !strings.HasSuffix(out, "1\n") || len(b.lines("calls")) != before+1 || !strings.Contains(errs, "the cache isn't used, since "+b.path(".cache")+" belongs to user 12345") {
			t.Errorf("%q: status %d, %q: %s", args, status, out, errs)
		}
	}
	for _, args := range [][]string{{"list"}, {"export"}, {"check"}, {"clear", "--all", "--yes"}, {"run", "--strict", "--", "./p.sh"}} {
		if _, errs, status := b.run(args...); status != 125 || !strings.Contains(errs, "hint: set DVLCACHE_DIR to a folder of your own, or") {
			t.Errorf("%q: status %d: %s", args, status, errs)
		}
	}
	before := len(b.lines("calls"))
	for _, safe := range []string{"DVLCACHE_SAFE_DIRECTORY=" + b.path(".cache"), "DVLCACHE_SAFE_DIRECTORY=" + b.dir, "SUDO_UID=12345"} {
		c := b.command("run", "--only-cached", "--", "./p.sh")
		c.Env = append(c.Env, safe)
		if out, err := c.CombinedOutput(); err != nil || string(out) != "1\n" {
			t.Errorf("%s: %v: %s", safe, err, out)
		}
	}
	if len(b.lines("calls")) != before {
		t.Error("it is evaluated again")
	}
}

// TestSomebodyElsesSession: a folder that DVLCACHE_SESSION names is used if it is ours
// alone.
func TestSomebodyElsesSession(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "alive"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUDO_UID", "")
	for _, c := range []struct {
		what   string
		change func() error
		ended  bool
	}{
		{"ours", func() error { return os.Chmod(dir, 0o700) }, false},
		{"one that others may write to", func() error { return os.Chmod(dir, 0o777) }, true},
		{"another's", func() error { return errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, 12345, 12345)) }, true},
		{"the one's who called us by sudo", func() error { t.Setenv("SUDO_UID", "12345"); return nil }, false},
		{"one without its lock", func() error { return os.Remove(filepath.Join(dir, "alive")) }, true},
	} {
		if strings.Contains(c.what, "'s") && os.Geteuid() != 0 {
			continue
		}
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		if endedSession(dir) != c.ended {
			t.Errorf("%s: ended is %v", c.what, !c.ended)
		}
	}
}
