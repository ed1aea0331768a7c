//go:build !linux && !darwin

package key

import "io/fs"

func identityOf(info fs.FileInfo) Identity {
	return Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
}
