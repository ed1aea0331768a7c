package key

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// leftOut is what doesn't count below the folders that a call depends on: files of
// the cache itself, and what the user says.
type leftOut struct {
	patterns []pattern
	git      bool
	own      []ownPlace
}

func newLeftOut(spec *CallSpec) *leftOut {
	l := &leftOut{git: spec.Gitignore, own: ownPlaces(spec.Leave)}
	for _, text := range spec.Untracked {
		l.patterns = append(l.patterns, newPattern(text))
	}
	return l
}

// rules are part of a key that a folder went into, whether they left something out
// or not: what they are for, a log say, may come with the first run.
func (l *leftOut) rules() (texts []string) {
	for _, p := range l.patterns {
		texts = append(texts, ruleUntracked+p.text)
	}
	if l.git {
		texts = append(texts, ruleGitignore)
	}
	return sortedSet(texts)
}

// The rules as parts of a key.
const (
	ruleUntracked = "untracked "
	ruleGitignore = "gitignore"
)

// has reports whether a name in a folder is left out.
func (l *leftOut) has(f *folder, e entry) bool {
	for i := range l.patterns {
		if l.patterns[i].matches(f, e) {
			return true
		}
	}
	return l.git && f.rules.ignores(f, e)
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

func (p *pattern) matches(f *folder, e entry) bool {
	name := e.name
	if !p.byName {
		name = filepath.ToSlash(filepath.Join(f.abs, e.name))
	}
	ok, err := doublestar.Match(p.glob, name)
	return ok && err == nil && (!p.folder || e.leadsToFolder(f))
}

func (e entry) leadsToFolder(f *folder) bool {
	if e.mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(filepath.Join(f.path, e.name))
		return err == nil && info.IsDir()
	}
	return e.mode.IsDir()
}

// Untracked are the patterns of what was left out of the folders that the call
// depends on.
func (c *Command) Untracked() (patterns []string) {
	for _, p := range c.Parts {
		if text, ok := strings.CutPrefix(ruleText(p), ruleUntracked); ok {
			patterns = append(patterns, text)
		}
	}
	return patterns
}

// Gitignore reports whether what .gitignore files name was.
func (c *Command) Gitignore() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return ruleText(p) == ruleGitignore })
}

func ruleText(p Part) string {
	if p.Kind != PartRule || len(p.Items) == 0 {
		return ""
	}
	return p.Items[0].Text
}
