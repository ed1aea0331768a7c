//go:build !unix

package files

import "os"

const Nonblock = 0

func Open(path string) (*os.File, error) { return os.Open(path) }

func OpenRegular(path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, perm)
}

func Missing(string) bool { return false }
