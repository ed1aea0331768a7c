package key

import (
	"context"
	"path/filepath"
	"strings"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/folder"
)

// trackedFile is a file whose contents went into a key.
type trackedFile struct {
	path       string // as it was named
	hint       string
	of         string // the --depends-on that it is, or lies below, as that counts
	seen       digest.Seen
	digest     Digest
	runs       bool           // whether it may be run counts, too
	executable bool           // of an argument's file: it may be run
	folder     *folder.Folder // of which names count; nil: a file
	names      []string       // … these
}

// track digests a regular file and remembers to look at it after the run.
func (c *Call) track(ctx context.Context, path string) (Digest, error) {
	sum, seen, err := c.digests.Digest(ctx, path)
	if err == nil {
		c.files = append(c.files, trackedFile{path: path, seen: seen, digest: sum})
	}
	return sum, err
}

// Tracked lists the files whose contents went into the key, as they were
// named, without the program.
func (c *Call) Tracked() []string {
	var names []string
	for _, f := range c.files {
		if f.folder == nil && f.path != c.spec.Program {
			names = append(names, f.path)
		}
	}
	return names
}

// Ignored lists what ignored values would be as names of files, and the files that count
// by contents alone, absolute.
func (c *Call) Ignored() (names []string) {
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Hidden != "" {
			name := p.Hidden
			if !filepath.IsAbs(name) {
				name = strings.TrimSuffix(c.dir, "/") + "/" + strings.TrimPrefix(name, "./")
			}
			names = append(names, name)
		}
	}
	return names
}
