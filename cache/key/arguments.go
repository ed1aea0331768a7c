package key

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"strings"

	"dvlcache/cache/internal/files"
)

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
	if rest, at := strings.CutPrefix(text, "@"); at {
		// Both count where both are there: which of them the program means, it
		// alone knows.
		whole, err := c.lookAtFile(ctx, text)
		if err != nil {
			return nil, err
		}
		behind, err := c.lookAt(ctx, rest)
		if whole == nil || err != nil {
			return behind, err
		}
		mark := appendDigest(append([]byte("@"), whole[:]...), behind)
		both := Digest(sha256.Sum256(mark))
		return &both, nil
	}
	return c.lookAtFile(ctx, text)
}

// lookAtFile tracks the file of that very name.
func (c *Call) lookAtFile(ctx context.Context, text string) (*Digest, error) {
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
	case errors.Is(err, fs.ErrNotExist):
		c.absent = append(c.absent, trackedFile{path: text})
	}
	return nil, nil
}
