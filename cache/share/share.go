// Package share gives what is made in a cache's folder the modes by which those can use it
// who can use the folder.
//
// What is made is as open as its folder, less what the umask takes away. A folder with the
// set-group-ID bit that its group may write to is shared by that group: there the group may
// do what it may with the folder, whatever the umask.
package share

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Modes are those of what is made in a folder, before the umask.
type Modes struct {
	File, Folder fs.FileMode
	// Shared says that a group shares the folder, Open that everybody may write to it.
	Shared, Open bool
}

// In returns the modes in a folder. In one that can't be looked at they are for its owner
// alone.
func In(dir string) Modes {
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS == "windows" { // whose modes say nothing
		return Modes{File: 0o600, Folder: 0o700}
	}
	perm := info.Mode().Perm()
	return Modes{
		File:   perm&0o666 | 0o600,
		Folder: perm | 0o700 | info.Mode()&fs.ModeSetgid,
		Shared: info.Mode()&fs.ModeSetgid != 0 && perm&0o020 != 0,
		Open:   perm&0o002 != 0,
	}
}

// widened is the mode of something that was made with a mode: its group has what the
// umask took.
func widened(made, mode fs.FileMode) fs.FileMode {
	return made.Perm() | mode.Perm()&0o070 | (made|mode)&fs.ModeSetgid
}

// Widen gives a new file that is open the modes of its folder.
func Widen(f *os.File) error {
	m := In(filepath.Dir(f.Name()))
	if !m.Shared {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return widen(info.Mode(), m.File, f.Chmod)
}

// widen changes a mode, where that is needed. A file system that refuses it has rules of its
// own for who may use a file, such as access lists.
func widen(made, mode fs.FileMode, chmod func(fs.FileMode) error) error {
	const all = fs.ModePerm | fs.ModeSetgid
	if made&all == widened(made, mode)&all {
		return nil
	}
	err := chmod(widened(made, mode))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Make makes a folder in another. One that is there is fs.ErrExist.
func Make(path string) error {
	parent := filepath.Dir(path)
	m := In(parent)
	if !m.Shared {
		return os.Mkdir(path, m.Folder.Perm())
	}
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: fs.ErrExist}
	}
	// Under its name it has its modes, or the group would be refused for a moment.
	temp := path + tempMark + strconv.FormatUint(rand.Uint64(), 36)
	if err := os.Mkdir(temp, m.Folder.Perm()); err != nil {
		return err
	}
	info, err := os.Stat(temp)
	if err == nil {
		err = widen(info.Mode(), m.Folder, func(mode fs.FileMode) error { return os.Chmod(temp, mode) })
	}
	if err == nil {
		err = renameNew(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// tempMark parts the name of a folder that is being made from what makes it another.
const tempMark = ".new-"

// tempAge is how old a folder is that nobody is about to rename any more, whatever the
// clocks of those who share it say.
const tempAge = 24 * time.Hour

// Sweep removes from a folder what Make has left there where its process was killed. They
// are empty, and what isn't stays. Where no group shares the folder Make leaves nothing, and
// what has such a name is somebody's own.
func Sweep(dir string) {
	if !In(dir).Shared {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() || !strings.Contains(e.Name(), tempMark) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// MakeAll makes a folder for a cache, and those above it that are missing: for their owner
// alone, but where a group shares the one above.
func MakeAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MakeAll(parent); err != nil {
			return err
		}
	}
	var err error
	if In(parent).Shared {
		err = Make(dir)
	} else {
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil
		}
	}
	return err
}

// renameUnlessThere is renameNew on systems that can't do it in one step: an empty folder
// that another has made in between is replaced, which costs who uses it a retry.
func renameUnlessThere(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "mkdir", Path: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// Like gives a file the mode and, where that may be done, the group of another whose place
// it will take; it stays as it is where there is none.
func Like(path, other string) {
	info, err := os.Lstat(other)
	if err != nil {
		return
	}
	chgrp(path, info)
	os.Chmod(path, info.Mode().Perm())
}
