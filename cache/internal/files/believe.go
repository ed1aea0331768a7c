package files

// Belief says how far the stat of a file can be believed to move with its
// contents. That hangs on the file system.
type Belief byte

const (
	// BelieveNothing: contents may be others under the same stat. A shared
	// mapping moves no time on tmpfs; the kernel makes up /proc and /sys anew
	// at each reading; FUSE answers what it was told to; what is made as an
	// image (squashfs, an overlay of some) has the times that were put in it.
	BelieveNothing Belief = iota
	// BelieveOpened: as BelieveStat, but only once the file was opened. A
	// client of a network file system answers a stat from its memory until
	// then.
	BelieveOpened
	// BelieveStat: each change of the contents moves the change time, also one
	// through a shared mapping, once Settle has made its pages clean.
	BelieveStat
)
