// Package files opens and reads files in which nothing is to be believed: pipes in
// their places, ends that were cut off, disks that fault.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// ErrNotRegular: what is there is no regular file.
var ErrNotRegular = errors.New("it is not a regular file")

// ReadRegular reads a file that has an end.
func ReadRegular(path string) ([]byte, error) {
	f, err := Open(path)
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
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
