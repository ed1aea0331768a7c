package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Folder is one of the folders that a call depends on.
type Folder struct {
	Path   string // as it is named
	abs    string
	own    *ownFolder // nil: it has nothing to do with the cache
	rules  *Rules
	ignore *ignoreFile // what .gitignore files say, the nearest first
}

// Entry is a name in a folder.
type Entry struct {
	Name string
	Mode fs.FileMode // its type alone
	own  *ownFolder
}

// Root is a folder that is named by --depends-on.
func (r *Rules) Root(path string, self os.FileInfo) (*Folder, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return &Folder{Path: path, abs: abs, own: r.ownFolder(self), rules: r, ignore: r.ignoreFileIn(abs, r.ignoreFilesAbove(abs))}, nil
}

// Sub is a folder in a folder, or what a link there leads to.
func (f *Folder) Sub(name string, self os.FileInfo) *Folder {
	sub := f.sub(name)
	sub.own = f.rules.ownFolder(self)
	return sub
}

func (f *Folder) sub(name string) *Folder {
	abs := filepath.Join(f.abs, name)
	return &Folder{Path: filepath.Join(f.Path, name), abs: abs, own: f.own.folders()[name], rules: f.rules, ignore: f.rules.ignoreFileIn(abs, f.ignore)}
}

// OfCache reports whether the folder is one of the cache's, or on the way there: it
// comes and goes, and counts only if it holds something besides.
func (f *Folder) OfCache() bool { return f.own != nil }

// Missing are the folders of the cache that will lie in this one and don't yet. What
// else comes to lie in them counts.
func (f *Folder) Missing(entries []Entry) (missing []*Folder) {
	for name := range f.own.folders() {
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == name }) {
			missing = append(missing, f.sub(name))
		}
	}
	return missing
}

// List returns what is in a folder, sorted, without what doesn't count.
func (f *Folder) List() ([]Entry, error) {
	list, err := os.ReadDir(f.Path)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(list))
	for _, d := range list {
		e := Entry{d.Name(), d.Type(), f.own.folders()[d.Name()]}
		if e.Name == ".git" || e.Name == "__pycache__" || f.own.holds(e.Name) {
			continue
		}
		if !f.rules.has(f, e) {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Names are those of entries that count by being there. A folder of the cache
// counts only if it holds something besides.
func Names(entries []Entry) (list []string) {
	for _, e := range entries {
		if e.own == nil {
			list = append(list, e.Name)
		}
	}
	return list
}

// Changed returns the path of what came or went since there were these names, or
// the folder's, or "".
func (f *Folder) Changed(before []string) string {
	entries, err := f.List()
	if errors.Is(err, fs.ErrNotExist) && f.own != nil {
		err = nil // the cache may be removed
	}
	if err != nil {
		return f.Path
	}
	now := Names(entries)
	for _, lists := range [][2][]string{{now, before}, {before, now}} {
		for _, name := range lists[0] {
			if _, ok := slices.BinarySearch(lists[1], name); !ok {
				return filepath.Join(f.Path, name)
			}
		}
	}
	return ""
}
