//go:build amd64 || arm64

package watch

import (
	"encoding/binary"
	"io/fs"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// list notes the names in a folder before they are read.
func (r *reader) list(fd int32) {
	name := r.folderOf(fd)
	if name == nil {
		return
	}
	rec, here := r.touch(slices.Clone(name), true)
	if rec == nil || here.kind != folder || (rec.before|rec.after)&Listed != 0 {
		return
	}
	if r.seen.isOwned(rec.path) {
		r.use(rec, Listed) // its names are its own
		return
	}
	path := rec.path
	r.outside()
	entries, err := r.entriesOf(path)
	r.inside()
	if err != nil {
		r.seen.unseen("a folder can't be listed: " + err.Error())
		return
	}
	rec.entries = entries
	r.use(rec, Listed)
}

// entriesOf is what a folder holds, in no order. Package os would offer the folder to Go's
// poller, and takes four times as long for all.
func (r *reader) entriesOf(folder string) (list []Entry, err error) {
	fd, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if r.entries == nil {
		r.entries = make([]byte, 32<<10)
	}
	for {
		n, err := unix.ReadDirent(fd, r.entries)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return list, err
		}
		list = appendEntries(list, r.entries[:n])
	}
}

// appendEntries takes apart what getdents64(2) gives.
func appendEntries(list []Entry, b []byte) []Entry {
	const length, kind, text = unsafe.Offsetof(unix.Dirent{}.Reclen), unsafe.Offsetof(unix.Dirent{}.Type), unsafe.Offsetof(unix.Dirent{}.Name)
	for len(b) > int(text) {
		size := int(binary.NativeEndian.Uint16(b[length:]))
		if size <= int(text) || size > len(b) {
			break
		}
		if name := unix.ByteSliceToString(b[text:size]); name != "." && name != ".." && binary.NativeEndian.Uint64(b) != 0 {
			list = append(list, Entry{name, typeOf(b[kind])})
		}
		b = b[size:]
	}
	return list
}

func typeOf(kind byte) fs.FileMode {
	switch kind {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_UNKNOWN:
		return fs.ModeIrregular
	}
	return fs.ModeDevice // or a pipe, or a socket
}
