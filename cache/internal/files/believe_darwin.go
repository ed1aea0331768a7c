package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// FilesystemOf says how far stat can be believed on the file system that an open
// file lies on, and which one it is.
func FilesystemOf(f *os.File) (Belief, uint64) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return BelieveNothing, 0
	}
	id := uint64(uint32(fs.Fsid.Val[0]))<<32 | uint64(uint32(fs.Fsid.Val[1]))
	switch unix.ByteSliceToString(fs.Fstypename[:]) {
	case "apfs":
		return BelieveStat, id
	case "nfs":
		return BelieveOpened, id
	}
	return BelieveNothing, id
}

// Settle writes out what is dirty of a file, through a shared mapping, too.
func Settle(f *os.File, durable bool) error { return unix.Fsync(int(f.Fd())) }

// Boot identifies the time since the system started; empty if it can't be known.
func Boot() string {
	id, _ := unix.Sysctl("kern.bootsessionuuid")
	return id
}
