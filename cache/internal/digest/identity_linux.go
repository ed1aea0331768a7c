package digest

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Of is the identity of what was stat'ed, without its mount.
func Of(info fs.FileInfo) Identity {
	id := Identity{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode, id.Ctime = uint64(st.Dev), st.Ino, st.Ctim.Nano()
	}
	return id
}

// statPath identifies what lies at a path, and says what it is.
func statPath(path string) (Identity, fs.FileMode, error) { return statx(unix.AT_FDCWD, path, 0) }

// statOpen identifies an open file. It asks the server of a network file system.
func statOpen(f *os.File) (Identity, fs.FileMode, error) {
	return statx(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC)
}

// statx is stat that tells mounts apart, which device numbers don't: the next image
// mounted has that of the last one.
func statx(dir int, path string, flags int) (id Identity, mode fs.FileMode, err error) {
	var st unix.Statx_t
	for {
		err = unix.Statx(dir, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID_UNIQUE, &st)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		return oldStat(dir, path) // below Linux 4.11, or a filter forbids it
	case err != nil:
		return id, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	id = Identity{
		Device: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino, Size: int64(st.Size),
		Mtime: st.Mtime.Sec*1e9 + int64(st.Mtime.Nsec), Ctime: st.Ctime.Sec*1e9 + int64(st.Ctime.Nsec),
	}
	if st.Mask&unix.STATX_MNT_ID_UNIQUE != 0 { // Linux 6.8
		id.Mount = st.Mnt_id
	}
	return id, modeOf(uint32(st.Mode)), nil
}

func oldStat(dir int, path string) (id Identity, mode fs.FileMode, err error) {
	var st unix.Stat_t
	if path == "" {
		err = unix.Fstat(dir, &st)
	} else {
		err = unix.Stat(path, &st)
	}
	if err != nil {
		return id, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	id = Identity{Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
	return id, modeOf(uint32(st.Mode)), nil
}

// modeOf tells files and folders apart, which is all that is asked.
func modeOf(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		m |= fs.ModeDir
	default:
		m |= fs.ModeIrregular
	}
	return m
}
