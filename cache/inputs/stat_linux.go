package inputs

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// state is what stat tells of a name, with its mount: device numbers don't tell mounts
// apart, since the next image mounted has that of the last one.
type state struct {
	Stamp
	mount uint64
}

// stat follows links.
func stat(name string) (st state, err error) {
	var x unix.Statx_t
	for {
		err = unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID_UNIQUE, &x)
		if err != unix.EINTR {
			break
		}
	}
	switch err {
	case nil:
	case unix.ENOSYS, unix.EPERM: // below Linux 4.11, or a filter forbids it
		info, err := os.Stat(name)
		if err != nil {
			return st, err
		}
		return stateOf(info), nil
	default:
		return st, err
	}
	st.Device, st.Inode, st.Size = unix.Mkdev(x.Dev_major, x.Dev_minor), x.Ino, int64(x.Size)
	st.Mtime = x.Mtime.Sec*1e9 + int64(x.Mtime.Nsec)
	st.Ctime = x.Ctime.Sec*1e9 + int64(x.Ctime.Nsec)
	st.Mode = fs.FileMode(x.Mode & 0o777)
	switch x.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		st.Mode |= fs.ModeDir
	default:
		st.Mode |= fs.ModeIrregular
	}
	if x.Mask&unix.STATX_MNT_ID_UNIQUE != 0 { // Linux 6.8
		st.mount = x.Mnt_id
	}
	return st, nil
}

// nothingThere reports whether an error of stat says that a program finds nothing by
// a name.
func nothingThere(err error) bool {
	for _, e := range []error{unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP, unix.ENAMETOOLONG} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func readable(name string) bool { return unix.Access(name, unix.R_OK) == nil }

func executable(name string) bool { return unix.Access(name, unix.X_OK) == nil }
