//go:build unix && !linux

package cmd

func mountTmpfs(string, int) bool { return false }
func readOnly(string)             {}
func unmount(string)              {}
