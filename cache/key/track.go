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

	"dvlcache/cache/internal/files"
	"dvlcache/cache/internal/wire"
)

// trackedFile is a file whose contents went into a key.
type trackedFile struct {
	path   string // as it was named
	hint   string
	seen   Seen
	digest Digest
	folder bool   // digest is that of the names in it
	leave  string // … without this folder's; see CallSpec
}

// track digests a regular file and remembers to look at it after the run.
func (c *Call) track(ctx context.Context, path string) (Digest, error) {
	sum, seen, err := c.digests.Digest(ctx, path)
	if err != nil {
		return sum, err
	}
	c.files = append(c.files, trackedFile{path: path, seen: seen, digest: sum})
	return sum, nil
}

// trackArgument adds to a part of an argument the contents of the files that
// it names: the argument as a whole, the value behind its "=", or, as argparse
// and curl have it, what follows an "@".
func (c *Call) trackArgument(ctx context.Context, p *Part) (err error) {
	switch p.Form {
	case FormKept, FormList:
		for i := range p.Items {
			it := &p.Items[i]
			if it.Digest, err = c.trackText(ctx, it.Text, p.Hint); err != nil {
				return err
			}
		}
		if p.Name != "" {
			p.File, err = c.trackText(ctx, p.Name+p.Items[0].Text, p.Hint)
		}
	case FormSorted:
		p.File, err = c.trackText(ctx, p.Whole, p.Hint)
	}
	return err
}

// look is what was seen when a text was looked at as the name of a file.
type look struct {
	sum           *Digest
	err           error
	files, absent []trackedFile
}

// nothing is the look at most arguments: no file has that name.
var nothing = &look{}

// trackText tracks the file that a text names, with an "@" before it or not.
// It returns nil if there is none. hint is for messages.
func (c *Call) trackText(ctx context.Context, text, hint string) (*Digest, error) {
	seen, ok := c.looked[text]
	if !ok {
		seen = nothing
		if !files.Missing(text) {
			fresh := &Call{digests: c.digests}
			seen = &look{}
			seen.sum, seen.err = fresh.lookAt(ctx, text)
			seen.files, seen.absent = fresh.files, fresh.absent
		}
		c.looked[text] = seen
	}
	if seen == nothing {
		c.absent = append(c.absent, trackedFile{path: text, hint: hint})
		return nil, nil
	}
	for _, f := range seen.files {
		f.hint = hint
		c.files = append(c.files, f)
	}
	for _, f := range seen.absent {
		f.hint = hint
		c.absent = append(c.absent, f)
	}
	return seen.sum, seen.err
}

func (c *Call) lookAt(ctx context.Context, text string) (*Digest, error) {
	rest, at := strings.CutPrefix(text, "@")
	if text == "" || len(text) > 4096 || strings.IndexByte(text, 0) >= 0 {
		return nil, nil // no path, or longer than any
	}
	info, err := os.Stat(text)
	switch {
	case err == nil && info.Mode().IsRegular():
		sum, err := c.track(ctx, text)
		if err != nil {
			return nil, unreadable(text, err)
		}
		return &sum, nil
	case err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
		return nil, &UnreadableError{text, errPipe}
	case at:
		return c.lookAt(ctx, rest)
	case errors.Is(err, fs.ErrNotExist):
		c.absent = append(c.absent, trackedFile{path: text})
	}
	return nil, nil
}

// trackTree digests a folder: the names in it, and the contents of files and
// folders, those behind links included. above are the folders on the way here,
// since links can go round in circles.
func (c *Call) trackTree(ctx context.Context, dir string, above []os.FileInfo) (sum Digest, err error) {
	self, err := os.Stat(dir)
	if err != nil {
		return sum, err
	}
	for i, a := range above {
		if os.SameFile(a, self) {
			// Its contents count already; that the link leads there
			// does here.
			return sha256.Sum256(binary.AppendUvarint([]byte("above"), uint64(len(above)-i))), nil
		}
	}
	if own, err := os.Stat(c.spec.Leave); err == nil && os.SameFile(own, self) {
		return sum, nil
	}
	above = append(above, self)
	names, listing, err := list(dir, c.spec.Leave)
	if err != nil {
		return sum, err
	}
	c.files = append(c.files, trackedFile{path: dir, digest: listing, folder: true, leave: c.spec.Leave})
	h := sha256.New()
	for _, name := range names {
		path := filepath.Join(dir, name)
		it := Item{Text: name}
		kind := PartDependency
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			sum, err := c.trackTree(ctx, path, above)
			if err != nil {
				return sum, err
			}
			it.Digest = &sum
			kind = PartDirectory
		case err == nil && info.Mode().IsRegular():
			sum, err := c.track(ctx, path)
			if err != nil {
				return sum, err
			}
			it.Digest = &sum
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return sum, err
		default:
			// A dangling link, a socket, a pipe: its name is all it has.
		}
		p := Part{Kind: kind, Items: []Item{it}}
		h.Write(p.encode(nil))
	}
	return Digest(h.Sum(nil)), nil
}

// list returns the names in a folder, sorted, without those that a dependency
// leaves out, and a digest of them. One is that of the folder leave, which may not
// be there yet.
func list(dir, leave string) (names []string, sum Digest, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, sum, err
	}
	defer f.Close()
	names, err = f.Readdirnames(-1)
	if err != nil {
		return nil, sum, err
	}
	own := ""
	if info, err := f.Stat(); err == nil && leave != "" {
		if above, err := os.Stat(filepath.Dir(filepath.Clean(leave))); err == nil && os.SameFile(above, info) {
			own = filepath.Base(leave)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == ".git" || n == "__pycache__" || n == own })
	slices.Sort(names)
	var b []byte
	for _, n := range names {
		b = wire.AppendBytes(b, n)
	}
	return names, sha256.Sum256(b), nil
}

// Tracked lists the files whose contents went into the key, as they were
// named, without the program.
func (c *Call) Tracked() []string {
	var names []string
	for _, f := range c.files {
		if !f.folder && f.path != c.spec.Program {
			names = append(names, f.path)
		}
	}
	return names
}
