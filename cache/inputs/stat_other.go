//go:build !linux

package inputs

import (
	"errors"
	"io/fs"
	"os"

	"dvlcache/cache/internal/files"
)

// state is what stat tells of a name.
type state struct {
	Stamp
	mount uint64
}

// stat follows links.
func stat(name string) (state, error) {
	info, err := os.Stat(name)
	if err != nil {
		return state{}, err
	}
	return stateOf(info), nil
}

// nothingThere reports whether an error of stat says that a program finds nothing by
// a name.
func nothingThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}

func readable(name string) bool {
	f, err := files.Open(name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

func executable(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode()&0o111 != 0
}
