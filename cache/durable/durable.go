// Package durable makes files stay where they are after a power cut. A rename makes a
// file whole, not durable: what it holds is synced before, its folder after.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Rename gives a file, which is written and open, its name: after a power cut there
// is the whole of it, or what had the name before; and it is there once Rename has
// returned. The file is closed, also where that fails.
func Rename(f *os.File, name string) error {
	err := f.Sync()
	if cannot(err) { // as on some file systems in memory
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return Folder(filepath.Dir(name))
}

// Folder makes durable what was made, renamed or removed in a folder.
func Folder(dir string) error {
	err := syncFolder(dir)
	if errors.Is(err, fs.ErrPermission) {
		syncAll() // who may write to it need not be allowed to read it
		return nil
	}
	return err
}

// Parents makes durable that a folder is there: it may be new, and so may each above
// it. One that may not be read is none that was made for it.
func Parents(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		if err := syncFolder(up); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// syncFolder leaves file systems alone that can't sync a folder.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); !cannot(err) {
		return err
	}
	return nil
}

// cannot reports whether an error means that there is nothing to sync, rather than
// that it failed.
func cannot(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EROFS) || errors.Is(err, errors.ErrUnsupported)
}
