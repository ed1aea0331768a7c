package recorded

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"dvlcache/cache/key"
)

// Present compares what commands were evaluated with to what is there now, each file
// once. It is for one goroutine.
type Present struct {
	digests *key.Digests
	now     map[string]*key.Digest // by path; nil: it isn't known
}

// NewPresent returns one that has looked at nothing yet.
func NewPresent(digests *key.Digests) *Present {
	return &Present{digests, map[string]*key.Digest{}}
}

// Overtaken returns a file whose contents went into the key of a command and are others
// now, so that the command line makes another key as long as they are. It returns
// nothing where none is known to be: a file that isn't there, or can't be read, may be
// elsewhere; of a folder that --depends-on names it knows nothing. known is false where
// the file of that name need not be the one that counts: the command was imported, or
// names count as less than paths, and another checkout may hold what was evaluated.
func (p *Present) Overtaken(ctx context.Context, c *key.Command) (path string, known bool) {
	if c == nil || c.Foreign || c.Paths != key.PathsAbsolute {
		return "", false
	}
	for i := range c.Parts {
		part := &c.Parts[i]
		switch part.Kind {
		case key.PartProgram, key.PartInterpreter:
		case key.PartDependency:
			if part.Style != "" {
				continue // a folder
			}
		case key.PartArgument:
			if part.Form != key.FormKept && part.Form != key.FormList {
				continue
			}
		default:
			continue
		}
		for _, it := range part.Items {
			// What holds one of these signs may name several files, folded into one digest.
			if it.Digest == nil || it.Path != key.PathAsIs || it.Text == "" || part.Kind == key.PartArgument && strings.ContainsAny(it.Text, "=@") || strings.Contains(it.Text, "/fd/") {
				continue
			}
			name := it.Text
			if !filepath.IsAbs(name) {
				name = strings.TrimSuffix(c.Dir, "/") + "/" + name // as it was named, links unresolved
			}
			if now := p.digest(ctx, name); now != nil && [key.ShortDigest]byte(now[:key.ShortDigest]) != [key.ShortDigest]byte(it.Digest[:key.ShortDigest]) {
				return name, true
			}
		}
	}
	return "", true
}

// digest is that of a file as it is now, or nil.
func (p *Present) digest(ctx context.Context, name string) *key.Digest {
	now, seen := p.now[name]
	if seen {
		return now
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		if sum, _, err := p.digests.Digest(ctx, name); err == nil {
			now = &sum
		}
	}
	p.now[name] = now
	return now
}
