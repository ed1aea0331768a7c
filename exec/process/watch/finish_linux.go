//go:build amd64 || arm64

package watch

import (
	"cmp"
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
	if w.active.Load() != nil {
		<-w.ended
	}
	// The thread that started the command counts as one who is left.
	for range 1000 {
		if unix.Tgkill(unix.Getpid(), w.tid, 0) == unix.ESRCH {
			break
		}
		time.Sleep(20 * time.Microsecond)
	}
	poll := []unix.PollFd{{Fd: int32(w.listener)}}
	unix.Poll(poll, 0)
	outlived := poll[0].Revents&unix.POLLHUP == 0
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active.Store(nil)
	w.keeper.takeOver(outlived)
	t := w.seen.trace()
	t.Outlived = outlived
	w.close()
	return t
}

// trace compares what is there now with what was there at first.
func (s *seen) trace() *Trace {
	t := &Trace{Unseen: s.reasons, Unwatchable: s.unwatchable, StdinReader: s.stdinReader, Calls: s.calls}
	changed := s.changedFiles()
	byName := map[string]*File{}
	add := func(rec *record) {
		f := s.file(rec, changed)
		if f == nil {
			return
		}
		old := byName[f.Name]
		if old == nil {
			byName[f.Name] = f
			return
		}
		// A link that was both followed and looked at.
		old.Use |= f.Use
		old.Fate = max(old.Fate, f.Fate)
		if old.Target == "" {
			old.Target = f.Target
		}
		if old.Entries == nil {
			old.Entries = f.Entries
		}
		if old.Stamp.Absent() && old.Use&(Opened|Looked|Listed) == 0 {
			old.Stamp = f.Stamp
		}
	}
	for _, rec := range s.records {
		add(rec)
	}
	for _, rec := range s.links {
		add(rec)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		t.Files = append(t.Files, *byName[name])
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

// inode is a file whatever its names.
type inode struct{ dev, ino uint64 }

// changedFiles are the files that the tree made or wrote to, which may have
// been read by other names.
func (s *seen) changedFiles() map[inode]change {
	all := map[inode]change{}
	for name, c := range s.changes {
		if st, ok := now(name, false); ok {
			all[inode{st.dev, st.ino}] |= c
		}
	}
	return all
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

// file says what became of a name; nil if it was not used.
func (s *seen) file(rec *record, changed map[inode]change) *File {
	written := s.changes[rec.path] != 0
	if rec.leftOut || rec.before|rec.after == 0 && !written {
		return nil
	}
	isLink := rec.kind == link
	last, there := now(rec.name, !isLink)
	same := there == (rec.kind != absent) && (!there || rec.stamp.sameKind(last))
	touched := s.touched(rec.path)
	if !touched && !same && there {
		// By another of its names.
		touched = changed[inode{last.dev, last.ino}] != 0 || changed[inode{rec.stamp.dev, rec.stamp.ino}] != 0
	}
	f := &File{Name: rec.name, Use: rec.before, Target: rec.target, Entries: s.foreignEntries(rec)}
	if rec.by != nil {
		f.By = rec.by.name
	}
	if !isLink {
		f.Stamp = s.export(rec.stamp)
	}
	switch {
	case s.isOwned(rec.path) && rec.kind == absent && (there || s.gone(rec.path)):
		f.Fate, f.Use = Output, rec.before|rec.after
	case rec.kind != absent && s.madeMeanwhile(rec, changed):
		f.Fate, f.Use = Output, rec.before|rec.after
	case same:
		// What was to be changed has not been, and so was read as it was.
		f.Use |= rec.after
	case !touched:
		f.Fate = Disturbed
	case rec.before == 0:
		f.Fate, f.Use = Output, rec.after
	default:
		f.Fate = State
	}
	if written {
		f.Use |= Written
	}
	if f.Use == Written {
		f.Fate = Output
	}
	// Through a link of the tree's own the name means nothing to others.
	for _, l := range rec.links {
		if s.isOwned(l) && f.Fate != Output {
			f.Name, f.Target = rec.path, ""
		}
	}
	return f
}

// sameKind is same, but that folders may gain and lose entries.
func (s stamp) sameKind(t stamp) bool {
	if s.mode&unix.S_IFMT == unix.S_IFDIR {
		return s.dev == t.dev && s.ino == t.ino && t.mode&unix.S_IFMT == unix.S_IFDIR
	}
	return s.same(t)
}

// touched reports whether the tree did something to a place or above it.
func (s *seen) touched(place string) bool { return s.changes[place] != 0 || s.isOwned(place) }

// gone reports whether the tree has removed a place or what it lies in.
func (s *seen) gone(place string) bool {
	for p := place; len(p) > 1; p = path.Dir(p) {
		if s.changes[p]&removed != 0 || p != place && s.changes[p]&made != 0 {
			return true
		}
	}
	return false
}

// madeMeanwhile reports whether a file that was there at the first look was
// made by the tree: below a folder that it made, or by another name.
func (s *seen) madeMeanwhile(rec *record, changed map[inode]change) bool {
	born := time.Unix(rec.stamp.born.Sec, int64(rec.stamp.born.Nsec))
	// The clock of a file system may lag by a tick.
	if rec.stamp.born.Sec == 0 || born.Before(s.begun.Add(-20*time.Millisecond)) {
		return false
	}
	return s.isOwned(rec.path) || changed[inode{rec.stamp.dev, rec.stamp.ino}]&made != 0
}

// foreignEntries are those names in a folder that the tree did not make.
func (s *seen) foreignEntries(rec *record) []string {
	if len(rec.entries) == 0 || len(s.changes) == 0 {
		return rec.entries
	}
	return slices.DeleteFunc(slices.Clone(rec.entries), func(e string) bool {
		c := s.changes[join(rec.path, e)]
		return c&made != 0 && c&removed == 0 || c&made != 0 && s.records[join(rec.path, e)] != nil && s.records[join(rec.path, e)].kind == absent
	})
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
