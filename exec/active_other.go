//go:build !linux

package exec

// ourselves is nobody: that an evaluation has ended is told on Linux alone.
func ourselves() string { return "" }

func livenessOf(string) liveness { return alive }
