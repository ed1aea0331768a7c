//go:build !unix

package durable

// syncAll: this system syncs no folder.
func syncAll() {}
