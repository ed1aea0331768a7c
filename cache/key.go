package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// PartKind is what a part of a key is about.
type PartKind byte

// The kinds of parts. Their values are part of the encoding: never change one.
const (
	PartProgram     PartKind = 'p' // the executable: place and contents
	PartInterpreter PartKind = '#' // what its #! line names, or a launcher starts: likewise
	PartArgument    PartKind = 'a' // one argument, or a list of them
	PartDirectory   PartKind = 'd' // the working directory
	PartDependency  PartKind = 'f' // a --depends-on: name and contents
	PartEnvironment PartKind = 'e' // an environment variable
	PartStdin       PartKind = 'i' // what stdin holds
	PartRule        PartKind = 'r' // a rule that matched
)

// Form is how an argument counts.
type Form byte

// The forms. Their values are part of the encoding: never change one.
const (
	FormKept     Form = 0
	FormIgnored  Form = 'i' // that it is there counts, its value does not
	FormSorted   Form = 's' // its value is a multiset
	FormList     Form = 'l' // several arguments, a multiset
	FormBoundary Form = 'b' // a switch was dropped here
	FormUnset    Form = 'u' // of an environment variable
)

// Place is how the name of a file or folder counts.
type Place byte

// The places. Their values are part of the encoding: never change one.
const (
	PlaceAsIs    Place = 0
	PlaceProject Place = 'p' // relative to the project's folder
	PlaceNone    Place = 'n' // the base name alone
)

// Item is one text of a part, and the contents of the file that it names.
type Item struct {
	Text   string
	Place  Place
	Digest *Digest
}

// Part is one thing that went into a key. The fields behind File don't count.
type Part struct {
	Kind  PartKind
	Form  Form
	Name  string // of an environment variable; of a flag with its "="
	Style string // how a multiset is written: brackets, and a blank if there are any
	Items []Item
	// File is the contents of the file that the whole argument names, where
	// the argument is more than its one item.
	File *Digest

	Flag   string // the flag, as it was written, that this argument is a value of
	Whole  string // a multiset as it was written
	Hidden string // the ignored value
	Hint   string // the flag of ours that would ignore this part
	Tree   bool   // the dependency is a folder
}

// keyVersion changes whenever the encoding, or what goes into it, does.
const keyVersion = "dvlcache key 1\n"

// encode writes the part so that two parts that differ in what counts are
// written differently, and none is the beginning of another.
func (p *Part) encode(b []byte) []byte {
	b = append(b, byte(p.Kind), byte(p.Form))
	b = appendBytes(b, p.Name)
	b = appendBytes(b, p.Style)
	b = appendDigest(b, p.File)
	b = binary.AppendUvarint(b, uint64(len(p.Items)))
	for i := range p.Items {
		b = append(b, byte(p.Items[i].Place))
		b = appendBytes(b, p.Items[i].Text)
		b = appendDigest(b, p.Items[i].Digest)
	}
	return b
}

func appendDigest(b []byte, d *Digest) []byte {
	if d == nil {
		return append(b, 0)
	}
	return append(append(b, 1), d[:]...)
}

func keyOf(parts []Part) Key {
	b := append(make([]byte, 0, 1024), keyVersion...)
	b = binary.AppendUvarint(b, uint64(len(parts)))
	for i := range parts {
		b = parts[i].encode(b)
	}
	return sha256.Sum256(b)
}

// Paths says how much of the places of programs and files counts.
type Paths string

// The ways in which places count.
const (
	PathsAbsolute Paths = "absolute" // as they are
	PathsProject  Paths = "project"  // relative to the project's folder
	PathsNone     Paths = "none"     // base names and contents only
)

// CallSpec is what Identify makes a key of.
type CallSpec struct {
	Args      []string // COMMAND and its arguments
	Program   string   // the executable as it was found, links unresolved
	Rules     Rules    // normalized
	TrackArgs bool     // arguments that name files count with their contents
	Paths     Paths
	DependsOn []string // files and folders
	Env       []string // names of variables
	LookupEnv func(string) (string, bool)
	Stdin     *Digest // nil: stdin does not count
	// Leave is a folder that no dependency includes: the cache's own.
	Leave string
}

// Call is a call of a utility: its key, the parts that the key is made of, and
// the files that were read for it.
type Call struct {
	Key   Key
	Parts []Part

	digests *Digests
	leave   string
	program string
	files   []trackedFile
	absent  []trackedFile // what arguments name, if they name a file later
	ways    [][]Identity  // to each of files; see Watch
}

// trackedFile is a file whose contents went into a key.
type trackedFile struct {
	path     string // as it was named
	hint     string
	identity Identity
	digest   Digest
	fresh    bool // its identity can't be trusted to change with it
	folder   bool // digest is that of the names in it
}

// UnreadableError is a file whose contents should count and can't be read: the
// call has no key.
type UnreadableError struct {
	Path string
	Err  error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s can't be read: %v", e.Path, plain(e.Err))
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// unreadable names the file that could not be read, which may lie below path.
func unreadable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		path = p.Path
	}
	return &UnreadableError{path, err}
}

// errPipe: what a pipe holds can be read once only, and that is the program's.
var errPipe = errors.New("it is a pipe or a socket, and what it holds can't be looked at beforehand")

// plain takes the operation and path off a file system's error.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// MissingDependencyError is a --depends-on that isn't there.
type MissingDependencyError struct{ Path string }

func (e *MissingDependencyError) Error() string {
	return fmt.Sprintf("--depends-on %s: there is no such file or folder", e.Path)
}

// NoProjectError says that Paths is PathsProject and there is no project.
type NoProjectError struct{ Dir string }

func (e *NoProjectError) Error() string {
	return fmt.Sprintf("--paths project: there is no dvlcache.yaml or .git in %s or above", e.Dir)
}

// Identify finds the key of a call: a SHA-256 over a versioned,
// length-prefixed encoding of its parts, so that two calls that differ in
// anything that counts don't share one. It reads files, and runs nothing.
//
// Its errors are *UnreadableError, *MissingDependencyError, *NoProjectError, or
// those of the working directory and the context.
func Identify(ctx context.Context, spec CallSpec, digests *Digests) (*Call, error) {
	c := &Call{digests: digests, leave: spec.Leave, program: spec.Program}
	where, err := newPlaces(spec.Paths)
	if err != nil {
		return nil, err
	}
	if err := c.addProgram(ctx, PartProgram, spec.Program, where); err != nil {
		return nil, err
	}
	if IsLauncher(spec.Program) && spec.TrackArgs {
		if err := c.addLaunched(ctx, spec.Args[1:], where); err != nil {
			return nil, err
		}
	}
	args, matched := spec.Rules.parse(spec.Args[1:])
	for i := range args {
		if spec.TrackArgs {
			if err := c.trackArgument(ctx, &args[i]); err != nil {
				return nil, err
			}
		}
		for j := range args[i].Items {
			it := &args[i].Items[j]
			*it = where.argument(it.Text, it.Digest)
		}
		c.add(args[i])
	}
	for _, dir := range where.directories() {
		c.add(Part{Kind: PartDirectory, Items: []Item{dir}})
	}
	if err := c.addDependencies(ctx, spec.DependsOn, where); err != nil {
		return nil, err
	}
	for _, name := range sortedSet(spec.Env) {
		p := Part{Kind: PartEnvironment, Name: name, Form: FormUnset}
		if v, ok := spec.LookupEnv(name); ok {
			p.Form, p.Items = FormKept, []Item{{Text: v}}
		}
		c.add(p)
	}
	if spec.Stdin != nil {
		c.add(Part{Kind: PartStdin, File: spec.Stdin})
	}
	for _, rule := range matched {
		c.add(Part{Kind: PartRule, Items: []Item{{Text: rule}}})
	}
	c.Key = keyOf(c.Parts)
	return c, nil
}

// addProgram adds an executable and, if it is a script, what its #! line names.
func (c *Call) addProgram(ctx context.Context, kind PartKind, path string, where *places) error {
	for range 5 { // as deep as an interpreter may be a script itself
		sum, err := c.track(ctx, path, "")
		if err != nil {
			return unreadable(path, err)
		}
		c.add(Part{Kind: kind, Items: []Item{where.item(path, &sum)}})
		kind = PartInterpreter
		if path = interpreter(path); path == "" {
			return nil
		}
	}
	return nil
}

// addLaunched adds the programs that the arguments of a launcher name and that
// are found on PATH: any word may be one.
func (c *Call) addLaunched(ctx context.Context, args []string, where *places) error {
	for _, arg := range args {
		if strings.ContainsAny(arg, "/=") || strings.HasPrefix(arg, "-") {
			continue
		}
		if path, err := exec.LookPath(arg); err == nil {
			if err := c.addProgram(ctx, PartInterpreter, path, where); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Call) add(p Part) { c.Parts = append(c.Parts, p) }

func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// track digests a regular file and remembers to look at it after the run.
func (c *Call) track(ctx context.Context, path, hint string) (Digest, error) {
	sum, id, err := c.digests.Digest(ctx, path)
	if err != nil {
		return sum, err
	}
	c.files = append(c.files, trackedFile{path: path, hint: hint, identity: id, digest: sum, fresh: id.racy(time.Now())})
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

// trackText tracks the file that a text names, with an "@" before it or not.
// It returns nil if there is none.
func (c *Call) trackText(ctx context.Context, text, hint string) (*Digest, error) {
	rest, at := strings.CutPrefix(text, "@")
	if text == "" || len(text) > 4096 || strings.IndexByte(text, 0) >= 0 {
		return nil, nil // no path, or longer than any
	}
	info, err := os.Stat(text)
	switch {
	case err == nil && info.Mode().IsRegular():
		sum, err := c.track(ctx, text, hint)
		if err != nil {
			return nil, unreadable(text, err)
		}
		return &sum, nil
	case err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
		return nil, &UnreadableError{text, errPipe}
	case at:
		return c.trackText(ctx, rest, hint)
	case errors.Is(err, fs.ErrNotExist):
		c.absent = append(c.absent, trackedFile{path: text, hint: hint})
	}
	return nil, nil
}

func (c *Call) addDependencies(ctx context.Context, paths []string, where *places) error {
	cleaned := make([]string, len(paths))
	for i, p := range paths {
		cleaned[i] = filepath.Clean(p)
	}
	// In the order of their names as given, not as they count: under "none"
	// two of the same base name must not change places.
	for _, path := range sortedSet(cleaned) {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return &MissingDependencyError{path}
		} else if err != nil {
			return &UnreadableError{path, err}
		}
		p := Part{Kind: PartDependency}
		var sum Digest
		if info.IsDir() {
			p.Tree = true
			p.Style = "tree"
			sum, err = c.trackTree(ctx, path, nil)
		} else {
			sum, err = c.track(ctx, path, "")
		}
		if err != nil {
			return unreadable(path, err)
		}
		p.Items = []Item{where.item(path, &sum)}
		c.add(p)
	}
	return nil
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
	if own, err := os.Stat(c.leave); err == nil && os.SameFile(own, self) {
		return sum, nil
	}
	above = append(above, self)
	names, listing, err := list(dir)
	if err != nil {
		return sum, err
	}
	c.files = append(c.files, trackedFile{path: dir, digest: listing, folder: true})
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
			sum, err := c.track(ctx, path, "")
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
// leaves out, and a digest of them.
func list(dir string) (names []string, sum Digest, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, sum, err
	}
	defer f.Close()
	names, err = f.Readdirnames(-1)
	if err != nil {
		return nil, sum, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == ".git" || n == "__pycache__" })
	slices.Sort(names)
	var b []byte
	for _, n := range names {
		b = appendBytes(b, n)
	}
	return names, sha256.Sum256(b), nil
}

// Watch notes by which links the tracked files are reached, for Changed. Call
// it before the program runs; a call that isn't run needs none of it.
func (c *Call) Watch() {
	c.ways = c.ways[:0]
	for i := range c.files {
		c.ways = append(c.ways, wayTo(c.files[i].path))
	}
}

// wayTo identifies what stands on the way to a file: the links, which are
// other ones when they are made anew, and the folders, by device and inode
// alone, since whatever is written in them changes the rest.
func wayTo(path string) (way []Identity) {
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
			return append(way, Identity{})
		}
		id := identityOf(info)
		if info.Mode()&fs.ModeSymlink == 0 {
			way = append(way, Identity{Device: id.Device, Inode: id.Inode})
			at = step
			continue
		}
		way = append(way, id)
		target, err := os.Readlink(step)
		if links++; err != nil || links > 40 {
			return append(way, Identity{})
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.TrimPrefix(target, "/"), "/"), rest...)
	}
	return way
}

// Changed returns the name of a file that may have changed since the key was
// made, and the flag that would ignore it where there is one. It returns an
// empty name if none has.
func (c *Call) Changed(ctx context.Context) (path, hint string) {
	for i := range c.files {
		f := &c.files[i]
		if f.changed(ctx) || c.ways != nil && !slices.Equal(c.ways[i], wayTo(f.path)) {
			return f.path, f.hint
		}
	}
	return "", ""
}

func (f *trackedFile) changed(ctx context.Context) bool {
	if f.folder {
		_, sum, err := list(f.path)
		return err != nil || sum != f.digest
	}
	info, err := os.Stat(f.path)
	if err != nil || identityOf(info) != f.identity {
		return true
	}
	if !f.fresh {
		return false
	}
	// Its timestamps are too coarse to tell; its contents are not. No memory
	// of digests here: it would trust the timestamps.
	sum, _, err := (&Digests{}).Digest(ctx, f.path)
	return err != nil || sum != f.digest
}

// Appeared returns the name of a file that an argument names and that wasn't
// there when the key was made, and the flag that would ignore it.
func (c *Call) Appeared() (path, hint string) {
	for _, f := range c.absent {
		if info, err := os.Stat(f.path); err == nil && info.Mode().IsRegular() {
			return f.path, f.hint
		}
	}
	return "", ""
}

// Tracked lists the files whose contents went into the key, as they were
// named, without the program.
func (c *Call) Tracked() []string {
	var names []string
	for _, f := range c.files {
		if !f.folder && f.path != c.program {
			names = append(names, f.path)
		}
	}
	return names
}

// places knows how the names of files count.
type places struct {
	mode     Paths
	logical  string   // the working directory as the shell has it
	physical string   // … links resolved
	roots    []string // the project's folder, in both forms
}

func newPlaces(mode Paths) (*places, error) {
	w := &places{mode: mode}
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
	root := ProjectRoot(w.physical)
	if root == "" {
		return nil, &NoProjectError{w.physical}
	}
	w.roots = []string{root}
	// The project's other name, if it has one by which we came.
	if other := ProjectRoot(w.logical); other != root {
		a, errA := os.Stat(root)
		b, errB := os.Stat(other)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			w.roots = append(w.roots, other)
		}
	}
	return w, nil
}

// ProjectRoot returns the nearest folder, dir itself or one above it, that
// holds a dvlcache.yaml or a .git, or "".
func ProjectRoot(dir string) string {
	for {
		for _, mark := range []string{"dvlcache.yaml", ".git"} {
			if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
				return dir
			}
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// inProject makes an absolute name relative to the project's folder.
func (w *places) inProject(name string) (string, bool) {
	for _, root := range w.roots {
		if rest, ok := strings.CutPrefix(name, root); ok && (rest == "" || rest[0] == filepath.Separator || root == "/") {
			return strings.TrimPrefix(rest, string(filepath.Separator)), true
		}
	}
	return "", false
}

// item is the name of a program, file or folder as it counts.
func (w *places) item(name string, sum *Digest) Item {
	switch w.mode {
	case PathsNone:
		return Item{Text: filepath.Base(name), Place: PlaceNone, Digest: sum}
	case PathsProject:
		if rel, ok := w.inProject(w.abs(name)); ok {
			return Item{Text: rel, Place: PlaceProject, Digest: sum}
		}
	}
	return Item{Text: w.abs(name), Digest: sum}
}

// argument is the text of an argument as it counts. It may be no name at all.
func (w *places) argument(text string, sum *Digest) Item {
	switch w.mode {
	case PathsNone:
		if sum != nil && text[0] != '@' { // "@data.csv" is not "data.csv"
			return Item{Text: filepath.Base(text), Place: PlaceNone, Digest: sum}
		}
	case PathsProject:
		if rel, ok := w.inProject(text); ok && filepath.IsAbs(text) {
			return Item{Text: rel, Place: PlaceProject, Digest: sum}
		}
	}
	return Item{Text: text, Digest: sum}
}

// abs makes a name absolute without resolving links or "..", which may lie
// behind one.
func (w *places) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return strings.TrimSuffix(w.logical, "/") + "/" + strings.TrimPrefix(name, "./")
}

// directories is how the working directory counts: both its names, since the
// same one may be reached by several, and one name may come to mean another.
func (w *places) directories() []Item {
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
