//go:build !unix

package stats

import "os"

// addMapped: this system has no mapping of files in Go's standard library, so
// it has no statistics.
func addMapped(*os.File, Counts) {}
