//go:build !unix

package share

import "os"

// Ours reports false: no group shares a folder.
func Ours(string) bool { return false }

// chgrp does nothing: there are no such groups.
func chgrp(string, os.FileInfo) {}
