package key

import (
	"context"
	"crypto/sha256"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/witness"
	"dvlcache/cache/key/launch"
	"dvlcache/cache/trust"
)

// Paths says how much of the paths of programs and files counts.
type Paths string

// The ways in which paths count.
const (
	PathsAbsolute Paths = "absolute" // as they are
	PathsProject  Paths = "project"  // relative to the project's folder
	PathsNone     Paths = "none"     // base names and contents only
)

// CallSpec is what Identify makes a key of.
type CallSpec struct {
	Args      []string // COMMAND and its arguments
	Files     []File   // that are made for an evaluation, in the order of Args
	Program   string   // the executable as it was found, links unresolved
	Rules     Rules    // normalized
	TrackArgs bool     // arguments that name files count with their contents
	Paths     Paths
	DependsOn []string // files and folders
	Untracked []string // patterns of what doesn't count below these folders
	Gitignore bool     // nor does what .gitignore files name
	Env       []string // names of variables
	LookupEnv func(string) (string, bool)
	Stdin     *Digest // nil: stdin does not count
	// Descriptors are those above 2 that COMMAND gets from whoever started us.
	Descriptors []Descriptor
	// Leave are folders that no dependency includes: the cache's own.
	Leave []string
	// Safe are folders whose projects are obeyed, whosever they are.
	Safe trust.Places
}

// Call is a call of a utility: its key, the parts that the key is made of, and
// the files that were read for it.
type Call struct {
	Key   Key
	Parts []Part

	spec    *CallSpec
	args    []string
	made    []File
	dir     string
	digests *Digests
	files   []trackedFile
	absent  []trackedFile       // what arguments name, if they name a file later
	ways    [][]digest.Identity // to each of files; see Watch
	witness *witness.Witness    // of what happens to files; see Watch
	seen    *sight
	own     *int // see Own

	latePath, lateHint string // one of absent that was there before the run
}

// Identify finds the key of a call: a SHA-256 over a versioned,
// length-prefixed encoding of its parts, so that two calls that differ in
// anything that counts don't share one. It reads files, and runs nothing.
//
// Its errors are *UnreadableError, *MissingDependencyError, *NoProjectError, or
// the context's.
func Identify(ctx context.Context, spec CallSpec, digests *Digests) (*Call, error) {
	x, err := NewIdentifier(ctx, spec, digests)
	if err != nil {
		return nil, err
	}
	return x.Identify(ctx, spec.Args, spec.Files)
}

// Identifier finds the keys of calls that differ in their arguments alone, as
// Identify does. It looks at each file once: make a new one whenever files may
// have changed. It is for one goroutine at a time.
type Identifier struct {
	spec       CallSpec
	digests    *Digests
	names      *pathNamer
	launcher   bool  // arguments may name programs
	head, tail *Call // what comes before the arguments, and after
	seen       *sight

	// What Key works in.
	headBytes, tailBytes []byte
	parser               parser
	scratch              Call
	bytes                []byte
}

// NewIdentifier looks at all that the calls have in common. Its errors are
// those of Identify.
func NewIdentifier(ctx context.Context, spec CallSpec, digests *Digests) (*Identifier, error) {
	where, err := newPathNamer(spec.Paths, spec.Safe)
	if err != nil {
		return nil, err
	}
	x := &Identifier{spec: spec, digests: digests, names: where, launcher: spec.TrackArgs && launch.IsLauncher(spec.Program), seen: newSight()}
	x.head, x.tail = x.newCall(), x.newCall()
	if err := x.head.addProgram(ctx, PartProgram, spec.Program, &start{where: where, paths: x.seen.finder.Paths(spec.Program, nil)}); err != nil {
		return nil, err
	}
	for _, dir := range where.directories() {
		x.tail.add(Part{Kind: PartDirectory, Items: []Item{dir}})
	}
	if err := x.tail.addDependencies(ctx, spec.DependsOn, where); err != nil {
		return nil, err
	}
	for _, name := range sortedSet(spec.Env) {
		p := Part{Kind: PartEnvironment, Name: name, Form: FormUnset}
		if v, ok := spec.LookupEnv(name); ok {
			p.Form, p.Items = FormKept, []Item{{Text: v}}
		}
		x.tail.add(p)
	}
	if spec.Stdin != nil {
		x.tail.add(Part{Kind: PartStdin, File: spec.Stdin})
	}
	if err := x.tail.addDescriptors(ctx, spec.Descriptors); err != nil {
		return nil, err
	}
	x.headBytes, x.tailBytes = encodeAll(nil, x.head.Parts), encodeAll(nil, x.tail.Parts)
	x.scratch = *x.newCall()
	return x, nil
}

// Twin returns an Identifier of the same calls, for another goroutine. What
// arguments name it looks at by itself.
func (x *Identifier) Twin() *Identifier {
	t := &Identifier{spec: x.spec, digests: x.digests, names: x.names, launcher: x.launcher, head: x.head, tail: x.tail,
		seen: newSight(), headBytes: x.headBytes, tailBytes: x.tailBytes}
	t.scratch = *t.newCall()
	return t
}

func (x *Identifier) newCall() *Call {
	return &Call{spec: &x.spec, dir: x.names.logical, digests: x.digests, seen: x.seen}
}

// Identify finds the key of the call with these arguments, COMMAND first, and files,
// in their order.
func (x *Identifier) Identify(ctx context.Context, args []string, made []File) (*Call, error) {
	c := x.newCall()
	c.args, c.made = args, made
	c.include(x.head)
	parts, matched, err := x.arguments(ctx, c, &parser{hints: true}, args, made)
	if err != nil {
		return nil, err
	}
	c.Parts = append(c.Parts, parts...)
	c.include(x.tail)
	c.Parts = append(c.Parts, ruleParts(matched)...)
	c.Key = keyOf(c.Parts)
	return c, nil
}

// Key finds the key alone. It costs a fraction of Identify, which finds the same
// one where more than the key is needed afterwards.
func (x *Identifier) Key(ctx context.Context, args []string, made []File) (Key, error) {
	c := &x.scratch
	c.Parts, c.files, c.absent = c.Parts[:0], c.files[:0], c.absent[:0]
	parts, matched, err := x.arguments(ctx, c, &x.parser, args, made)
	if err != nil {
		return Key{}, err
	}
	n := len(x.head.Parts) + len(c.Parts) + len(parts) + len(x.tail.Parts) + len(matched)
	b := append(beginKey(x.bytes[:0], n), x.headBytes...)
	b = encodeAll(encodeAll(b, c.Parts), parts)
	b = encodeAll(append(b, x.tailBytes...), ruleParts(matched))
	x.bytes = b
	return sha256.Sum256(b), nil
}

// arguments adds to a call the programs that its arguments name, and returns the
// parts of the arguments, which are p's own, and the rules that matched.
func (x *Identifier) arguments(ctx context.Context, c *Call, p *parser, args []string, made []File) (parts []Part, matched []string, err error) {
	contents, err := c.contents(ctx, x.spec.Rules, args, made)
	if err != nil {
		return nil, nil, err
	}
	parts, matched = p.parse(x.spec.Rules, args[1:], contents)
	if x.spec.TrackArgs {
		first := len(c.files)
		for i := range parts {
			if err := c.trackArgument(ctx, &parts[i]); err != nil {
				return nil, nil, err
			}
		}
		if err := x.addLaunched(ctx, c, parts, c.files[first:]); err != nil {
			return nil, nil, err
		}
	}
	for i := range parts {
		if parts[i].Form == FormContents {
			continue
		}
		for j := range parts[i].Items {
			it := &parts[i].Items[j]
			*it = x.names.argument(it.Text, it.Digest)
		}
	}
	return parts, matched, nil
}

// Spec is what the call was identified by. It is not to be changed.
func (c *Call) Spec() *CallSpec { return c.spec }

// Args are COMMAND and its arguments.
func (c *Call) Args() []string { return c.args }

// Files are those which are made for an evaluation.
func (c *Call) Files() []File { return c.made }

func ruleParts(matched []string) []Part {
	if len(matched) == 0 {
		return nil
	}
	parts := make([]Part, len(matched))
	for i, rule := range matched {
		parts[i] = Part{Kind: PartRule, Items: []Item{{Text: rule}}}
	}
	return parts
}

// include adds all that another call has.
func (c *Call) include(o *Call) {
	c.Parts = append(c.Parts, o.Parts...)
	c.files = append(c.files, o.files...)
}

func (c *Call) add(p Part) { c.Parts = append(c.Parts, p) }
