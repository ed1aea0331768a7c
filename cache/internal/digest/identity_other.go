//go:build !linux && !darwin

package digest

import "io/fs"

// Of is the identity of what was stat'ed, without its mount.
func Of(info fs.FileInfo) Identity {
	return Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
}
