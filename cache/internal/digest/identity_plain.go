//go:build !linux

package digest

import (
	"io/fs"
	"os"
)

// statPath identifies what lies at a path, and says what it is.
func statPath(path string) (Identity, fs.FileMode, error) { return statted(os.Stat(path)) }

// statOpen identifies an open file.
func statOpen(f *os.File) (Identity, fs.FileMode, error) { return statted(f.Stat()) }

func statted(info os.FileInfo, err error) (Identity, fs.FileMode, error) {
	if err != nil {
		return Identity{}, 0, err
	}
	return Of(info), info.Mode(), nil
}
