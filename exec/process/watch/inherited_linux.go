package watch

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inherited are the descriptors above 2 that whoever started us left open, and
// that commands get from us in turn. What is read from them goes by no name.
func Inherited() ([]Descriptor, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var all []Descriptor
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		// All that we open is closed at an exec.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		d := Descriptor{Number: fd}
		d.Name, _ = os.Readlink("/proc/self/fd/" + e.Name())
		d.Offset, _ = unix.Seek(fd, 0, unix.SEEK_CUR)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			d.Regular = true
		case unix.S_IFIFO:
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			d.Once = err != nil || flags&unix.O_ACCMODE != unix.O_WRONLY
		case unix.S_IFSOCK:
			d.Once = true
		}
		all = append(all, d)
	}
	return all, nil
}
