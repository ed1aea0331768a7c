// Package disk is what the folder store asks of a file system.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dvlcache/cache/durable"
	"dvlcache/cache/share"
)

// System is what the store asks of a file system, so that a test can put one in its
// place that lies. Names are relative to the store's folder, with slashes. Its methods
// may be called concurrently. Each may fail though it was done, or is done later still.
type System interface {
	// Open opens a file to read it. Of a file that is there, whatever was renamed over
	// it is opened. What is no regular file is ErrForeign, here or from its Stat.
	Open(name string) (File, error)
	// Create makes a file that isn't there yet, and opens it to write.
	Create(name string) (File, error)
	// Rename puts a file in the place of what has its new name, or of nothing, in the
	// same folder.
	Rename(from, to string) error
	// Link gives a file another name in the same folder, that nothing has.
	Link(from, to string) error
	// Remove removes a file or an empty folder.
	Remove(name string) error
	// Mkdir makes a folder. The one of the store is ".".
	Mkdir(name string) error
	// List returns the names in a folder.
	List(dir string) ([]string, error)
	// Sync makes durable what was made, renamed and removed in a folder.
	Sync(dir string) error
}

// ErrForeign is a name that stands for something else than a regular file in the store's
// folder: a pipe, a folder, a link that leads out of it. We make no such thing.
var ErrForeign = errors.New("it is not a regular file")

// File is an open file.
type File interface {
	io.ReaderAt
	io.Writer
	Sync() error
	Close() error
	// Stat returns its size, and when it was written by the file system's clock.
	Stat() (size int64, written time.Time, err error)
}

// Disk is a folder on the system's own file systems.
type Disk struct {
	dir string

	mu    sync.Mutex
	root  *os.Root
	modes share.Modes         // of what is made in it
	below map[string]*os.Root // folders of periods, so that a name is not a long way
}

// New returns a folder, which need not be there.
func New(dir string) *Disk { return &Disk{dir: dir} }

// Close closes what was kept open.
func (d *Disk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.close()
}

func (d *Disk) close() {
	d.forget()
	if d.root != nil {
		d.root.Close()
	}
	d.root = nil
}

// Reopen closes what was kept open and isn't any more what has its name: somebody may have
// put another folder in its place.
func (d *Disk) Reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return
	}
	if now, err := os.Stat(d.dir); err != nil || !isSame(now, d.root) {
		d.close()
		return
	}
	for period, r := range d.below {
		if now, err := d.root.Stat(period); err != nil || !isSame(now, r) {
			r.Close()
			delete(d.below, period)
		}
	}
}

func isSame(now os.FileInfo, r *os.Root) bool {
	open, err := r.Stat(".")
	return err == nil && os.SameFile(now, open)
}

func (d *Disk) forget() {
	for _, r := range d.below {
		r.Close()
	}
	d.below = nil
}

// mostBelow is how many folders of periods are kept open.
const mostBelow = 16

// at returns the folder that a name is looked up in, and the rest of the name. Links that
// lead out of the store's folder are not followed.
func (d *Disk) at(name string) (root *os.Root, rest string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		if d.root, err = os.OpenRoot(d.dir); err != nil {
			return nil, "", err
		}
		d.modes = share.In(d.dir)
	}
	parts := strings.SplitN(name, "/", 4) // ns, hash, token
	if len(parts) < 4 {
		return d.root, name, nil
	}
	period := strings.Join(parts[:3], "/")
	if root = d.below[period]; root == nil {
		if root, err = d.root.OpenRoot(period); err != nil {
			return nil, "", err
		}
		if len(d.below) >= mostBelow {
			d.forget()
		}
		if d.below == nil {
			d.below = map[string]*os.Root{}
		}
		d.below[period] = root
	}
	return root, parts[3], nil
}

// mostReopened is how often an operation is begun anew because a folder that it looks a name
// up in was closed.
const mostReopened = 100

// do looks a name up and does something there. Its error has the whole path.
func (d *Disk) do(op, name string, f func(root *os.Root, rest string) error) error {
	var err error
	for range mostReopened {
		var root *os.Root
		var rest string
		if root, rest, err = d.at(name); err == nil {
			err = f(root, rest)
		}
		if !errors.Is(err, fs.ErrClosed) { // forgotten meanwhile
			break
		}
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ESTALE) {
		d.mu.Lock()
		d.forget()
		d.mu.Unlock()
	}
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause
	}
	return &fs.PathError{Op: op, Path: filepath.Join(d.dir, filepath.FromSlash(name)), Err: err}
}

// Open implements System.
func (d *Disk) Open(name string) (f File, err error) {
	err = d.do("open", name, func(root *os.Root, rest string) error {
		o, err := root.OpenFile(rest, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		f = &diskFile{o}
		if err == nil {
			return nil
		}
		if info, statErr := root.Lstat(rest); statErr == nil && !info.Mode().IsRegular() {
			return ErrForeign
		}
		return err
	})
	return f, err
}

// made are the modes of what is made in the folder that is open.
func (d *Disk) made() share.Modes {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.modes
}

// Create implements System. What it makes is as open as the folder; see package share.
func (d *Disk) Create(name string) (f File, err error) {
	err = d.do("create", name, func(root *os.Root, rest string) error {
		modes := d.made()
		o, err := root.OpenFile(rest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modes.File)
		if err != nil {
			return err
		}
		if modes.Shared {
			if err := share.Widen(o); err != nil {
				o.Close()
				return err
			}
		}
		f = &diskFile{o}
		return nil
	})
	return f, err
}

// Rename implements System.
func (d *Disk) Rename(from, to string) error {
	return d.do("rename", from, func(root *os.Root, rest string) error {
		return root.Rename(rest, path.Join(path.Dir(rest), path.Base(to)))
	})
}

// Link implements System.
func (d *Disk) Link(from, to string) error {
	return d.do("link", from, func(root *os.Root, rest string) error {
		return root.Link(rest, path.Join(path.Dir(rest), path.Base(to)))
	})
}

// Remove implements System.
func (d *Disk) Remove(name string) error {
	return d.do("remove", name, func(root *os.Root, rest string) error { return root.Remove(rest) })
}

// Mkdir implements System. Of the store's folder it makes those above it, too.
func (d *Disk) Mkdir(name string) error {
	if name == "." {
		return share.MakeAll(d.dir)
	}
	return d.do("mkdir", name, func(root *os.Root, rest string) error {
		modes := d.made()
		if modes.Shared {
			return share.Make(filepath.Join(d.dir, filepath.FromSlash(name)))
		}
		return root.Mkdir(rest, modes.Folder.Perm())
	})
}

// Sweep removes from a folder what a Mkdir has left there whose process was killed.
func (d *Disk) Sweep(dir string) { share.Sweep(filepath.Join(d.dir, filepath.FromSlash(dir))) }

// List implements System.
func (d *Disk) List(dir string) (names []string, err error) {
	err = d.do("list", dir, func(root *os.Root, rest string) error {
		// A pipe must not have us wait for who writes to it.
		f, err := root.OpenFile(rest, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		names, err = f.Readdirnames(-1)
		return err
	})
	return names, err
}

// Sync implements System. Of the store's folder it makes durable those above it, too.
func (d *Disk) Sync(dir string) error {
	err := durable.Folder(filepath.Join(d.dir, filepath.FromSlash(dir)))
	if err == nil && dir == "." {
		err = durable.Parents(d.dir)
	}
	if errors.Is(err, fs.ErrNotExist) { // what is open has another name now, or none
		d.Reopen()
	}
	return err
}

type diskFile struct{ *os.File }

// Stat refuses what is no regular file.
func (f *diskFile) Stat() (int64, time.Time, error) {
	info, err := f.File.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: ErrForeign}
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}

// Sync leaves file systems alone that can't, as some in memory.
func (f *diskFile) Sync() error {
	err := f.File.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}
