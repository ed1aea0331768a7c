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
	"strings"

	"dvlcache/cache/internal/folder"
)

// tree is what --depends-on takes of a folder.
type tree struct {
	call  *Call
	where *pathNamer
}

// addDependencies adds what --depends-on names.
func (c *Call) addDependencies(ctx context.Context, paths []string, where *pathNamer) error {
	cleaned := make([]string, len(paths))
	for i, p := range paths {
		cleaned[i] = filepath.Clean(p)
	}
	var rules *folder.Rules // only if there is a folder
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
			if rules == nil {
				rules = folder.NewRules(c.spec.Untracked, c.spec.Gitignore, c.spec.Leave...)
			}
			sum, err = c.trackTree(ctx, path, where, rules)
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
	if rules != nil {
		for _, rule := range rules.Texts() {
			c.add(Part{Kind: PartRule, Items: []Item{{Text: rule}}})
		}
	}
	return nil
}

// trackTree digests a folder: the names in it, the contents of files and folders,
// those behind links included, where links lead, and which files may be run.
func (c *Call) trackTree(ctx context.Context, dir string, where *pathNamer, rules *folder.Rules) (Digest, error) {
	t := &tree{call: c, where: where}
	self, err := os.Stat(dir)
	if err != nil {
		return Digest{}, err
	}
	root, err := rules.Root(dir, self)
	if err != nil {
		return Digest{}, err
	}
	sum, _, err := t.add(ctx, root, self, nil)
	return sum, err
}

// add digests a folder. above are those on the way here, since links can go round
// in circles. empty says that nothing in it counts.
func (t *tree) add(ctx context.Context, f *folder.Folder, self os.FileInfo, above []os.FileInfo) (sum Digest, empty bool, err error) {
	for i, a := range above {
		if os.SameFile(a, self) {
			// Its contents count already; that the link leads there
			// does here.
			return sha256.Sum256(binary.AppendUvarint([]byte("above"), uint64(len(above)-i))), false, nil
		}
	}
	above = append(above, self)
	entries, err := f.List()
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
func (t *tree) track(f *folder.Folder, entries []folder.Entry) {
	t.call.files = append(t.call.files, trackedFile{path: f.Path, folder: f, names: folder.Names(entries)})
	for _, m := range f.Missing(entries) {
		t.call.files = append(t.call.files, trackedFile{path: m.Path, folder: m})
	}
}

// part is how a name in a folder counts, if it does.
func (t *tree) part(ctx context.Context, f *folder.Folder, e folder.Entry, above []os.FileInfo) (p Part, counts bool, err error) {
	path := filepath.Join(f.Path, e.Name)
	p = Part{Kind: PartDependency, Items: []Item{{Text: e.Name}}}
	if e.Mode&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return p, false, err
		}
		p.Style = "link " + t.target(target) + "\x00"
	}
	if e.Mode.Type() == 0 {
		return p, true, t.file(ctx, path, &p)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		sub := f.Sub(e.Name, info)
		sum, empty, err := t.add(ctx, sub, info, above)
		p.Kind, p.Items[0].Digest = PartDirectory, &sum
		return p, !empty || !sub.OfCache(), err
	case err == nil && info.Mode().IsRegular():
		return p, true, t.file(ctx, path, &p)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return p, false, err
	}
	// A dangling link, a socket, a pipe: its name is all it has.
	return p, true, nil
}

// file adds to a part what a file holds, and whether it may be run.
func (t *tree) file(ctx context.Context, path string, p *Part) error {
	sum, err := t.call.track(ctx, path)
	if err != nil {
		return err
	}
	f := &t.call.files[len(t.call.files)-1]
	f.runs = true
	if mayRun(f.seen) {
		p.Style += "run"
	}
	p.Items[0].Digest = &sum
	return nil
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

// Youngest names, of a dependency, what is the likeliest to have changed since it
// was seen last: the file below it that was changed last, or the folder where
// something came or went after that.
func (c *Call) Youngest(dependency string) (path string) {
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

// Untracked are the patterns of what was left out of the folders that the call
// depends on.
func (c *Command) Untracked() (patterns []string) {
	for _, p := range c.Parts {
		if text, ok := strings.CutPrefix(ruleText(p), folder.Untracked); ok {
			patterns = append(patterns, text)
		}
	}
	return patterns
}

// Gitignore reports whether what .gitignore files name was.
func (c *Command) Gitignore() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return ruleText(p) == folder.Gitignore })
}

func ruleText(p Part) string {
	if p.Kind != PartRule || len(p.Items) == 0 {
		return ""
	}
	return p.Items[0].Text
}
