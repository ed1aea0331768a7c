package share

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestWiden: a mode is changed where something is missing in it, and a file system that
// refuses that is left alone.
func TestWiden(t *testing.T) {
	for _, c := range []struct {
		made, mode, want fs.FileMode // want is 0: nothing is changed
		refusal, told    error
	}{
		{0o600, 0o664, 0o660, nil, nil},
		{0o664, 0o664, 0, nil, nil},
		{0o755 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, nil, nil},
		{0o755, 0o755 | fs.ModeSetgid, 0o755 | fs.ModeSetgid, nil, nil},
		{0o775 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, 0, nil, nil},
		{0o600, 0o664, 0o660, syscall.EPERM, nil},
		{0o600, 0o664, 0o660, syscall.EOPNOTSUPP, nil},
		{0o600, 0o664, 0o660, syscall.EIO, syscall.EIO},
	} {
		var got fs.FileMode
		err := widen(c.made, c.mode, func(mode fs.FileMode) error { got = mode; return c.refusal })
		if got != c.want || !errors.Is(err, c.told) || err != nil && c.told == nil {
			t.Errorf("%v in a folder of %v: %v, %v", c.made, c.mode, got, err)
		}
	}
}

// TestSweep: what a process that was killed has left behind is removed when it is old, and
// nothing else.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"leases.new-1x", "full.new-1y", "full.new-1y/entry", "young.new-1z", "leases"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file.new-1a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"leases.new-1x", "full.new-1y", "leases", "file.new-1a"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		mode fs.FileMode
		want []string
	}{
		{0o700, []string{"file.new-1a", "full.new-1y", "leases", "leases.new-1x", "young.new-1z"}}, // nobody shares it
		{0o770 | fs.ModeSetgid, []string{"file.new-1a", "full.new-1y", "leases", "young.new-1z"}},
	} {
		if err := os.Chmod(dir, c.mode); err != nil {
			t.Fatal(err)
		}
		Sweep(dir)
		var left []string
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if err != nil || !slices.Equal(left, c.want) {
			t.Errorf("%v: %v are left of a folder with the mode %v, and not %v", err, left, c.mode, c.want)
		}
	}
}

// TestMakeThere: where the folder is there already, nothing is made beside it.
func TestMakeThere(t *testing.T) {
	dir, old := t.TempDir(), time.Now().Add(-48*time.Hour).Truncate(time.Second)
	path := filepath.Join(dir, "leases")
	if err := errors.Join(os.Chmod(dir, 0o770|fs.ModeSetgid), Make(path), os.Chtimes(dir, old, old)); err != nil {
		t.Fatal(err)
	}
	err := Make(path)
	info, statErr := os.Stat(dir)
	if !errors.Is(err, fs.ErrExist) || statErr != nil || !info.ModTime().Equal(old) {
		t.Errorf("%v, %v: the folder above was changed at %v", err, statErr, info.ModTime())
	}
}
