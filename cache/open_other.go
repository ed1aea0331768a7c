//go:build !unix

package cache

import "os"

const nonblock = 0

func openFile(path string) (*os.File, error) { return os.Open(path) }

func openRegular(path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, perm)
}

func missing(string) bool { return false }
