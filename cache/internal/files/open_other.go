//go:build !unix

package files

import (
	"os"
	"time"
)

// Open opens a file to read it.
func Open(path string) (*os.File, error) { return os.Open(path) }

// OpenRegular is os.OpenFile.
func OpenRegular(path string, flag int, perm os.FileMode) (*os.File, error) {
	return os.OpenFile(path, flag, perm)
}

// OpenOwn is os.OpenFile: this system makes links for those alone who may do all.
func OpenOwn(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag, 0o600)
}

// OpenBelow is os.OpenFile.
func OpenBelow(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag, 0o600)
}

// Missing doesn't know.
func Missing(string) bool { return false }

// Touch sets a file's time to now.
func Touch(path string) error {
	now := time.Now()
	return os.Chtimes(path, now, now)
}
