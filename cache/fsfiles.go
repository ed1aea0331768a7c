package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// errNotRegular: what is there is no regular file.
var errNotRegular = errors.New("it is not a regular file")

// readRegular reads a file that has an end.
func readRegular(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// setAsideName is a name for a broken file, under which nobody looks for it.
func setAsideName(path string) string {
	return fmt.Sprintf("%s.broken-%s", path, time.Now().UTC().Format("20060102T150405.000000"))
}

// syncDir makes a rename durable. File systems that can't sync a folder are
// left alone.
func syncDir(dir string) error {
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
