//go:build unix && !linux

package cmd

// stopIgnored reports whether Ctrl-Z is ignored, which only Linux tells.
func stopIgnored() bool { return false }
