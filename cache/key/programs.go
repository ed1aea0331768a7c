package key

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/internal/files"
	"dvlcache/cache/key/launch"
)

// sight is what an Identifier has seen: it looks at each thing once.
type sight struct {
	looked   map[string]*look    // by text of an argument
	programs map[string]*program // by path
	finder   *launch.Finder
}

func newSight() *sight {
	return &sight{map[string]*look{}, map[string]*program{}, launch.NewFinder()}
}

// program is an executable that was seen.
type program struct {
	file trackedFile
	err  error
}

// start is how programs are found that a call starts.
type start struct {
	where *pathNamer
	paths []*launch.Path
	done  []string // programs that count already, by path
}

// with is the same, and the PATHs besides that arguments of a program give.
func (s *start) with(more []*launch.Path) *start {
	n := *s
	n.paths = slices.Clone(s.paths)
	for _, p := range more {
		if !slices.Contains(n.paths, p) {
			n.paths = append(n.paths, p)
		}
	}
	return &n
}

// addProgram adds an executable and, if it is a script, what its #! line starts.
func (c *Call) addProgram(ctx context.Context, kind PartKind, path string, s *start) error {
	if slices.Contains(s.done, path) {
		return nil
	}
	s.done = append(s.done, path)
	p := c.seen.programs[path]
	if p == nil {
		fresh := &Call{digests: c.digests}
		p = &program{}
		if _, p.err = fresh.track(ctx, path); p.err == nil {
			p.file = fresh.files[0]
		}
		c.seen.programs[path] = p
	}
	if p.err != nil {
		return unreadable(path, p.err)
	}
	c.files = append(c.files, p.file)
	c.add(Part{Kind: kind, Items: []Item{s.where.item(path, &p.file.digest)}})
	return c.addInterpreter(ctx, path, s)
}

// styleExpanded marks arguments that env makes of variables on a #! line.
const styleExpanded = "-S"

// addInterpreter adds what the #! line of a script starts: the interpreter, where
// the kernel finds it, and whatever that may find in its turn among the words that
// follow it, as env does.
func (c *Call) addInterpreter(ctx context.Context, script string, s *start) error {
	l := c.seen.finder.Line(script)
	if l.Err != nil {
		return unreadable(script, l.Err)
	}
	if l.Interpreter == "" {
		return nil
	}
	if len(l.Expanded) > 0 {
		c.add(Part{Kind: PartInterpreter, Style: styleExpanded, Items: []Item{{Text: fmt.Sprintf("%q", l.Expanded)}}})
	}
	inner := s.with(c.seen.finder.Paths(l.Interpreter, l.Words))
	defer func() { s.done = inner.done }()
	// The system's env is no part of what it starts.
	if l.Interpreter != "/usr/bin/env" && l.Interpreter != "/bin/env" {
		// A shell may look on PATH for a name without a slash.
		if err := c.addWord(ctx, l.Interpreter, inner); err != nil {
			return err
		}
	}
	for _, w := range l.Words {
		if err := c.addWord(ctx, w, inner); err != nil {
			return err
		}
	}
	return nil
}

// addWord adds the file that a word names, which isn't an argument of the call, and
// the programs that are found by it on PATH.
func (c *Call) addWord(ctx context.Context, text string, s *start) error {
	names := []string{text}
	if _, value, assigns := strings.Cut(text, "="); assigns {
		names = append(names, value)
	}
	for _, name := range names {
		name = strings.TrimPrefix(name, "@")
		if name == "" || len(name) > longestPath || files.Missing(name) {
			continue
		}
		switch info, err := os.Stat(name); {
		case err == nil && info.Mode().IsRegular():
			if err := c.addProgram(ctx, PartInterpreter, name, s); err != nil {
				return err
			}
		case err == nil && isPipe(info):
			return &UnreadableError{name, ErrPipe}
		case errors.Is(err, fs.ErrPermission):
			return &UnreadableError{name, err}
		}
	}
	return c.addFound(ctx, launch.Word(text), s)
}

// addFound adds the programs of a name that are found on PATH.
func (c *Call) addFound(ctx context.Context, name string, s *start) error {
	if name == "" {
		return nil
	}
	for _, p := range s.paths {
		if path := p.Find(name); path != "" {
			if err := c.addProgram(ctx, PartInterpreter, path, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// addLaunched adds what the arguments of a call start besides the files that they
// name: the interpreters of those which are scripts and, of a launcher, the programs
// that it finds on PATH, since any word may be one. What a rule leaves out, or takes
// for one of a set, is none.
func (x *Identifier) addLaunched(ctx context.Context, c *Call, parts []Part, named []trackedFile) error {
	s := &start{where: x.names}
	var kept, split []string
	if x.launcher {
		for i := range parts {
			if p := &parts[i]; p.Form == FormKept {
				kept = append(kept, p.Name+p.Items[0].Text)
			}
		}
		var err error
		if split, err = launch.SplitStrings(x.spec.Program, kept); err != nil {
			return &UnreadableError{x.spec.Program, err}
		}
	}
	if x.launcher || len(named) > 0 {
		s.paths = x.seen.finder.Paths(x.spec.Program, slices.Concat(kept, split))
	}
	for _, f := range slices.Clone(named) {
		if x.launcher || f.executable {
			if err := c.addInterpreter(ctx, f.path, s); err != nil {
				return err
			}
		}
	}
	for _, w := range kept {
		if err := c.addFound(ctx, launch.Word(w), s); err != nil {
			return err
		}
	}
	for _, w := range split {
		if err := c.addWord(ctx, w, s); err != nil {
			return err
		}
	}
	return nil
}

// outputHint is the flag that would ignore a file of an argument, which may be an
// output, or empty where it is a program: to ignore one gives wrong numbers for ever.
func (c *Call) outputHint(path, hint string) string {
	if hint == "" || launch.IsSource(path) || slices.Contains(launch.ProgramNames(c.args), filepath.Base(path)) {
		return ""
	}
	return hint
}

// Own is how many arguments are a launcher's own, see launch.Own.
func (c *Call) Own() int {
	if c.own == nil {
		n := launch.Own(c.args)
		c.own = &n
	}
	return *c.own
}
