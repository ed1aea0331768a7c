package inputs

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"dvlcache/cache/internal/folder"
	"dvlcache/cache/internal/wire"
)

// Rules say what doesn't count of what a program uses. A set that was recorded under one
// pattern of Untracked holds under more of them, but not under fewer: see Untracked.
type Rules struct {
	// Untracked are globs. One without a "/" is for names in any folder, one
	// that begins with "/" for whole paths, any other for the ends of paths;
	// one that ends with "/" is for folders. "**" stands for any number of
	// folders. What lies below a folder that is left out is so, too.
	Untracked []string
	// Ignored are what values of ignored arguments name: it doesn't count, nor
	// does what lies below. Of the working directory and those above it only
	// the name is ignored: a program would have no inputs left.
	Ignored []string
	// Own are the cache's own folders.
	Own []string
}

// passing are names in listed folders that come and go without the program: of Slurm,
// shells, editors, network file systems and git. A listing is the same with them and
// without.
var passing = patterns(
	"__pycache__", "slurm-*.out", "nohup.out",
	".*.sw[a-p]", "4913", "*~", "#*#", ".#*", ".~lock.*#", // vim, emacs, LibreOffice
	".nfs*", ".fuse_hidden*", ".DS_Store", "index.lock", "HEAD.lock",
	"dvlcache-subset-*", // the folders of files that are made for evaluations
)

func patterns(texts ...string) (list []folder.Pattern) {
	for _, text := range texts {
		list = append(list, folder.NewPattern(text))
	}
	return list
}

// leftOut are rules made ready for one working directory.
type leftOut struct {
	patterns []folder.Pattern
	folders  []string // which don't count, nor what is below
	alone    []string // names which don't count, though what is below does
	resolved sync.Map // by folder, with links resolved
	marks    *Marks
}

func (r *Rules) ready(p *Places, marks *Marks) *leftOut {
	l := &leftOut{marks: marks}
	for _, text := range r.Untracked {
		l.patterns = append(l.patterns, folder.NewPattern(text))
	}
	for _, name := range slices.Concat(r.Ignored, r.Own) {
		if name == "" || strings.IndexByte(name, 0) >= 0 {
			continue
		}
		if !filepath.IsAbs(name) {
			name = p.Dir + "/" + name
		}
		names := []string{name, filepath.Clean(name)}
		if real, err := filepath.EvalSymlinks(name); err == nil {
			names = append(names, real)
		}
		above := slices.ContainsFunc(names, func(n string) bool { return l.isAbove(n, p.Dir) })
		for _, n := range names {
			if n = strings.TrimRight(n, "/"); above {
				l.alone = append(l.alone, n)
			} else {
				l.folders = append(l.folders, n)
			}
		}
	}
	return l
}

// isAbove reports whether a folder is the working directory or above it.
func (l *leftOut) isAbove(folder, dir string) bool {
	folder = strings.TrimRight(folder, "/")
	for _, d := range []string{filepath.Clean(dir), l.resolve(dir)} {
		if _, ok := below(d, folder); ok {
			return true
		}
	}
	return false
}

// sum identifies the rules.
func (r *Rules) sum() [32]byte {
	var b []byte
	for _, list := range [][]string{r.Untracked, r.Ignored, r.Own} {
		for _, s := range list {
			b = wire.AppendBytes(append(b, 1), s)
		}
		b = append(b, 0)
	}
	return sha256.Sum256(b)
}

// has reports whether an absolute name doesn't count.
func (l *leftOut) has(name string) bool {
	if l.hasAsked(name) {
		return true
	}
	if l.plain() {
		return false
	}
	folder, base := split(name)
	real := l.resolve(folder)
	return real != folder && l.hasAsked(strings.TrimSuffix(real, "/")+"/"+base)
}

// plain reports whether links on the way to a name make no difference.
func (l *leftOut) plain() bool {
	return len(l.patterns)+len(l.folders)+len(l.alone) == 0
}

func (l *leftOut) hasAsked(name string) bool {
	if strings.Contains(name, "/__pycache__") {
		if strings.Contains(name+"/", "/__pycache__/") {
			return true
		}
	}
	for _, f := range l.folders {
		if _, ok := below(name, f); ok {
			return true
		}
	}
	if slices.Contains(l.alone, name) {
		return true
	}
	for i := range l.patterns {
		if matches(&l.patterns[i], name) {
			return true
		}
	}
	return false
}

// patternsOf returns which of the patterns leave out a name.
func (l *leftOut) patternsOf(name string) (at []int) {
	folder, base := split(name)
	real := strings.TrimSuffix(l.resolve(folder), "/") + "/" + base
	for i := range l.patterns {
		if matches(&l.patterns[i], name) || matches(&l.patterns[i], real) {
			at = append(at, i)
		}
	}
	return at
}

// matches reports whether a pattern is for a name or a folder above it.
func matches(p *folder.Pattern, name string) bool {
	for at := 0; at < len(name); {
		end := len(name)
		if i := strings.IndexByte(name[at+1:], '/'); i >= 0 {
			end = at + 1 + i
		}
		part := name[:end]
		if p.ByName {
			part = name[at+1 : end]
		}
		if p.Matches(part) {
			if !p.Folder || end < len(name) {
				return true
			}
			info, err := os.Stat(name)
			return err == nil && info.IsDir()
		}
		at = end
	}
	return false
}

func isPassing(name string) bool {
	return slices.ContainsFunc(passing, func(p folder.Pattern) bool { return p.Matches(name) })
}

// listed returns the names of a listed folder that count.
func (l *leftOut) listed(folder string, names []Entry) []Entry {
	real := l.resolve(folder)
	counts := make([]Entry, 0, len(names))
	for _, e := range names {
		if isPassing(e.Name) || l.hasAsked(folder+"/"+e.Name) {
			continue
		}
		if real != folder && l.hasAsked(real+"/"+e.Name) {
			continue
		}
		counts = append(counts, e)
	}
	return counts
}

// resolve returns a folder's name with links resolved, or the name itself where that
// can't be done.
func (l *leftOut) resolve(folder string) string {
	if real, ok := l.resolved.Load(folder); ok {
		return real.(string)
	}
	real := l.resolveBelow(split(folder))
	if real == "" {
		var err error
		if real, err = filepath.EvalSymlinks(folder); err != nil {
			real = folder
		}
	}
	l.resolved.Store(folder, real)
	return real
}

// resolveBelow is resolve with one look, where what the folder lies in is resolved as it
// stands; empty if that isn't enough.
func (l *leftOut) resolveBelow(folder, base string) string {
	if base == "" || base == "." || base == ".." || folder != "/" && l.resolve(folder) != folder {
		return ""
	}
	name := strings.TrimSuffix(folder, "/") + "/" + base
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		return ""
	}
	return name
}

// split parts a name in its folder and what is behind the last "/".
func split(name string) (folder, base string) {
	at := strings.LastIndexByte(name, '/')
	if at <= 0 {
		return "/", name[at+1:]
	}
	return name[:at], name[at+1:]
}
