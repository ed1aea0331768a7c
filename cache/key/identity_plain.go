//go:build !linux

package key

import "os"

// statPath identifies what lies at a path, and says whether it is a regular file.
func statPath(path string) (Identity, bool, error) { return statted(os.Stat(path)) }

// statOpen identifies an open file.
func statOpen(f *os.File) (Identity, bool, error) { return statted(f.Stat()) }

func statted(info os.FileInfo, err error) (Identity, bool, error) {
	if err != nil {
		return Identity{}, false, err
	}
	return identityOf(info), info.Mode().IsRegular(), nil
}
