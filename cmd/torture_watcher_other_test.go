//go:build unix && !(linux && (amd64 || arm64))

package cmd

func watcherFaults() []faultKind { return nil }
