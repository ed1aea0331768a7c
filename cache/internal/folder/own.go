package folder

import (
	"os"
	"path/filepath"
	"strings"
)

// ownFolder is a folder of the cache, or one on the way to it. It counts only if it
// holds something besides. nil is any other folder.
type ownFolder struct {
	below map[string]*ownFolder
	is    func(name string) bool // a file of the cache; nil: none
}

func (o *ownFolder) folders() map[string]*ownFolder {
	if o == nil {
		return nil
	}
	return o.below
}

func (o *ownFolder) holds(name string) bool { return o != nil && o.is != nil && o.is(name) }

// sharedFolder is where all lies of a cache that machines share, beside its FORMAT.
const sharedFolder = "ns"

// ownPlace is where such a folder lies.
type ownPlace struct {
	info   os.FileInfo
	folder *ownFolder
}

// ownPlaces are the folders of the cache at dir and those on the way there, as far
// as they exist.
func ownPlaces(dir string) (places []ownPlace) {
	if dir == "" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	// Links resolved, of the part that is there.
	rest := ""
	for {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = filepath.Join(real, rest)
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil
		}
		dir, rest = up, filepath.Join(filepath.Base(dir), rest)
	}
	at := &ownFolder{is: ownFile, below: map[string]*ownFolder{"stats": {is: hashed}, "leases": {is: hashed}, sharedFolder: {is: func(string) bool { return true }}}}
	for name, o := range at.below {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			places = append(places, ownPlace{info, o})
		}
	}
	for {
		if info, err := os.Stat(dir); err == nil {
			places = append(places, ownPlace{info, at})
		}
		up := filepath.Dir(dir)
		if up == dir {
			return places
		}
		at = &ownFolder{below: map[string]*ownFolder{filepath.Base(dir): at}}
		dir = up
	}
}

// ownFolder returns what a folder is to the cache.
func (l *Rules) ownFolder(info os.FileInfo) *ownFolder {
	for _, p := range l.own {
		if os.SameFile(p.info, info) {
			return p.folder
		}
	}
	return nil
}

// ownFile reports whether a file in the cache's folder is named as one of its own.
func ownFile(name string) bool {
	switch name {
	case "cache.db", "cache.lock", "gate.lock", "digests", "marks", "checked", "alive", "FORMAT":
		return true
	}
	return strings.HasPrefix(name, "cache.db.") // new, broken
}

// hashed reports whether a file is named by a hash, as leases and statistics are.
func hashed(name string) bool {
	name, _, _ = strings.Cut(name, ".") // broken
	return len(name) >= 24 && strings.Trim(name, "0123456789abcdef") == ""
}
