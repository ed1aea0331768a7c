package key

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// tree is what --depends-on takes of a folder.
type tree struct {
	call  *Call
	where *pathNamer
	left  *leftOut
}

// folder is one folder of a tree.
type folder struct {
	path  string // as it is named
	abs   string
	own   *ownFolder // nil: it has nothing to do with the cache
	left  *leftOut
	rules *ignoreFile // what .gitignore files say, the nearest first
}

// entry is a name in a folder.
type entry struct {
	name string
	mode fs.FileMode
	own  *ownFolder
}

// addDependencies adds what --depends-on names.
func (c *Call) addDependencies(ctx context.Context, paths []string, where *pathNamer) error {
	cleaned := make([]string, len(paths))
	for i, p := range paths {
		cleaned[i] = filepath.Clean(p)
	}
	var left *leftOut // only if there is a folder
	// In the order of their names as given, not as they count: under "none"
	// two of the same base name must not be swapped.
	for _, path := range sortedSet(cleaned) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return &MissingDependencyError{path}
		} else if err != nil {
			return &UnreadableError{path, err}
		}
		p, first := Part{Kind: PartDependency}, len(c.files)
		var sum Digest
		if info.IsDir() {
			p.Style = "tree"
			if left == nil {
				left = newLeftOut(c.spec)
			}
			sum, err = c.trackTree(ctx, path, where, left)
		} else {
			sum, err = c.track(ctx, path)
		}
		if err != nil {
			return unreadable(path, err)
		}
		p.Items = []Item{where.item(path, &sum)}
		for ; first < len(c.files); first++ {
			c.files[first].of = p.Items[0].Text
		}
		c.add(p)
	}
	if left != nil {
		for _, rule := range left.rules() {
			c.add(Part{Kind: PartRule, Items: []Item{{Text: rule}}})
		}
	}
	return nil
}

// trackTree digests a folder: the names in it, the contents of files and folders,
// those behind links included, where links lead, and which files may be run.
func (c *Call) trackTree(ctx context.Context, dir string, where *pathNamer, left *leftOut) (Digest, error) {
	t := &tree{call: c, where: where, left: left}
	self, err := os.Stat(dir)
	if err != nil {
		return Digest{}, err
	}
	f := &folder{path: dir, own: left.ownFolder(self), left: left}
	if f.abs, err = filepath.Abs(dir); err != nil {
		return Digest{}, err
	}
	f.rules = left.ignoreFilesAbove(f.abs)
	sum, _, err := t.add(ctx, f, self, nil)
	return sum, err
}

// add digests a folder. above are those on the way here, since links can go round
// in circles. empty says that nothing in it counts.
func (t *tree) add(ctx context.Context, f *folder, self os.FileInfo, above []os.FileInfo) (sum Digest, empty bool, err error) {
	for i, a := range above {
		if os.SameFile(a, self) {
			// Its contents count already; that the link leads there
			// does here.
			return sha256.Sum256(binary.AppendUvarint([]byte("above"), uint64(len(above)-i))), false, nil
		}
	}
	above = append(above, self)
	f.rules = t.left.ignoreFileIn(f.abs, f.rules)
	entries, err := f.list()
	if err != nil {
		return sum, false, err
	}
	t.track(f, entries)
	h := sha256.New()
	empty = true
	for _, e := range entries {
		p, counts, err := t.part(ctx, f, e, above)
		if err != nil {
			return sum, false, err
		}
		if counts {
			empty = false
			h.Write(p.encode(nil))
		}
	}
	return Digest(h.Sum(nil)), empty, nil
}

// track has the names in a folder looked at after the run.
func (t *tree) track(f *folder, entries []entry) {
	t.call.files = append(t.call.files, trackedFile{path: f.path, folder: f, names: names(entries)})
	for name := range f.own.folders() {
		if !slices.ContainsFunc(entries, func(e entry) bool { return e.name == name }) {
			// The way to the cache's folder isn't there yet. What else comes
			// to lie on it counts.
			next := f.sub(name)
			t.call.files = append(t.call.files, trackedFile{path: next.path, folder: next})
		}
	}
}

// sub is a folder in a folder.
func (f *folder) sub(name string) *folder {
	return &folder{path: filepath.Join(f.path, name), abs: filepath.Join(f.abs, name), own: f.own.folders()[name], left: f.left, rules: f.rules}
}

// part is how a name in a folder counts, if it does.
func (t *tree) part(ctx context.Context, f *folder, e entry, above []os.FileInfo) (p Part, counts bool, err error) {
	path := filepath.Join(f.path, e.name)
	p = Part{Kind: PartDependency, Items: []Item{{Text: e.name}}}
	if e.mode&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return p, false, err
		}
		p.Style = "link " + t.target(target)
	}
	if e.mode.Type() == 0 {
		sum, seen, err := t.call.trackSeen(ctx, path)
		if err == nil && seen.Mode&0o111 != 0 {
			p.Style = "run"
		}
		p.Items[0].Digest = &sum
		return p, true, err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		sub := f.sub(e.name)
		sub.own = t.left.ownFolder(info)
		sum, empty, err := t.add(ctx, sub, info, above)
		p.Kind, p.Items[0].Digest = PartDirectory, &sum
		return p, !empty || sub.own == nil, err
	case err == nil && info.Mode().IsRegular():
		sum, err := t.call.track(ctx, path)
		p.Items[0].Digest = &sum
		return p, true, err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return p, false, err
	}
	// A dangling link, a socket, a pipe: its name is all it has.
	return p, true, nil
}

// target is where a link leads, as it counts.
func (t *tree) target(text string) string {
	switch t.where.mode {
	case PathsNone:
		return ""
	case PathsProject:
		if rel, ok := t.where.inProject(text); ok && filepath.IsAbs(text) {
			return "project " + rel
		}
	}
	return "to " + text
}

// list returns what is in a folder, sorted, without what doesn't count.
func (f *folder) list() ([]entry, error) {
	list, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(list))
	for _, d := range list {
		e := entry{d.Name(), d.Type(), f.own.folders()[d.Name()]}
		if e.name == ".git" || e.name == "__pycache__" || f.own.holds(e.name) {
			continue
		}
		if !f.left.has(f, e) {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// names are those of entries that count by being there. A folder of the cache
// counts only if it holds something besides.
func names(entries []entry) (list []string) {
	for _, e := range entries {
		if e.own == nil {
			list = append(list, e.name)
		}
	}
	return list
}

// changed returns the path of what came or went since there were these names, or
// the folder's, or "".
func (f *folder) changed(before []string) string {
	entries, err := f.list()
	if errors.Is(err, fs.ErrNotExist) && f.own != nil {
		err = nil // the cache may be removed
	}
	if err != nil {
		return f.path
	}
	now := names(entries)
	for _, lists := range [][2][]string{{now, before}, {before, now}} {
		for _, name := range lists[0] {
			if _, ok := slices.BinarySearch(lists[1], name); !ok {
				return filepath.Join(f.path, name)
			}
		}
	}
	return ""
}

// youngest names, of a dependency, what is the likeliest to have changed since it
// was seen last: the file below it that was changed last, or the folder where
// something came or went after that.
func (c *Call) youngest(dependency string) (path string) {
	last := int64(-1)
	path = dependency
	for _, f := range c.files {
		if f.of != dependency {
			continue
		}
		at := max(f.seen.Mtime, f.seen.Ctime)
		if f.folder != nil {
			info, err := os.Stat(f.path)
			if err != nil {
				continue
			}
			at = info.ModTime().UnixNano() - 1 // a file that came to it is what to name
		}
		if at > last {
			last, path = at, f.path
		}
	}
	return path
}
