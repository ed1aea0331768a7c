//go:build !linux

package cache

// networkFileSystem is known on Linux alone.
func networkFileSystem(string) string { return "" }
