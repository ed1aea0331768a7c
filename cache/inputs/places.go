package inputs

import (
	"path/filepath"
	"strings"
)

// Places are folders that differ between users, machines and checkouts. Names below
// them are kept relative to them, and looked for below the present ones when they are
// checked: else a shared cache would verify one user's home for another's.
type Places struct {
	Home string // $HOME
	Tmp  string // $TMPDIR, or what stands for it
	// Project is the folder that holds dvlcache.yaml or .git, links resolved; empty if
	// there is none.
	Project string
	// ByProject says that names below Project are kept relative to it, too.
	ByProject bool
	// Dir is the working directory, links resolved.
	Dir string
	// ByDir says that the working directory isn't known of a call: names below it are
	// kept relative to it.
	ByDir bool
}

// How names below a place begin.
const (
	inHome    = "$HOME"
	inTmp     = "$TMPDIR"
	inProject = "$PROJECT"
	inDir     = "$PWD"
)

// location is one of the places.
type location struct{ variable, folder string }

// variables are the places by which names are kept.
func (p *Places) variables() [4]location {
	all := [4]location{{inDir, p.Dir}, {inProject, p.Project}, {inTmp, p.Tmp}, {inHome, p.Home}}
	if !p.ByDir {
		all[0].folder = ""
	}
	if !p.ByProject {
		all[1].folder = ""
	}
	return all
}

// keep returns a name as it is kept: relative to the innermost of the places. It says
// of which.
func (p *Places) keep(name string) (kept string, of location) {
	kept = name
	for _, v := range p.variables() {
		folder := strings.TrimRight(v.folder, "/")
		if len(folder) > len(of.folder) && filepath.IsAbs(folder) {
			if rest, ok := below(name, folder); ok {
				of, kept = location{v.variable, folder}, v.variable+rest
			}
		}
	}
	return kept, of
}

// keepAll is keep for a name of an input. A program may have found one by the place,
// or from the working directory. Where the two may part, both count: as another name,
// or as where the place is.
func (p *Places) keepAll(name string) (names []string, at location) {
	kept, of := p.keep(name)
	base := location{}
	switch {
	case p.ByProject:
		base = location{inProject, p.Project}
	case p.ByDir:
		base = location{inDir, p.Dir}
	}
	if base.folder == "" {
		if _, ok := below(p.Dir, of.folder); ok && of.variable != "" {
			return []string{name}, of
		}
		return []string{kept}, at
	}
	names = []string{kept}
	if of.variable != base.variable {
		if rel, ok := from(strings.TrimRight(base.folder, "/"), name); ok {
			names = append(names, base.variable+rel)
		}
	}
	return names, at
}

// from is a name as it is seen from a folder: /../data.csv. It is false where they have
// no folder in common but the root.
func from(folder, name string) (rel string, ok bool) {
	for up := folder; strings.LastIndexByte(up, '/') > 0; {
		up = up[:strings.LastIndexByte(up, '/')]
		rel += "/.."
		if rest, ok := below(name, up); ok {
			return rel + rest, true
		}
	}
	return "", false
}

// keepTarget is keep for where a link leads, which may be a relative name.
func (p *Places) keepTarget(target string) string {
	if strings.HasPrefix(target, "$") {
		return "./" + target // it is a name that looks like a variable
	}
	kept, _ := p.keep(target)
	return kept
}

// find returns the name that a kept one stands for now. It returns false if its place
// is not known.
func (p *Places) find(kept string) (name string, ok bool) {
	if !strings.HasPrefix(kept, "$") {
		return kept, true
	}
	for _, v := range p.variables() {
		if rest, ok := below(kept, v.variable); ok {
			folder := strings.TrimRight(v.folder, "/")
			for v.variable == inProject || v.variable == inDir {
				up, ok := strings.CutPrefix(rest, "/..")
				if !ok || up != "" && up[0] != '/' {
					break
				}
				folder, rest = folder[:max(strings.LastIndexByte(folder, '/'), 0)], up
			}
			return folder + rest, filepath.IsAbs(v.folder)
		}
	}
	return "", false
}

// below cuts a folder off a name that is the folder's or lies below it.
func below(name, folder string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, folder)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// isName reports whether a name can be one that keep returned.
func isName(name string) bool {
	if strings.IndexByte(name, 0) >= 0 || len(name) > longestName {
		return false
	}
	if strings.HasPrefix(name, "/") {
		return true
	}
	for _, v := range []string{inDir, inProject, inTmp, inHome} {
		if _, ok := below(name, v); ok {
			return true
		}
	}
	return false
}

// longestName bounds names: what a system call takes, behind a folder. longestNames
// bounds those of a set together.
const (
	longestName  = 16 << 10
	longestNames = 64 << 20
)

// installed are the folders of code that somebody installed: what lies there changes
// seldom, and is read by many evaluations.
var installed = []string{
	"/site-packages/", "/dist-packages/", "/node_modules/", "/renv/", "/R/library/", "-library/",
	"/.venv/", "/venv/", "/.julia/", "/.conda/", "/.cargo/", "/.rustup/",
}

// owned reports whether a kept name is of the experiment rather than of what was
// installed: below the working directory, the project, $TMPDIR or /dev/shm.
func (p *Places) owned(kept string) bool {
	name, ok := p.find(kept)
	if !ok {
		return true
	}
	for _, folder := range []string{p.Dir, p.Project, p.Tmp, "/dev/shm"} {
		folder = strings.TrimRight(folder, "/")
		if folder == "" {
			continue
		}
		if rest, ok := below(name, folder); ok {
			return !isInstalled(rest)
		}
	}
	return false
}

func isInstalled(name string) bool {
	name += "/"
	for _, folder := range installed {
		if strings.Contains(name, folder) {
			return true
		}
	}
	// lib/python3.12, lib64/python3
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, "/lib")
		if !ok {
			return false
		}
		if version, ok := strings.CutPrefix(strings.TrimPrefix(after, "64"), "/python"); ok {
			if strings.ContainsAny(version[:1], "/23456789") {
				return true
			}
		}
		rest = after
	}
}

// isBase reports whether a name is one without a folder.
func isBase(name string) bool {
	return name != "" && len(name) <= longestName && strings.IndexByte(name, '/') < 0 && strings.IndexByte(name, 0) < 0
}

// isTarget reports whether a link can lead there, as keepTarget has it.
func isTarget(target string) bool {
	if strings.HasPrefix(target, "/") || strings.HasPrefix(target, "$") {
		return isName(target)
	}
	return len(target) <= longestName && strings.IndexByte(target, 0) < 0
}
