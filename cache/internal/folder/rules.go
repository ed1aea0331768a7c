// Package folder says what counts of a folder: all but what the user leaves out, and
// what is the cache's own.
package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Rules are what doesn't count below the folders that a call depends on: files of
// the cache itself, and what the user says.
type Rules struct {
	patterns []pattern
	git      bool
	own      []ownPlace
}

// NewRules makes rules of patterns, of whether .gitignore files are obeyed, and of
// the cache's folder.
func NewRules(untracked []string, gitignore bool, cache string) *Rules {
	r := &Rules{git: gitignore, own: ownPlaces(cache)}
	for _, text := range untracked {
		r.patterns = append(r.patterns, newPattern(text))
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
		if r.patterns[i].matches(f, e) {
			return true
		}
	}
	return r.git && f.ignore.ignores(f, e)
}

// pattern is an --untracked, a glob. One without a "/" is for names in any folder, one
// that begins with "/" for whole paths, any other for the ends of paths; one that ends
// with "/" is for folders. "**" stands for any number of folders. What lies below a
// folder that is left out is so too.
type pattern struct {
	text   string
	glob   string
	byName bool // it has no "/" in it
	folder bool // it is for folders alone
}

func newPattern(text string) pattern {
	p := pattern{text: text, folder: strings.HasSuffix(text, "/")}
	p.glob = strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
	switch {
	case !strings.Contains(p.glob, "/"):
		p.byName = true
	case !strings.HasPrefix(p.glob, "/"):
		p.glob = "/**/" + p.glob
	}
	return p
}

func (p *pattern) matches(f *Folder, e Entry) bool {
	name := e.Name
	if !p.byName {
		name = filepath.ToSlash(filepath.Join(f.abs, e.Name))
	}
	ok, err := doublestar.Match(p.glob, name)
	return ok && err == nil && (!p.folder || e.leadsToFolder(f))
}

func (e Entry) leadsToFolder(f *Folder) bool {
	if e.Mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(filepath.Join(f.Path, e.Name))
		return err == nil && info.IsDir()
	}
	return e.Mode.IsDir()
}
