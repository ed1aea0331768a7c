//go:build !unix

package files

import "os"

// OpenContents opens a regular file to read it.
func OpenContents(path string) (*os.File, error) { return os.Open(path) }
