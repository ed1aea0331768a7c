// Package afero is what viper needs of github.com/spf13/afero to be built: the
// system's files and no others. See ../README.md.
package afero

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is an open file.
type File interface {
	io.ReadWriteCloser
	Sync() error
}

// Fs is a file system.
type Fs interface {
	OpenFile(name string, flag int, perm os.FileMode) (File, error)
	Stat(name string) (os.FileInfo, error)
}

type osFs struct{}

// NewOsFs returns the system's files.
func NewOsFs() Fs { return osFs{} }

func (osFs) OpenFile(name string, flag int, perm os.FileMode) (File, error) {
	return os.OpenFile(name, flag, perm)
}

func (osFs) Stat(name string) (os.FileInfo, error) { return os.Stat(name) }

// ReadFile reads a whole file.
func ReadFile(from Fs, name string) ([]byte, error) {
	f, err := from.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Exists reports whether there is a file.
func Exists(in Fs, name string) (bool, error) {
	_, err := in.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
