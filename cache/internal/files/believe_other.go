//go:build !linux && !darwin

package files

import "os"

// FilesystemOf believes nothing: there is no change time.
func FilesystemOf(*os.File) (Belief, uint64) { return BelieveNothing, 0 }

// Settle writes out what is dirty of a file.
func Settle(f *os.File, durable bool) error { return f.Sync() }

// Boot is not known.
func Boot() string { return "" }
