// Package folder says what counts of a folder: all but what the user leaves out, and
// what is the cache's own.
package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Rules are what doesn't count below the folders that a call depends on: files of
// the cache itself, and what the user says.
type Rules struct {
	patterns []Pattern
	git      bool
	own      []ownPlace
}

// NewRules makes rules of patterns, of whether .gitignore files are obeyed, and of
// the cache's folders.
func NewRules(untracked []string, gitignore bool, caches ...string) *Rules {
	r := &Rules{git: gitignore}
	for _, cache := range caches {
		r.own = append(r.own, ownPlaces(cache)...)
	}
	for _, text := range untracked {
		r.patterns = append(r.patterns, NewPattern(text))
	}
	return r
}

// Texts are part of a key that a folder went into, whether they left something out
// or not: what they are for, a log say, may come with the first run.
func (r *Rules) Texts() (texts []string) {
	for _, p := range r.patterns {
		texts = append(texts, Untracked+p.text)
	}
	if r.git {
		texts = append(texts, Gitignore)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// The rules as they are told: Untracked is followed by the pattern.
const (
	Untracked = "untracked "
	Gitignore = "gitignore"
)

// has reports whether a name in a folder is left out.
func (r *Rules) has(f *Folder, e Entry) bool {
	for i := range r.patterns {
		if leavesOut(&r.patterns[i], f, e) {
			return true
		}
	}
	return r.git && f.ignore.ignores(f, e)
}

// leavesOut reports whether a pattern is for a name in a folder.
func leavesOut(p *Pattern, f *Folder, e Entry) bool {
	name := e.Name
	if !p.ByName {
		name = filepath.ToSlash(filepath.Join(f.abs, e.Name))
	}
	return p.Matches(name) && (!p.Folder || e.leadsToFolder(f))
}

func (e Entry) leadsToFolder(f *Folder) bool {
	if e.Mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(filepath.Join(f.Path, e.Name))
		return err == nil && info.IsDir()
	}
	return e.Mode.IsDir()
}
