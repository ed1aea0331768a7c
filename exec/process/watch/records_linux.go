//go:build amd64 || arm64

package watch

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/loader"
)

// stamp is a Stamp as the kernel gives it.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.StatxTimestamp
	born         unix.StatxTimestamp
	mode         uint32
	uid, gid     uint32
}

func stampOf(st *unix.Statx_t) stamp {
	s := stamp{
		dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino, size: int64(st.Size),
		mtime: st.Mtime, ctime: st.Ctime, mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
	}
	if st.Mask&unix.STATX_BTIME != 0 {
		s.born = st.Btime
	}
	return s
}

func (s stamp) same(t stamp) bool {
	return s.dev == t.dev && s.ino == t.ino && s.size == t.size && s.mtime == t.mtime && s.ctime == t.ctime && s.mode == t.mode
}

// change says what the tree was about to do to a name. Whether it could is seen
// at the end.
type change uint8

const (
	made     change = 1 << iota // where there was nothing
	replaced                    // with all that was in it
	removed
	wrote // and kept some of it
	timed // set its times
	told  // changed what else is told of it: its rights, how many names it has
	// carried is what was moved or linked here from where the tree had not
	// made it.
	carried
	// owned is what no longer holds anything that was there before.
	owned = made | replaced | removed
)

// changed is a place that the tree was about to change, and what was there.
type changed struct {
	change
	kind  kind
	stamp stamp
}

// record is what is known of a name.
type record struct {
	name string
	found
	// ownWay is set if a link on the way was made by the tree.
	ownWay             bool
	looked, lookedLink bool // at what it leads to, and at the name itself
	leftOut            bool
	// before and after are its uses before and after the tree had made it its
	// own; written, that it was opened for writing.
	before, after Use
	by            *program
	entries       []Entry
}

// program is what runs in a process.
type program struct{ name string }

// seen is all that was seen of one tree.
type seen struct {
	begun       unix.Timespec // by the clock of file systems
	root        *program
	pathDirs    []string // of the command's PATH
	records     map[string]*record
	places      map[string]place
	fileSystems map[uint64]fileSystem
	links       map[string]*record // by their own place
	changes     map[string]changed // by place
	tasks       map[uint32]*task
	heads       map[string]loader.Head
	searches    map[[2]string]string // name, where found: by whom
	connections map[string]string    // address: by whom
	reasons     []string
	unwatchable string
	stdinReader string
	calls       int
	namespaces  int // how often the tree changed what names mean
	ownRoot     unix.Stat_t
	ownMounts   string
}

func (s *seen) begin(w *Watch) {
	*s = seen{
		root:    &program{},
		records: map[string]*record{}, places: map[string]place{}, fileSystems: map[uint64]fileSystem{},
		links: map[string]*record{}, changes: map[string]changed{}, tasks: map[uint32]*task{}, heads: map[string]loader.Head{},
		searches: map[[2]string]string{}, connections: map[string]string{},
	}
	env := w.cmd.Env
	if env == nil {
		env = os.Environ()
	}
	for _, kv := range env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			s.pathDirs = strings.Split(path, ":")
		}
	}
	unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &s.begun)
	unix.Stat("/", &s.ownRoot)
	s.ownMounts, _ = os.Readlink("/proc/self/ns/mnt")
}

// unseen notes why not everything was seen.
func (s *seen) unseen(reason string) {
	if !slices.Contains(s.reasons, reason) {
		s.reasons = append(s.reasons, reason)
	}
}

// noteLink notes a link that stands on the way to a name.
func (r *reader) noteLink(place, target string, st stamp) {
	s := &r.seen
	if _, ok := s.links[place]; ok {
		return
	}
	rec := &record{name: place, found: found{path: place, kind: link, stamp: st, target: target}, by: r.task().program}
	if s.isOwned(place) {
		rec.after = Followed
	} else {
		rec.before = Followed
	}
	s.links[place] = rec
}

// isOwned reports whether the tree has made what is at a place, or a folder
// that it lies in.
func (s *seen) isOwned(place string) bool {
	if len(s.changes) == 0 {
		return false
	}
	if s.changes[place].change&owned != 0 {
		return true
	}
	for i := strings.LastIndexByte(place, '/'); i > 0; i = strings.LastIndexByte(place[:i], '/') {
		if s.changes[place[:i]].change&owned != 0 {
			return true
		}
	}
	return false
}

// touch finds the record of a name, and looks at it if nobody has, or if the
// tree may have changed it since; here is what is there now. The record is nil
// for what is left out.
func (r *reader) touch(name []byte, follow bool) (rec *record, here found) {
	s := &r.seen
	rec = s.records[string(name)]
	if rec != nil && rec.leftOut {
		return nil, found{}
	}
	if rec != nil && (follow && rec.looked || !follow && rec.lookedLink) && !s.isOwned(rec.path) {
		r.compareRoots(rec.found)
		return rec, rec.found
	}
	key := string(name)
	f := r.find(key, follow, 0)
	r.compareRoots(f)
	switch {
	case f.kind == kernel, f.kind == link && ofProcess(f.path):
		return nil, f // not remembered: /proc/self is another's each time
	case slices.ContainsFunc(f.links, ofProcess):
		// What it leads to has a name that means the same to others, too.
		return r.touch([]byte(f.path), false)
	}
	switch {
	case rec == nil:
		rec = &record{name: key, found: f, ownWay: slices.ContainsFunc(f.links, s.isOwned)}
		s.records[key] = rec
	case s.isOwned(rec.path):
		if f.path != rec.path && f.path != key {
			// It is a link now, or lies behind one, that the tree has made.
			return r.touch([]byte(f.path), false)
		}
	case follow:
		rec.found = f
	}
	rec.looked = rec.looked || follow || f.kind != link
	rec.lookedLink = rec.lookedLink || !follow || f.kind != absent && f.target == ""
	if f.kind == special {
		rec.leftOut = true
		return nil, f
	}
	return rec, f
}

// use notes that a name was used.
func (r *reader) use(rec *record, u Use) {
	if rec == nil {
		return
	}
	if rec.kind == link {
		u = Followed // the link itself: of it counts where it leads
	}
	if (rec.before|rec.after)&u == u {
		return
	}
	if rec.by == nil {
		rec.by = r.task().program
	}
	if r.seen.isOwned(rec.path) {
		rec.after |= u
	} else {
		rec.before |= u
	}
}

// alter notes what the tree is about to do to a name.
func (r *reader) alter(rec *record, here found, c change) {
	s := &r.seen
	old, ok := s.changes[rec.path]
	if !ok {
		old.kind, old.stamp = here.kind, here.stamp
	}
	old.change |= c
	s.changes[rec.path] = old
	if rec.by == nil {
		rec.by = r.task().program
	}
	if c&owned == 0 {
		return
	}
	// What stands on the way to other names may now be another.
	_, one := s.places[rec.path]
	_, two := s.places[rec.name]
	if one || two || s.links[rec.path] != nil {
		clear(s.places)
	}
}

// search notes that a program was looked for along PATH.
func (s *seen) search(name, found, by string) {
	if _, ok := s.searches[[2]string{name, found}]; !ok {
		s.searches[[2]string{name, found}] = by
	}
}
