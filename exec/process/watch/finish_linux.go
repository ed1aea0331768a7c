//go:build amd64 || arm64

package watch

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Finish ends the watch of a command that was waited for, and says what was
// seen. What still runs of it is answered for as long as it runs.
func (w *Watch) Finish() *Trace {
	w.stopping.Store(true)
	close(w.stop)
	<-w.ended
	// The thread that started the command counts as one who is left.
	for range 1000 {
		if unix.Tgkill(unix.Getpid(), w.starterID, 0) == unix.ESRCH {
			break
		}
		time.Sleep(20 * time.Microsecond)
	}
	poll := []unix.PollFd{{Fd: int32(w.listener)}}
	unix.Poll(poll, 0)
	outlived := poll[0].Revents&unix.POLLHUP == 0
	w.mu.Lock()
	defer w.mu.Unlock()
	if outlived && !w.keeper.TakesOver() {
		w.replaceKeeper()
	}
	w.keeper.TakeOver(outlived, w.stuck)
	t := w.seen.trace() // while the keeper ends
	w.keeper.Wait()
	t.Outlived = outlived
	if t.Unwatchable != "" {
		// Should the command have ended well before.
		t.Unseen = append(t.Unseen, t.Unwatchable)
	}
	w.close()
	return t
}

// trace tells what the tree made and changed from what it only read. Of that
// nothing is looked at again: whoever hashes it looks.
func (s *seen) trace() *Trace {
	t := &Trace{Unseen: s.reasons, Unwatchable: s.unwatchable, StdinReader: s.stdinReader, Calls: s.calls}
	e := &end{seen: s, owns: map[string]bool{}, inodes: map[inode]change{}}
	for place, c := range s.changes {
		if st, ok := now(place, false); ok {
			e.inodes[inode{st.dev, st.ino}] |= c.change
		}
	}
	type known struct {
		*File
		turn int // links last
	}
	all := make([]known, 0, len(s.records)+len(s.links))
	for turn, records := range []map[string]*record{s.records, s.links} {
		for _, rec := range records {
			if f := e.file(rec); f != nil {
				all = append(all, known{f, turn})
			}
		}
	}
	slices.SortFunc(all, func(a, b known) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.turn, b.turn))
	})
	t.Files = make([]File, 0, len(all))
	for _, k := range all {
		f := k.File
		if last := len(t.Files) - 1; last >= 0 && t.Files[last].Name == f.Name {
			f = merge(&t.Files[last], f)
			t.Files = t.Files[:last]
		}
		t.Files = append(t.Files, *f)
	}
	s.searchedFor(t.Files)
	for k, by := range s.searches {
		t.Searches = append(t.Searches, Search{Name: k[0], Found: k[1], By: by})
	}
	slices.SortFunc(t.Searches, func(a, b Search) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Found, b.Found))
	})
	for _, address := range slices.Sorted(maps.Keys(s.connections)) {
		t.Connections = append(t.Connections, Connection{Address: address, By: s.connections[address]})
	}
	return t
}

// merge makes one of what is known of a name itself and of what it leads to.
func merge(a, b *File) *File {
	if a.Use == Written {
		a, b = b, a
	}
	f := *a
	f.Use |= b.Use
	if b.Use != Written {
		f.Fate = max(a.Fate, b.Fate)
	}
	if f.Target == "" {
		f.Target = b.Target
	}
	if f.Entries == nil {
		f.Entries = b.Entries
	}
	if f.Stamp.Absent() {
		f.Stamp = b.Stamp
	}
	return &f
}

// end is what there is when the command has ended.
type end struct {
	*seen
	owns   map[string]bool // by place, what owned has found
	inodes map[inode]change
}

// inode is a file whatever its names.
type inode struct{ dev, ino uint64 }

// Same reports whether a name still leads to what it led to when it was used
// first. Folders are the same whatever they hold.
func (f *File) Same() bool {
	if f.Target != "" {
		var b [unix.PathMax]byte
		if n, err := unix.Readlink(f.Name, b[:]); err != nil || string(b[:n]) != f.Target {
			return false
		}
		if f.Use&(Opened|Looked|Listed) == 0 {
			return true
		}
	}
	last, there := now(f.Name, true)
	if f.Stamp.Absent() || !there {
		return f.Stamp.Absent() && !there
	}
	if last.mode&unix.S_IFMT == unix.S_IFDIR {
		return f.Stamp.Device == last.dev && f.Stamp.Inode == last.ino
	}
	return f.Stamp.Same((&seen{}).export(last))
}

func now(name string, follow bool) (stamp, bool) {
	flags := unix.AT_NO_AUTOMOUNT
	if !follow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st) != nil {
		return stamp{}, false
	}
	return stampOf(&st), true
}

func isThere(name string) bool {
	_, there := now(name, true)
	return there
}

// file says what became of a name; nil if it was not used.
func (e *end) file(rec *record) *File {
	c := e.changes[rec.path].change
	written := c != 0
	if rec.leftOut || rec.before|rec.after == 0 && c&^told == 0 {
		return nil
	}
	isLink := rec.kind == link
	f := &File{Name: rec.name, Use: rec.before | rec.after, Target: rec.target, Entries: e.foreignEntries(rec)}
	if rec.by != nil {
		f.By = rec.by.name
	}
	if !isLink {
		f.Stamp = e.export(rec.stamp)
	}
	switch {
	case !e.touched(rec):
		f.Fate = Input
	case rec.kind == absent && rec.before != 0 && !isThere(rec.name):
		// Made, and removed again: that it was not there counts.
		f.Fate = Input
	case rec.kind == absent && !written && isThere(path.Dir(rec.name)) && !isThere(rec.name):
		// Looked for in vain in a folder that the tree has made, and that lasts: the
		// next to look there may find what somebody has put into it.
		f.Fate = Input
	case f.Use == 0, rec.before == 0 && e.owned(rec.path), rec.kind == absent && e.owned(rec.path), e.madeElsewhere(rec):
		f.Fate = Output
	default:
		last, there := now(rec.name, !isLink)
		switch {
		case there && e.onlyTold(rec, last):
			// As one that it has hard links to, or sets the rights of.
			f.Stamp.Ctime = time.Time{}
		case there != (rec.kind != absent) || there && !rec.stamp.sameKind(last):
			f.Fate = State
		}
	}
	if written {
		f.Use |= Written
	}
	if rec.ownWay {
		// Through a link of the tree's own the name means nothing to others.
		f.Name, f.Target = rec.path, ""
	}
	return f
}

// touched reports whether the tree was about to do anything to a file, by this
// name or another.
func (e *end) touched(rec *record) bool {
	return len(e.changes) > 0 && (e.changes[rec.path].change != 0 || e.isOwned(rec.path) ||
		slices.ContainsFunc(rec.links, e.isOwned) || e.inodes[inode{rec.stamp.dev, rec.stamp.ino}] != 0)
}

// owned reports whether the tree has indeed made what is, or was, at a place,
// or a folder above it: what it was about to do may have failed.
func (e *end) owned(place string) bool {
	if len(e.changes) == 0 || len(place) <= 1 {
		return false
	}
	own, ok := e.owns[place]
	if !ok {
		own = e.ownsItself(place) || e.owned(path.Dir(place))
		e.owns[place] = own
	}
	return own
}

func (e *end) ownsItself(place string) bool {
	c := e.changes[place]
	if c.change&owned == 0 {
		return false
	}
	last, there := now(place, false)
	if c.kind == absent {
		return there || c.change&removed != 0
	}
	return !there || !c.stamp.sameKind(last)
}

// onlyTold reports whether a file, which is last now, holds what it held, and the tree has
// changed what is told of it: what is written to gets another time, unless that is set.
func (e *end) onlyTold(rec *record, last stamp) bool {
	c := e.changes[rec.path].change | e.inodes[inode{rec.stamp.dev, rec.stamp.ino}]&(wrote|timed|told)
	last.ctime = rec.stamp.ctime
	return rec.kind == regular && c&(timed|told) != 0 && c&owned == 0 && c&(timed|wrote) != timed|wrote && rec.stamp.same(last)
}

// sameKind is same, but that folders may gain and lose entries.
func (s stamp) sameKind(t stamp) bool {
	if s.mode&unix.S_IFMT == unix.S_IFDIR {
		return s.dev == t.dev && s.ino == t.ino && t.mode&unix.S_IFMT == unix.S_IFDIR
	}
	return s.same(t)
}

// madeElsewhere reports whether a file that was there at the first look was made
// by the tree under another of its names.
func (e *end) madeElsewhere(rec *record) bool {
	c := e.inodes[inode{rec.stamp.dev, rec.stamp.ino}]
	if c&made == 0 || c&carried != 0 || rec.kind != regular || e.isOwned(rec.path) {
		return false
	}
	// An inode's number is given anew when the file is gone.
	born := rec.stamp.born
	return born.Sec > e.begun.Sec || born.Sec == e.begun.Sec && int64(born.Nsec) > e.begun.Nsec
}

// foreignEntries are those names in a folder that the tree did not make, sorted. What
// it has put in the place of one may be of another type.
func (s *seen) foreignEntries(rec *record) []Entry {
	entries := slices.DeleteFunc(rec.entries, func(e Entry) bool {
		c, ok := s.changes[join(rec.path, e.Name)]
		return ok && c.change&made != 0 && c.kind == absent
	})
	for i, e := range entries {
		if s.changes[join(rec.path, e.Name)].change&owned != 0 {
			entries[i].Type = fs.ModeIrregular
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

func (s *seen) export(st stamp) Stamp {
	if st.mode == 0 {
		return Stamp{}
	}
	fs := s.fileSystems[st.dev]
	return Stamp{
		Device: st.dev, Inode: st.ino, Size: st.size, Mode: st.mode,
		Mtime: time.Unix(st.mtime.Sec, int64(st.mtime.Nsec)), Ctime: time.Unix(st.ctime.Sec, int64(st.ctime.Nsec)),
		FileSystem: fs.id, FileSystemType: fs.kind,
	}
}

// searchedFor finds what was looked for in several folders of PATH, by a shell
// or by which(1).
func (s *seen) searchedFor(files []File) {
	type search struct {
		asked map[string]*File // by folder
	}
	all := map[string]*search{}
	for i := range files {
		f := &files[i]
		dir, base := path.Split(f.Name)
		if dir = strings.TrimSuffix(dir, "/"); !slices.Contains(s.pathDirs, dir) || f.Use&Looked == 0 && f.Use&Executed == 0 {
			continue
		}
		if all[base] == nil {
			all[base] = &search{asked: map[string]*File{}}
		}
		all[base].asked[dir] = f
	}
	for base, a := range all {
		found, by, missed := "", "", 0
		for _, dir := range s.pathDirs {
			f := a.asked[dir]
			if f == nil {
				break
			}
			by = f.By
			if !f.Stamp.Absent() && f.Stamp.Mode&0o111 != 0 {
				found = f.Name
				break
			}
			missed++
		}
		if missed > 0 && (found != "" || missed == len(s.pathDirs)) {
			s.search(base, found, by)
		}
	}
}
