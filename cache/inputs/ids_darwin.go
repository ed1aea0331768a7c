package inputs

import (
	"io/fs"
	"syscall"
)

func ids(info fs.FileInfo) (device, inode uint64, ctime int64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino, st.Ctimespec.Nano()
	}
	return 0, 0, 1<<63 - 1
}
