//go:build unix

package files

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/cache/share"
)

// Open opens a file to read it, and does not hang on a pipe that took its
// place.
func Open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Missing reports, without the cost of an error, that there is nothing by that
// name, which isn't "" nor begins with an "@". It may report false where it doesn't
// know.
func Missing(name string) bool {
	if name == "" || name[0] == '@' || len(name) > 4096 {
		return false
	}
	var info syscall.Stat_t
	err := syscall.Stat(name, &info)
	return err == syscall.ENOENT || err == syscall.ENAMETOOLONG
}

// OpenRegular is os.OpenFile for what is a regular file: it doesn't offer it to
// Go's poller, which has no use for one, and would cost a hit six system calls.
func OpenRegular(path string, flag int, perm os.FileMode) (*os.File, error) {
	fd, err := retry(func() (int, error) { return syscall.Open(path, flag|syscall.O_CLOEXEC, uint32(perm.Perm())) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// OpenOwn is OpenRegular for a file that lies in the cache's folder itself, where
// whoever may write to it could lay a link to a file elsewhere: none is followed.
// It does not hang on a pipe. What it makes has the modes that package share gives it.
func OpenOwn(path string, flag int) (*os.File, error) {
	return file(path)(OpenDescriptor(path, flag))
}

// OpenBelow is OpenOwn for a file in a folder that lies in the cache's.
func OpenBelow(path string, flag int) (*os.File, error) {
	return file(path)(OpenDescriptorBelow(path, flag))
}

func file(path string) func(fd int, err error) (*os.File, error) {
	return func(fd int, err error) (*os.File, error) {
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// own are the flags with which a file of our own is opened. One that is only read
// may be a pipe, which would be waited for; Go's poller is then offered the file.
func own(flag int) int {
	if flag&syscall.O_ACCMODE == os.O_RDONLY {
		flag |= syscall.O_NONBLOCK
	}
	return flag | syscall.O_NOFOLLOW | syscall.O_CLOEXEC
}

// OpenDescriptor is OpenOwn for who needs no more than a descriptor. Both wait for one;
// see patiently.
func OpenDescriptor(path string, flag int) (int, error) {
	fd, err := patiently(func() (int, error) { return openAt(unix.AT_FDCWD, path, filepath.Dir(path), flag) })
	if err != nil {
		return -1, link(path, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	return fd, nil
}

// OpenDescriptorBelow is OpenDescriptor for a file in a folder that lies in the
// cache's: that isn't followed either. It doesn't wait: what lies there, leases and
// statistics, can be done without.
func OpenDescriptorBelow(path string, flag int) (int, error) {
	dir := filepath.Dir(path)
	folder, err := retry(func() (int, error) {
		return syscall.Open(dir, toFolder|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	})
	if err != nil {
		return -1, link(dir, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	defer syscall.Close(folder)
	fd, err := openAt(folder, filepath.Base(path), dir, flag)
	if err != nil {
		return -1, link(path, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	return fd, nil
}

// openAt opens a file of a folder, dir, and makes it under O_CREATE if it isn't there.
func openAt(folder int, name, dir string, flag int) (int, error) {
	open := func(name string, flag int, mode fs.FileMode) (int, error) {
		return retry(func() (int, error) { return unix.Openat(folder, name, own(flag), uint32(mode.Perm())) })
	}
	for range 10 { // others may remove it meanwhile
		fd, err := open(name, flag&^os.O_CREATE, 0)
		if !errors.Is(err, syscall.ENOENT) || flag&os.O_CREATE == 0 {
			return fd, err
		}
		modes := share.In(dir)
		if !modes.Shared {
			return open(name, flag, modes.File)
		}
		// Under its name it has its modes, or the group would be refused for a moment.
		temp := name + ".new-" + strconv.FormatUint(rand.Uint64(), 36)
		if fd, err = open(temp, flag|os.O_EXCL, modes.File); err != nil {
			return -1, err
		}
		f := os.NewFile(uintptr(fd), filepath.Join(dir, filepath.Base(temp)))
		err = errors.Join(share.Widen(f), f.Close())
		if err == nil {
			err = unix.Linkat(folder, temp, folder, name, 0)
		}
		unix.Unlinkat(folder, temp, 0)
		if err != nil && !errors.Is(err, syscall.EEXIST) { // as where there are no links
			return open(name, flag, modes.File)
		}
	}
	return -1, syscall.ENOENT
}

func retry(open func() (int, error)) (fd int, err error) {
	for {
		if fd, err = open(); !errors.Is(err, syscall.EINTR) {
			return fd, err
		}
	}
}

// patiently is retry for what can't be done without. It waits, for a second at most, where
// the process has no descriptor left: programs that run beside give theirs back when they
// end, and goroutines soon.
func patiently(open func() (int, error)) (fd int, err error) {
	for try := 0; ; try++ {
		fd, err = retry(open)
		if short := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE); !short || try == 100 {
			return fd, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// link is an error of opening, or, if there is a link, that. Systems give it
// different names.
func link(path string, err error) error {
	if info, statErr := os.Lstat(path); statErr == nil && info.Mode()&os.ModeSymlink != 0 {
		return &fs.PathError{Op: "open", Path: path, Err: ErrLink}
	}
	return err
}

// Touch sets a file's time to now; a link is not followed. Of another user's file that may
// be written to, only the system's own now can be set.
func Touch(path string) error {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EPERM) {
		err = unix.Utimes(path, nil)
	}
	return err
}
