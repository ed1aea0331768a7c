package key

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"strings"
	"syscall"

	"dvlcache/cache/internal/files"
)

// trackArgument adds to a part of an argument the contents of the files that it
// names.
func (c *Call) trackArgument(ctx context.Context, p *Part) (err error) {
	switch p.Form {
	case FormKept, FormList:
		for i := range p.Items {
			it := &p.Items[i]
			if p.Name != "" {
				// What more the argument names is no part of its value.
				it.Digest, err = c.trackText(ctx, it.Text, p.Hint)
				if err == nil {
					p.File, err = c.trackNames(ctx, p.Name+it.Text, len(p.Name), p.Hint)
				}
			} else {
				it.Digest, err = c.trackNames(ctx, it.Text, -1, p.Hint)
			}
			if err != nil {
				return err
			}
		}
	case FormSorted:
		p.File, err = c.trackNames(ctx, p.Name+p.Whole, -1, p.Hint)
	}
	return err
}

// trackNames tracks all files that a text names, and returns a digest of what they
// hold and where in the text they are named, or nil if there is none: the text as a
// whole, what stands behind each "=" in it, and behind the "@" of either, as curl
// and argparse have it, and the paths of descriptors anywhere. What stands at skip is left out.
func (c *Call) trackNames(ctx context.Context, text string, skip int, hint string) (*Digest, error) {
	sum, err := c.trackText(ctx, text, hint)
	if err == nil {
		err = refuseGlued(text)
	}
	var all []byte
	found := func(at int, name string) {
		var d *Digest
		if err != nil || at == skip || len(name) > longestPath {
			return
		}
		if d, err = c.trackText(ctx, name, hint); d != nil {
			all = append(binary.AppendUvarint(all, uint64(at)), d[:]...)
		}
	}
	for i := range len(text) {
		if i > 0 && (text[i-1] == '=' || text[i-1] == '@' && marksFile(text[:i-1])) {
			found(i, text[i:])
		}
	}
	for at, path := range descriptors(text) {
		if path != text {
			found(at, path)
		}
	}
	if err != nil || all == nil {
		return sum, err
	}
	if sum != nil {
		all = append(all, sum[:]...)
	}
	folded := Digest(sha256.Sum256(all))
	return &folded, nil
}

// marksFile reports whether an "@" behind this text, or at its beginning, marks the
// name of a file.
func marksFile(before string) bool {
	before = strings.TrimRight(before, "@")
	return before == "" || before[len(before)-1] == '='
}

// descriptors yields the paths of open descriptors that a text holds, wherever they
// are: "-f/dev/fd/63" as a shell writes -f<(...).
func descriptors(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for end := 0; ; {
			at := strings.Index(text[end:], "/fd/")
			if at < 0 {
				return
			}
			at += end
			for end = at + len("/fd/"); end < len(text) && '0' <= text[end] && text[end] <= '9'; end++ {
			}
			start := strings.LastIndex(text[:at], "/proc/")
			if strings.HasSuffix(text[:at], "/dev") {
				start = at - len("/dev")
			}
			if start >= 0 && !yield(start, text[start:end]) {
				return
			}
		}
	}
}

// commandsOwn reports whether a path is that of a descriptor which COMMAND gets from
// us: what is behind it here is nothing that COMMAND could read.
func commandsOwn(path string) bool {
	switch path {
	case "/dev/stdin", "/dev/stdout", "/dev/stderr":
		return true
	}
	n, ok := strings.CutPrefix(path, "/dev/fd/")
	if !ok {
		n, ok = strings.CutPrefix(path, "/proc/self/fd/")
	}
	return ok && (n == "0" || n == "1" || n == "2")
}

// refuseGlued returns an error where a pipe is glued to a flag, "-fpipe". A file
// there counts by name alone.
func refuseGlued(arg string) error {
	if len(arg) < 3 || len(arg) > longestPath || arg[0] != '-' || arg[1] == '-' {
		return nil
	}
	names := []string{arg[2:]}
	if at := strings.IndexByte(arg[2:], '/'); at > 0 {
		names = append(names, arg[2+at:]) // "-isystem/tmp/pipe"
	}
	for _, name := range names {
		if files.Missing(name) || commandsOwn(name) {
			continue
		}
		if info, err := os.Stat(name); err == nil && isPipe(info) {
			return &UnreadableError{name, ErrPipe}
		}
	}
	return nil
}

func isPipe(info fs.FileInfo) bool { return info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 }

// longestPath is the longest name that the system takes for a path, in bytes.
const longestPath = 4096

// look is what was seen when a text was looked at as the name of a file.
type look struct {
	sum           *Digest
	err           error
	files, absent []trackedFile
}

// nothing is the look at most arguments: no file has that name.
var nothing = &look{}

// trackText tracks the file that a text names. It returns nil if there is none. hint
// is for messages.
func (c *Call) trackText(ctx context.Context, text, hint string) (*Digest, error) {
	seen, ok := c.seen.looked[text]
	if !ok {
		seen = nothing
		if !files.Missing(text) {
			fresh := &Call{digests: c.digests}
			seen = &look{}
			seen.sum, seen.err = fresh.lookAt(ctx, text)
			seen.files, seen.absent = fresh.files, fresh.absent
		}
		c.seen.looked[text] = seen
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
	if text == "" || len(text) > longestPath || strings.IndexByte(text, 0) >= 0 || commandsOwn(text) {
		return nil, nil
	}
	info, err := os.Stat(text)
	switch {
	case err == nil && info.Mode().IsRegular():
		if runtime.GOOS != "linux" {
			for range descriptors(text) { // reading it would move the place at which COMMAND reads
				return nil, &UnreadableError{text, ErrPipe}
			}
		}
		sum, err := c.track(ctx, text)
		if err != nil {
			return nil, unreadable(text, err)
		}
		c.files[len(c.files)-1].executable = info.Mode()&0o111 != 0
		return &sum, nil
	case err == nil && isPipe(info):
		return nil, &UnreadableError{text, ErrPipe}
	case err != nil && !namesNothing(err):
		return nil, &UnreadableError{text, err}
	case err != nil:
		c.absent = append(c.absent, trackedFile{path: text})
	}
	return nil, nil
}

// namesNothing reports whether an error of stat says that no file is there, and not
// that we can't see it.
func namesNothing(err error) bool {
	for _, e := range []error{fs.ErrNotExist, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return runtime.GOOS == "windows" && !errors.Is(err, fs.ErrPermission) // most texts are no names there
}
