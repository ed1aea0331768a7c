package key

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dvlcache/cache/trust"
)

// pathNamer knows how the names of files count.
type pathNamer struct {
	mode     Paths
	logical  string   // the working directory as the shell has it
	physical string   // … links resolved
	roots    []string // the project's folder, in both forms
}

func newPathNamer(mode Paths, safe trust.Places) (*pathNamer, error) {
	w := &pathNamer{mode: mode}
	var err error
	if w.logical, err = os.Getwd(); err == nil {
		// Not by resolving links: we may not be allowed to look into all
		// folders on the way.
		w.physical, err = syscall.Getwd()
	}
	if err != nil {
		return nil, &UnreadableError{"the working directory", err}
	}
	if mode != PathsProject {
		return w, nil
	}
	root, doubt := ProjectRoot(w.physical, safe)
	if root == "" {
		return nil, &NoProjectError{w.physical, doubt}
	}
	w.roots = []string{root}
	// The project's other name, if it has one by which we came.
	if other, _ := ProjectRoot(w.logical, safe); other != root {
		a, errA := os.Stat(root)
		b, errB := os.Stat(other)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			w.roots = append(w.roots, other)
		}
	}
	return w, nil
}

// ProjectRoot returns the nearest folder, dir itself or one above it, that
// holds a dvlcache.yaml or a .git which is to be trusted, or "". doubt says why others
// don't count.
func ProjectRoot(dir string, safe trust.Places) (root string, doubt *trust.Doubt) {
	for {
		for _, mark := range []string{"dvlcache.yaml", "dvlcache.yml", ".git"} {
			path := filepath.Join(dir, mark)
			if _, err := os.Stat(path); err != nil {
				continue
			}
			d := safe.File(path)
			if d == nil {
				return dir, doubt
			}
			doubt = d
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", doubt
		}
		dir = up
	}
}

// inProject makes an absolute name relative to the project's folder.
func (w *pathNamer) inProject(name string) (string, bool) {
	for _, root := range w.roots {
		if rest, ok := strings.CutPrefix(name, root); ok && (rest == "" || rest[0] == filepath.Separator || root == "/") {
			return strings.TrimPrefix(rest, string(filepath.Separator)), true
		}
	}
	return "", false
}

// item is the name of a program, file or folder as it counts.
func (w *pathNamer) item(name string, sum *Digest) Item {
	switch w.mode {
	case PathsNone:
		return Item{Text: filepath.Base(name), Path: PathBase, Digest: sum}
	case PathsProject:
		if rel, ok := w.inProject(w.abs(name)); ok {
			return Item{Text: rel, Path: PathInProject, Digest: sum}
		}
	}
	return Item{Text: w.abs(name), Digest: sum}
}

// argument is the text of an argument as it counts. It may be no name at all.
func (w *pathNamer) argument(text string, sum *Digest) Item {
	switch w.mode {
	case PathsNone:
		// "@data.csv" is not "data.csv", nor is "a=x/f" what "b=x/f" is.
		if sum != nil && text[0] != '@' && !strings.Contains(text, "=") {
			return Item{Text: filepath.Base(text), Path: PathBase, Digest: sum}
		}
	case PathsProject:
		if rel, ok := w.inProject(text); ok && filepath.IsAbs(text) {
			return Item{Text: rel, Path: PathInProject, Digest: sum}
		}
	}
	return Item{Text: text, Digest: sum}
}

// abs makes a name absolute without resolving links or "..", which may lie
// behind one.
func (w *pathNamer) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(w.logical, "/") + "/" + strings.TrimPrefix(name, "./")
}

// directories is how the working directory counts: both its names, since the
// same one may be reached by several, and one name may come to mean another.
func (w *pathNamer) directories() []Item {
	switch w.mode {
	case PathsNone:
		return nil
	case PathsProject:
		return []Item{w.item(w.physical, nil)}
	}
	dirs := []Item{{Text: w.physical}}
	if w.logical != w.physical {
		dirs = append(dirs, Item{Text: w.logical})
	}
	return dirs
}
