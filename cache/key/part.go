package key

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"dvlcache/cache/internal/wire"
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
	PartDescriptor  PartKind = 'o' // a file that was left open for COMMAND: its number, its contents, and where it is read from
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
	FormContents Form = 'c' // it names a file whose contents count, and its name doesn't
	FormUnset    Form = 'u' // of an environment variable
)

// PathForm is how the name of a file or folder counts.
type PathForm byte

// The path forms. Their values are part of the encoding: never change one.
const (
	PathAsIs      PathForm = 0
	PathInProject PathForm = 'p' // relative to the project's folder
	PathBase      PathForm = 'n' // the base name alone
)

// Item is one text of a part, and the contents of the file that it names.
type Item struct {
	Text   string
	Path   PathForm
	Digest *Digest
}

// Part is one thing that went into a key. The fields behind File don't count.
type Part struct {
	Kind  PartKind
	Form  Form
	Name  string // of an environment variable; of a flag with its "="
	Style string // how a multiset is written: brackets, and a blank if there are any; of a file, lines
	Items []Item
	// File is the contents of the file that the whole argument names, where
	// the argument is more than its one item.
	File *Digest

	Flag   string // the flag, as it was written, that this argument is a value of
	Whole  string // a multiset as it was written
	Hidden string // the ignored value; of FormContents, the file, if it has a name of its own
	Hint   string // the flag of ours that would ignore this part
	Place  int    // of an argument, counted from 1
}

// keyVersion changes whenever the encoding, or what goes into it, does.
const keyVersion = "dvlcache key 1\n"

// encode writes the part so that two parts that differ in what counts are
// written differently, and none is the beginning of another.
func (p *Part) encode(b []byte) []byte {
	b = append(b, byte(p.Kind), byte(p.Form))
	b = wire.AppendBytes(b, p.Name)
	b = wire.AppendBytes(b, p.Style)
	b = appendDigest(b, p.File)
	b = binary.AppendUvarint(b, uint64(len(p.Items)))
	for i := range p.Items {
		b = append(b, byte(p.Items[i].Path))
		b = wire.AppendBytes(b, p.Items[i].Text)
		b = appendDigest(b, p.Items[i].Digest)
	}
	return b
}

// Counting is what of the part counts: two parts count alike if it is the same.
func (p *Part) Counting() string { return string(p.encode(nil)) }

func appendDigest(b []byte, d *Digest) []byte {
	if d == nil {
		return append(b, 0)
	}
	return append(append(b, 1), d[:]...)
}

func keyOf(parts []Part) Key {
	b := beginKey(make([]byte, 0, 1024), len(parts))
	return sha256.Sum256(encodeAll(b, parts))
}

// beginKey writes what stands before that many parts.
func beginKey(b []byte, parts int) []byte {
	return binary.AppendUvarint(append(b, keyVersion...), uint64(parts))
}

func encodeAll(b []byte, parts []Part) []byte {
	for i := range parts {
		b = parts[i].encode(b)
	}
	return b
}

func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}
