package key

import (
	"io/fs"
	"syscall"
)

func identityOf(info fs.FileInfo) Identity {
	id := Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode, id.Ctime = uint64(st.Dev), st.Ino, st.Ctim.Nano()
	}
	return id
}
