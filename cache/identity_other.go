//go:build !linux && !darwin

package cache

import "io/fs"

func identityOf(info fs.FileInfo) Identity {
	return Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
}
