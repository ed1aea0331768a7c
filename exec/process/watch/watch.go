package watch

import (
	"fmt"
	"io/fs"
	"time"
)

// Unavailable says why a command can't be watched here. It has not been
// started, and may be run unwatched.
type Unavailable struct {
	Reason string
	Err    error // nil, or what the system said
}

func (e *Unavailable) Error() string {
	if e.Err == nil {
		return "reads can't be watched: " + e.Reason
	}
	return fmt.Sprintf("reads can't be watched: %s: %v", e.Reason, e.Err)
}

// Unwrap returns what the system said.
func (e *Unavailable) Unwrap() error { return e.Err }

// Use says in which ways a name was used. Several may be true of one.
type Use uint8

const (
	// Opened files were opened for reading, or executed: their contents count.
	Opened Use = 1 << iota
	// Executed files were run, by a program or, as an interpreter or a
	// loader, by the kernel.
	Executed
	// Looked is for names that were only asked about: is it there, how long
	// is it, may it be read.
	Looked
	// Listed folders had their names read; File.Entries has them.
	Listed
	// Followed links were read, or stood on the way to something; File.Target
	// says where they led.
	Followed
	// Written names were made, written to, renamed, removed, or given other
	// attributes. Alone it is no use that makes an input.
	Written
)

// Fate says what became of a name while the command ran.
type Fate uint8

const (
	// Input is what was used and not changed by the command, an absent name too.
	// Whether somebody else has changed it meanwhile, File.Same tells: whoever
	// reads it now has to ask.
	Input Fate = iota
	// Output was made by the command, or replaced before it was read.
	Output
	// State was both used and changed by the command.
	State
)

func (f Fate) String() string {
	return [...]string{"input", "output", "state"}[f]
}

// Stamp tells one state of a file from another. The zero Stamp is that of a
// name where there is nothing.
type Stamp struct {
	Device uint64
	Inode  uint64
	Size   int64
	Mtime  time.Time
	// Ctime is zero if the command itself gave the file another, as by a hard
	// link to it: another command that does so may run beside it.
	Ctime time.Time
	// Mode is st_mode: type and permissions.
	Mode uint32
	// FileSystem is the ID that statfs(2) gives, and FileSystemType the kind.
	FileSystem     uint64
	FileSystemType int64
}

// Absent reports whether there was nothing.
func (s Stamp) Absent() bool { return s.Mode == 0 }

// Same reports whether two stamps are of one state of one file.
func (s Stamp) Same(t Stamp) bool {
	return s.Device == t.Device && s.Inode == t.Inode && s.Size == t.Size && s.Mode == t.Mode &&
		s.Mtime.Equal(t.Mtime) && (s.Ctime.Equal(t.Ctime) || s.Ctime.IsZero())
}

// File is a name that the command, or something it started, used.
type File struct {
	// Name is absolute and as it was asked for, behind the folder it was asked
	// from: never cleaned, since lnk/../d isn't d.
	Name string
	Use  Use
	// By is the program that used it first, as a person would call it:
	// train.py, for python3 train.py.
	By string
	// Stamp was taken before the program got its answer; links were followed.
	// It is set for what was Opened, Looked at or Listed.
	Stamp Stamp
	// Target is where a link led, if it was Followed.
	Target string
	// Entries are what was in a Listed folder before it was read for the
	// first time, sorted, without those that the command made.
	Entries []Entry
	Fate    Fate
}

// Entry is a name in a folder.
type Entry struct {
	Name string
	// Type has the type bits of what it is of; fs.ModeIrregular if that isn't known.
	Type fs.FileMode
}

// Search is a program that was looked for along PATH.
type Search struct {
	Name string
	// Found is where it was; empty if it was nowhere.
	Found string
	By    string
}

// Connection is a socket that was connected.
type Connection struct {
	Address string // 192.0.2.1:80, [::1]:80, or the path of a local socket
	By      string
}

// Trace is what a command, and all it started, was seen to use.
type Trace struct {
	// Files are sorted by name. Left out are the file systems of the kernel,
	// and what is neither a regular file nor a folder nor a link.
	Files       []File
	Searches    []Search
	Connections []Connection
	// StdinReader is the program that read the command's stdin, or empty.
	StdinReader string
	// Unseen says why not everything could be seen; then it must not be
	// believed that there were no other inputs. Nil if all was seen.
	Unseen []string
	// Unwatchable says why the command was ended: something in it can't do
	// under watch what it does without. It has to be run again, unwatched.
	Unwatchable string
	// Outlived is set if something that the command started runs on. It is
	// answered for as long as it runs, and no longer seen.
	Outlived bool
	// Calls is how many calls were seen.
	Calls int
}

// Options are for Start.
type Options struct {
	// Late is how long a call may wait for us to look at a name, on a file
	// system that doesn't answer; 0 is 100 ms.
	Late time.Duration
}

// Descriptor is one that commands inherit.
type Descriptor struct {
	Number int
	// Name is what it is open on: a file's name, or pipe:[123].
	Name string
	// Regular files can be read again, from Offset on; what comes out of
	// anything else comes once.
	Regular bool
	Offset  int64
	// Once says that it is a pipe that can be read from, or a socket.
	Once bool
}
