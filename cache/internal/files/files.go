// Package files opens and reads files in which nothing is to be believed: pipes in
// their places, ends that were cut off, disks that fault.
package files

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotRegular: what is there is no regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// ErrLink: what is there is a link.
var ErrLink = errors.New("it is a link, and links in the cache's folder aren't followed; put the file itself there, or set DVLCACHE_DIR to the folder it lies in")

// ReadOwn reads a file that has an end. A link is not followed.
func ReadOwn(path string) ([]byte, error) {
	f, err := OpenOwn(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// AsideName is a name for a broken file, under which nobody looks for it.
func AsideName(path string) string {
	return fmt.Sprintf("%s.broken-%s", path, time.Now().UTC().Format("20060102T150405.000000"))
}

// SyncDir makes a rename durable. File systems that can't sync a folder are
// left alone.
func SyncDir(dir string) error {
	err := syncFolder(dir)
	if errors.Is(err, fs.ErrPermission) {
		syncAll() // who may write to it need not be allowed to read it
		return nil
	}
	return err
}

// SyncParents makes durable that a folder is there: it may be new, and so may each
// above it. One that may not be read is none that was made for it.
func SyncParents(dir string) error {
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

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	for _, cannot := range []error{syscall.EINVAL, syscall.EROFS, errors.ErrUnsupported} {
		if errors.Is(err, cannot) {
			return nil
		}
	}
	return err
}

// OpenFolder opens a folder that lies in the cache's; it is not a link.
func OpenFolder(dir string) (*os.Root, error) {
	there, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if there.Mode()&os.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: ErrLink}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(there, opened) {
		root.Close()
		return nil, cmp.Or(err, error(&fs.PathError{Op: "open", Path: dir, Err: ErrLink}))
	}
	return root, nil
}
