//go:build !unix

package cache

import "os"

func openFile(path string) (*os.File, error) { return os.Open(path) }
