//go:build !linux

package bolt

// networkFileSystem is known on Linux alone.
func networkFileSystem(string) string { return "" }
