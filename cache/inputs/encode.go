package inputs

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strings"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/wire"
)

// An encoded set is
//
//	version byte | programs | observations
//
// each list behind its length. An observation is its kind with flags, the index of
// the program, how many bytes its name shares with the one before, the rest of the
// name, and what its kind tells.
const setVersion = 1

// A byte of kind and flags.
const (
	kindMask       = 0x0f
	flagExecutable = 0x10
	flagUnreadable = 0x20
	flagKinds      = 0x40 // a listing has them: older ones don't
)

// ErrNewer: a later version has written it.
var ErrNewer = errors.New("it was written by a newer version of dvlcache")

var errMalformed = errors.New("it is no set of inputs")

// Encode appends the encoding of a set to b. Equal sets encode equally.
func (s Set) Encode(b []byte) []byte {
	programs := s.Programs()
	b = slices.Grow(b, 64*len(s.list)+64)
	b = append(b, setVersion)
	b = binary.AppendUvarint(b, uint64(len(programs)))
	for _, p := range programs {
		b = wire.AppendBytes(b, p)
	}
	b = binary.AppendUvarint(b, uint64(len(s.list)))
	before := ""
	for i := range s.list {
		o := &s.list[i]
		head := byte(o.Kind)
		if o.Executable {
			head |= flagExecutable
		}
		if o.Unreadable {
			head |= flagUnreadable
		}
		if o.Kinds != "" {
			head |= flagKinds
		}
		by, _ := slices.BinarySearch(programs, o.By)
		shared := sharedPrefix(before, o.Name)
		b = binary.AppendUvarint(append(b, head), uint64(by))
		b = binary.AppendUvarint(b, uint64(shared))
		b = wire.AppendBytes(b, o.Name[shared:])
		before = o.Name
		switch o.Kind {
		case Contents:
			b = append(b, o.Sum[:]...)
		case Stat:
			b = binary.AppendVarint(binary.AppendVarint(b, o.Size), o.Mtime)
		case Listing:
			b = append(b, o.Sum[:]...)
			b = binary.AppendUvarint(b, uint64(len(o.Names)/nameHash))
			b = append(append(b, o.Names...), o.Kinds...)
		case Link, Search, Place:
			b = wire.AppendBytes(b, o.Target)
		}
	}
	return b
}

// Programs are those that used something, sorted.
func (s Set) Programs() []string {
	var programs []string
	last := ""
	for i := range s.list {
		if by := s.list[i].By; i == 0 || by != last {
			last = by
			if at, found := slices.BinarySearch(programs, by); !found {
				programs = slices.Insert(programs, at, by)
			}
		}
	}
	return programs
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Parse reads an encoded set, and keeps no reference to b. It believes nothing: what
// it returns is a set that could have been encoded.
func Parse(b []byte) (Set, error) {
	r := &wire.Reader{Rest: b}
	if version := r.Byte(); version != setVersion {
		if version > setVersion && wire.IsVersion(version) {
			return Set{}, ErrNewer
		}
		return Set{}, errMalformed
	}
	programs := make([]string, r.Count(1))
	for i := range programs {
		programs[i] = string(r.Bytes())
		if i > 0 && programs[i-1] >= programs[i] {
			return Set{}, errMalformed
		}
	}
	list := make([]Observation, r.Count(4))
	ends := make([]int, len(list))
	names := make([]byte, 0, 2*len(r.Rest)) // one behind the other
	start := 0
	for i := range list {
		o := &list[i]
		head := r.Flags(kindMask | flagExecutable | flagUnreadable | flagKinds)
		by, shared := r.Uvarint(), r.Uvarint()
		rest := r.Bytes()
		if r.Bad || by >= uint64(len(programs)) || shared > uint64(len(names)-start) {
			return Set{}, errMalformed
		}
		before := names[start:]
		start = len(names)
		names = append(append(names, before[:shared]...), rest...)
		// Front-coding could make much of little.
		if len(names)-start > longestName || len(names) > longestNames {
			return Set{}, errMalformed
		}
		ends[i] = len(names)
		o.Kind = Kind(head & kindMask)
		o.Executable, o.Unreadable = head&flagExecutable != 0, head&flagUnreadable != 0
		o.By = programs[by]
		switch o.Kind {
		case Contents:
			o.Sum = takeSum(r)
		case Stat:
			o.Size, o.Mtime = r.Varint(), r.Varint()
		case Listing:
			o.Sum = takeSum(r)
			count := r.Count(nameHash)
			o.Names = string(r.Take(nameHash * count))
			if head&flagKinds != 0 {
				o.Kinds = string(r.Take(count))
			}
		case Link, Search, Place:
			o.Target = string(r.Bytes())
		}
		if head&flagKinds != 0 && o.Kinds == "" {
			return Set{}, errMalformed
		}
	}
	if r.Bad || len(r.Rest) > 0 {
		return Set{}, errMalformed
	}
	text := string(names)
	for i, start := 0, 0; i < len(list); i++ {
		o := &list[i]
		o.Name, start = text[start:ends[i]], ends[i]
		if !o.valid() || i > 0 && compare(list[i-1], *o) >= 0 {
			return Set{}, errMalformed
		}
	}
	count := len(list)
	s, ok := join(list)
	if !ok || len(s.list) != count {
		return Set{}, errMalformed
	}
	s.parsed = sha256.Sum256(b)
	return s, nil
}

func takeSum(r *wire.Reader) (sum digest.Digest) {
	copy(sum[:], r.Take(len(sum)))
	return sum
}

// valid reports whether a Recorder could have made the observation.
func (o *Observation) valid() bool {
	if o.Kind == Connection || o.Kind == Untracked {
		return o.Name != "" && len(o.Name) < 4096 && o.Target == ""
	}
	if o.Kind >= kinds || o.Executable && o.Kind > Stat || o.Unreadable && o.Kind != Stat {
		return false
	}
	if o.Kinds != "" && len(o.Kinds)*nameHash != len(o.Names) || strings.Trim(o.Kinds, "fdlo?") != "" {
		return false
	}
	for i := nameHash; i < len(o.Names); i += nameHash {
		if o.Names[i-nameHash:i] > o.Names[i:i+nameHash] {
			return false
		}
	}
	if o.Kind == Search {
		return isBase(o.Name) && (o.Target == "" || isName(o.Target))
	}
	if o.Kind == Place {
		return (o.Name == inHome || o.Name == inTmp) && strings.HasPrefix(o.Target, "/") && isName(o.Target)
	}
	return isName(o.Name) && (o.Kind != Link || isTarget(o.Target))
}

// nameHash is how many bytes are kept of the hash of a listed name.
const nameHash = 3

// digestNames returns the digest of names, and their short hashes, sorted, with their
// kinds. The digest is the sum of the names' own, so that single names can be taken off it.
func digestNames(names []Entry) (sum digest.Digest, short, kinds string) {
	all := make([]string, len(names)) // a hash, and the kind
	for i := range names {
		h := hashName(names[i].Name)
		sum = add(sum, h)
		all[i] = string(append(h[:nameHash:nameHash], names[i].kind()))
	}
	slices.Sort(all)
	var b, k strings.Builder
	for _, s := range all {
		b.WriteString(s[:nameHash])
		k.WriteString(s[nameHash:])
	}
	return sum, b.String(), k.String()
}

func hashName(name string) digest.Digest { return sha256.Sum256([]byte(name)) }

// add is the sum of two digests as numbers of 256 bits.
func add(a, b digest.Digest) (sum digest.Digest) {
	var carry uint64
	for i := 0; i < len(sum); i += 8 {
		var word uint64
		word, carry = bits.Add64(binary.LittleEndian.Uint64(a[i:]), binary.LittleEndian.Uint64(b[i:]), carry)
		binary.LittleEndian.PutUint64(sum[i:], word)
	}
	return sum
}
