package digest

import (
	"io/fs"
	"syscall"
)

// Of is the identity of what was stat'ed, without its mount.
func Of(info fs.FileInfo) Identity {
	id := Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode, id.Ctime = uint64(st.Dev), st.Ino, st.Ctimespec.Nano()
	}
	return id
}
