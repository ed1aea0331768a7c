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
	"time"
)

// ErrNotRegular: what is there is no regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// ErrLink: what is there is a link.
var ErrLink = errors.New("it is a link, and links in the cache's folder aren't followed; put the file itself there, or set DVLCACHE_DIR to the folder it lies in")

// ReadOwn reads a file that has an end. A link is not followed.
func ReadOwn(path string) ([]byte, error) {
	f, err := OpenOwn(path, os.O_RDONLY)
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
