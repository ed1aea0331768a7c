// Package inputs says what a watched evaluation was seen to use, and whether that
// still holds.
//
// A Recorder makes a Set of what was seen; a Checker looks whether a Set holds now,
// and names the first Mismatch if it doesn't. Between the two a Set is stored in its
// encoding. What a set says is true of one machine and user or of several: names
// below folders that differ between them are kept relative to these (Places).
package inputs

import (
	"cmp"
	"io/fs"
	"strings"

	"dvlcache/cache/internal/digest"
)

// Kind says what was observed of a name.
type Kind byte

const (
	// Contents are a file's that was opened or executed, or looked at and small.
	Contents Kind = iota
	// Stat is size and modification time of a file that was only looked at, or
	// can't be read.
	Stat
	// Folder is a folder that was looked at: it is there, and a folder.
	Folder
	// Listing is the names in a folder that was listed.
	Listing
	// Link is where a link leads.
	Link
	// Absent is a name that was looked for where nothing has it.
	Absent
	// Search is a program that was looked for along PATH: its name is no path.
	Search
	// State is read and changed by the program itself: its name is all that
	// counts.
	State
	// Connection is an address that was connected to: what came from there can't be
	// looked at again. It is told of, and holds always.
	Connection
	// Place is where one of the Places was, for names that may have been found by it.
	Place
	// Untracked is a pattern that left out what the program used: its name is the
	// pattern. It holds where that pattern is given.
	Untracked

	kinds
)

// is returns what a name is by an observation of this kind: Contents for any file,
// Folder for any folder.
func (k Kind) is() Kind {
	switch k {
	case Stat:
		return Contents
	case Listing:
		return Folder
	}
	return k
}

// Observation is one thing that was seen of one name. Two are the same if they are
// equal.
type Observation struct {
	// Name is absolute and as it was asked for, never cleaned: lnk/../d isn't d.
	// Below one of the Places it begins with the place's variable: $HOME/data.csv.
	// Of a Search it is the base name.
	Name string
	Kind Kind
	// By is the program that used it first: train.py.
	By string
	// Sum is the digest of Contents, or of the names of a Listing.
	Sum digest.Digest
	// Names has nameHash bytes of a hash for each name of a Listing, sorted: so
	// that a new name can be told without all of them being kept.
	Names string
	// Kinds says of what each of Names is, by a byte; empty where that isn't known.
	Kinds string
	// Size and Mtime, in nanoseconds since 1970, are of Stat.
	Size, Mtime int64
	// Executable says of Contents and Stat that somebody may execute the file.
	Executable bool
	// Unreadable says of Stat that the file couldn't be read.
	Unreadable bool
	// Target is where a Link leads, where a Place was, or where a Search ended: empty
	// if nowhere.
	Target string
}

// compare orders observations: by name, and by kind where names are equal.
func compare(a, b Observation) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return cmp.Compare(a.Kind, b.Kind)
}

// Stamp is what a file or a folder was seen to be.
type Stamp struct {
	Device, Inode uint64
	Size          int64
	Mtime, Ctime  int64 // nanoseconds since 1970; Ctime is 0 if it doesn't matter
	// Mode tells folders from files, and has permissions.
	Mode fs.FileMode
}

// is reports whether an identity is that of the stamp.
func (s *Stamp) is(id *digest.Identity) bool {
	return s.Device == id.Device && s.Inode == id.Inode && s.Size == id.Size &&
		s.Mtime == id.Mtime && (s.Ctime == id.Ctime || s.Ctime == 0)
}

// executable reports whether somebody may execute a file: who, hangs on umasks.
func executable(mode fs.FileMode) bool { return mode&0o111 != 0 }

// smallFile is the size up to which a file that was only looked at counts by its
// contents.
const smallFile = 64 << 10
