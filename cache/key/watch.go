package key

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/internal/witness"
)

// Watch begins to look after the tracked files, for Changed: by which links they are
// reached, whether a file is there by now that the key says is not, and, where the
// system tells, who changes and reads them. Call it before the program runs; a call
// that isn't run needs none of it. end ends it.
func (c *Call) Watch() (end func()) {
	c.ways = c.ways[:0]
	for i := range c.files {
		c.ways = append(c.ways, wayTo(c.files[i].path))
	}
	c.latePath, c.lateHint = c.Appeared()
	seen := make([]witness.File, len(c.files))
	for i, f := range c.files {
		if f.folder == nil {
			seen[i] = witness.File{Path: f.path, Seen: f.seen}
		}
	}
	c.witness, end = witness.New(seen)
	return end
}

// wayTo identifies what stands on the way to a file: the links, which are
// other ones when they are made anew, and the folders, by device and inode
// alone, since whatever is written in them changes the rest.
func wayTo(path string) (way []digest.Identity) {
	rest := strings.Split(path, "/")
	at := ""
	if filepath.IsAbs(path) {
		at, rest = "/", rest[1:]
	}
	for links := 0; len(rest) > 1 || len(rest) == 1 && rest[0] != ""; {
		step := filepath.Join(at, rest[0])
		if rest[0] == ".." && at != "" {
			step = at + "/.." // not Join: what lies before may be a link
		}
		rest = rest[1:]
		info, err := os.Lstat(step)
		if err != nil {
			return append(way, digest.Identity{})
		}
		id := digest.Of(info)
		if info.Mode()&fs.ModeSymlink == 0 {
			if len(rest) > 0 { // the file itself is Changed's business
				way = append(way, digest.Identity{Device: id.Device, Inode: id.Inode})
			}
			at = step
			continue
		}
		way = append(way, id)
		target, err := os.Readlink(step)
		if links++; err != nil || links > 40 {
			return append(way, digest.Identity{})
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.TrimPrefix(target, "/"), "/"), rest...)
	}
	return way
}

// Changed returns the name of a file whose contents may have been others since
// the key was made, and the flag that would ignore it where there is one. It
// returns an empty name if none has.
func (c *Call) Changed(ctx context.Context) (path, hint string) {
	if c.latePath != "" {
		return c.latePath, c.lateHint
	}
	for i := range c.files {
		f := &c.files[i]
		comesAndGoes := f.folder != nil && f.folder.OfCache() // the cache's
		if c.ways != nil && !comesAndGoes && !slices.Equal(c.ways[i], wayTo(f.path)) {
			return f.path, c.outputHint(f.path, f.hint)
		}
		if name := c.changed(ctx, i); name != "" {
			return name, c.outputHint(name, f.hint)
		}
	}
	return "", ""
}

// changed is Changed for one file, or what is in one folder.
func (c *Call) changed(ctx context.Context, i int) (path string) {
	f := &c.files[i]
	if f.folder != nil {
		return f.folder.Changed(f.names)
	}
	id, err := f.seen.Again(f.path)
	if err != nil {
		return f.path
	}
	moved := id != f.seen.Identity
	if !moved && f.seen.Belief != files.BelieveNothing {
		return ""
	}
	// What counts is contents: a touch, a chmod, a new link to it change the
	// identity alone. But the program may have read others that were there
	// meanwhile, as between two calls of git checkout.
	sum, now, err := c.digests.Digest(ctx, f.path)
	if err != nil || sum != f.digest || moved && !c.witness.SawNoOther(i) || f.runs && mayRun(now) != mayRun(f.seen) {
		return f.path
	}
	return ""
}

// mayRun reports whether somebody may run a file.
func mayRun(s digest.Seen) bool { return s.Mode&0o111 != 0 }

// Appeared returns the name of a file that an argument names and that wasn't
// there when the key was made, and the flag that would ignore it.
func (c *Call) Appeared() (path, hint string) {
	for _, f := range c.absent {
		if info, err := os.Stat(f.path); err == nil && info.Mode().IsRegular() {
			return f.path, c.outputHint(f.path, f.hint)
		}
	}
	return "", ""
}
