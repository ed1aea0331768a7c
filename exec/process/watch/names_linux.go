//go:build amd64 || arm64

package watch

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// kind is what lies behind a name.
type kind uint8

const (
	absent kind = iota
	regular
	folder
	link
	special // a pipe, a socket, a device
	kernel  // anything on a file system of the kernel
)

// place is a folder on the way to a name, links followed.
type place struct {
	path  string // without links
	kind  kind   // folder, kernel, or absent if no name can be below it
	links []string
}

// maxLinks is how many links the kernel follows in one name.
const maxLinks = 40

// nameMax is how long a name in a folder can be, on every file system.
const nameMax = 255

// found is what a name led to.
type found struct {
	path  string // without links; a link itself if it wasn't to be followed
	kind  kind
	stamp stamp
	// links are those on the way, and target is where the last one led, if the
	// name itself is one.
	links  []string
	target string
}

// fileSystem is what statfs(2) says of a device.
type fileSystem struct {
	kind int64
	id   uint64
	kept bool // by the kernel: it has no files
}

// folder finds the place of a folder, and notes the links on the way.
func (r *reader) folder(name string, depth int) place {
	if name == "" || name == "/" {
		return place{path: "/", kind: folder}
	}
	s := &r.seen
	if p, ok := s.places[name]; ok {
		return p
	}
	cut := strings.LastIndexByte(name, '/')
	parent, base := r.folder(name[:cut], depth), name[cut+1:]
	p := r.below(parent, base, depth)
	if (p.kind == folder || p.kind == kernel && !ofProcess(p.path)) && !slices.ContainsFunc(p.links, ofProcess) {
		s.places[strings.Clone(name)] = p
	}
	return p
}

// below finds the place of a folder within another.
func (r *reader) below(parent place, base string, depth int) place {
	switch {
	case base == "" || base == "." || parent.kind == absent:
		return parent
	case base == "..":
		p := r.folder(path.Dir(parent.path), depth)
		p.links = parent.links
		return p
	}
	f := r.at(parent, base)
	switch f.kind {
	case link:
		if depth >= maxLinks {
			return place{path: f.path, kind: absent}
		}
		p := r.folder(behind(parent.path, f.target), depth+1)
		p.links = append(append(append([]string(nil), parent.links...), f.path), p.links...)
		return p
	case folder, kernel:
		return place{path: f.path, kind: f.kind, links: parent.links}
	}
	return place{path: f.path, kind: absent, links: parent.links}
}

// find finds what a name leads to, its last part being a link or not.
func (r *reader) find(name string, follow bool, depth int) found {
	trimmed := strings.TrimRight(name, "/")
	if trimmed != name {
		follow = true
	}
	cut := strings.LastIndexByte(trimmed, '/')
	if cut < 0 {
		f := r.at(place{path: "/", kind: folder}, ".")
		return f
	}
	base := trimmed[cut+1:]
	parent := r.folder(trimmed[:cut], depth)
	if base == "." || base == ".." {
		p := r.below(parent, base, depth)
		f := r.at(p, ".")
		f.links = p.links
		return f
	}
	f := r.at(parent, base)
	f.links = parent.links
	if f.kind != link || !follow || depth >= maxLinks {
		return f
	}
	g := r.find(behind(parent.path, f.target), true, depth+1)
	g.links = append(append(append([]string(nil), parent.links...), f.path), g.links...)
	g.target = f.target
	return g
}

// behind is a link's target, seen from the folder that it lies in.
func behind(folder, target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	return join(folder, target)
}

func join(folder, base string) string {
	if folder == "/" {
		return "/" + base
	}
	return folder + "/" + base
}

// at looks at one name in a folder that is free of links.
func (r *reader) at(parent place, base string) found {
	full := parent.path
	if base != "." {
		full = join(parent.path, base)
	}
	if parent.kind == absent || len(base) > nameMax {
		return found{path: full}
	}
	if parent.kind == kernel {
		return r.inKernel(full)
	}
	errno := r.statx(full, unix.AT_SYMLINK_NOFOLLOW)
	if errno != 0 {
		// Not there, or not for us and so not for those that we started.
		return found{path: full}
	}
	f := found{path: full, stamp: stampOf(&r.st)}
	switch f.stamp.mode & unix.S_IFMT {
	case unix.S_IFREG:
		f.kind = regular
	case unix.S_IFDIR:
		f.kind = folder
	case unix.S_IFLNK:
		f.kind = link
		f.target = r.readlink(full)
		r.noteLink(full, f.target, f.stamp)
	default:
		f.kind = special
	}
	if r.fileSystem(f.stamp.dev, full).kept {
		f.kind = kernel
	}
	return f
}

// ofProcess reports whether a place may be another for each process, and later:
// a link there leads to what a descriptor is open on, or to a working folder.
func ofProcess(place string) bool { return strings.HasPrefix(place, "/proc/") }

// inKernel follows a name in the kernel's file systems: some links in proc lead
// out of them.
func (r *reader) inKernel(full string) found {
	f := found{path: full, kind: kernel}
	rest, ok := strings.CutPrefix(full, "/proc/")
	if !ok {
		return f
	}
	if first, after, _ := strings.Cut(rest, "/"); first == "self" || first == "thread-self" {
		full = "/proc/" + strconv.Itoa(int(r.n.PID))
		if after != "" {
			full += "/" + after
		}
	}
	f.path = full
	target := r.readlink(full)
	switch {
	case strings.HasPrefix(target, "/"):
		f.kind, f.target = link, target
	case target != "" && !strings.Contains(target, ":"):
		f.kind, f.target = link, join(path.Dir(full), target)
	}
	return f
}

// fileSystem says what lies on a device.
func (r *reader) fileSystem(dev uint64, name string) fileSystem {
	if fs, ok := r.seen.fileSystems[dev]; ok {
		return fs
	}
	var st unix.Statfs_t
	r.outside()
	err := unix.Statfs(name, &st)
	r.inside()
	if err != nil {
		return fileSystem{}
	}
	fs := fileSystem{kind: int64(st.Type), id: uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32}
	switch uint32(fs.kind) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.SELINUX_MAGIC, unix.SMACK_MAGIC, unix.BPF_FS_MAGIC,
		unix.BINFMTFS_MAGIC, unix.NSFS_MAGIC, unix.SOCKFS_MAGIC, unix.PIPEFS_MAGIC, unix.ANON_INODE_FS_MAGIC,
		unix.RDTGROUP_SUPER_MAGIC, unix.PSTOREFS_MAGIC, unix.EFIVARFS_MAGIC,
		0x62656570, // configfs
		0x65735543, // fusectl
		0x19800202: // message queues
		fs.kept = true
	}
	r.seen.fileSystems[dev] = fs
	return fs
}

func (r *reader) statx(name string, flags uintptr) unix.Errno {
	if len(name) >= len(r.path) {
		// From its own folder a program may ask for it, and we can't.
		r.seen.unseen("a name is too long")
		return unix.ENAMETOOLONG
	}
	copy(r.path[:], name)
	r.path[len(name)] = 0
	r.outside()
	at := unix.AT_FDCWD
	_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(at), uintptr(unsafe.Pointer(&r.path)), flags|unix.AT_NO_AUTOMOUNT,
		unix.STATX_BASIC_STATS|unix.STATX_BTIME, uintptr(unsafe.Pointer(&r.st)), 0)
	r.inside()
	return errno
}

// readlink is where a link leads, or empty.
func (r *reader) readlink(name string) string {
	if len(name) >= len(r.path) {
		return ""
	}
	copy(r.path[:], name)
	r.path[len(name)] = 0
	target, _ := r.readlinkInPath()
	return string(target)
}

// readlinkInPath reads the link whose name is in r.path.
func (r *reader) readlinkInPath() ([]byte, unix.Errno) {
	r.outside()
	at := unix.AT_FDCWD
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(at), uintptr(unsafe.Pointer(&r.path)),
		uintptr(unsafe.Pointer(&r.link)), uintptr(len(r.link)), 0, 0)
	r.inside()
	if errno != 0 {
		return nil, errno
	}
	return r.link[:n], 0
}

// folderOf is the folder that a descriptor of the calling thread is open on, or
// its working folder. It is empty if it is none: then the call will fail. That
// it can't be known is noted.
func (r *reader) folderOf(fd int32) []byte {
	b := append(r.path[:0], "/proc/"...)
	b = strconv.AppendUint(b, uint64(r.n.PID), 10)
	if fd == unix.AT_FDCWD {
		b = append(b, "/cwd"...)
	} else {
		b = append(b, "/fd/"...)
		b = strconv.AppendInt(b, int64(fd), 10)
	}
	_ = append(b, 0)
	target, errno := r.readlinkInPath()
	if errno == unix.ENOENT && fd != unix.AT_FDCWD {
		return nil
	}
	if (errno != 0 || bytes.HasPrefix(target, []byte("(unreachable)"))) && r.alive() {
		r.seen.unseen("a program's folder can't be named")
	}
	if len(target) == 0 || target[0] != '/' || bytes.HasSuffix(target, []byte(" (deleted)")) {
		return nil
	}
	return target
}

// nameAt is the absolute name that a thread means by the C string at an address,
// in the given buffer. ok is false if it can't be known, which is noted.
func (r *reader) nameAt(buf []byte, dir int32, at uintptr) (name []byte, ok bool) {
	// Behind the folder that it is seen from, of which we learn later.
	const room = unix.PathMax
	raw, ok := r.stringAt(buf[room:], at)
	if !ok {
		return nil, false
	}
	if len(raw) > 0 && raw[0] == '/' {
		return raw, true
	}
	from := r.folderOf(dir)
	if from == nil {
		return nil, false
	}
	if len(raw) == 0 {
		return append(buf[:0], from...), true
	}
	if len(from) == 1 {
		from = from[:0]
	}
	start := room - 1 - len(from)
	if start < 0 {
		r.seen.unseen("a name is too long")
		return nil, false
	}
	copy(buf[start:], from)
	buf[room-1] = '/'
	return buf[start : room+len(raw)], true
}

// stringAt reads a C string of the calling thread.
func (r *reader) stringAt(buf []byte, at uintptr) ([]byte, bool) {
	if at < pageSize {
		return nil, false // the call will fail
	}
	have := 0
	for want := 128; have < len(buf); want = len(buf) - have {
		part := buf[have : have+min(want, len(buf)-have)]
		r.outside()
		n, err := readMemory(int(r.n.PID), part, at+uintptr(have))
		r.inside()
		if n > 0 {
			if i := bytes.IndexByte(part[:n], 0); i >= 0 {
				return buf[:have+i], true
			}
			have += n
			if n < len(part) {
				break // the string ends nowhere: EFAULT
			}
			continue
		}
		if err == unix.EFAULT {
			break
		}
		if r.alive() {
			r.seen.unseen("the names that a program uses can't be read: " + err.Error())
		}
		return nil, false
	}
	return nil, false
}

// alive reports whether the thread that called still waits for us.
func (r *reader) alive() bool { return trap.Waits(r.listener, r.n.ID) }
