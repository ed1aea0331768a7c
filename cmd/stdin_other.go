//go:build !unix

package cmd

// stdinWaits is not known here.
func stdinWaits() bool { return false }
