//go:build unix

package durable

import "syscall"

// syncAll syncs every file system.
func syncAll() { syscall.Sync() }
