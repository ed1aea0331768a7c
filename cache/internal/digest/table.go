package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"os"
	"sync"
	"time"

	"dvlcache/cache/internal/files"
)

// A table is a file of fixed slots, each with a checksum over its contents. It
// needs no lock: a slot is read and written by one system call, and one that is
// torn, flipped or another file's is as good as empty. It may be deleted at any
// time.
//
// It lies in levels, each twice as large as the one before. A slot is in the
// bucket of its level that its name points to; the next level is used where that
// bucket is full. So the file grows where it has to, without what was there being
// moved, and what nobody wrote to takes no room on the disk.
type table struct {
	path  string
	still bool // nothing is written
	once  sync.Once
	file  *os.File
}

// A slot holds: a name, the identity (6 × 8 bytes), how far it can be believed and
// when it was written (8), the digest, and a checksum over these (8).
const (
	slotIdentity = 32
	slotMeta     = slotIdentity + 6*8
	slotDigest   = slotMeta + 8
	slotPayload  = slotDigest + 32
	slotSize     = slotPayload + 8

	bucketSlots  = 4
	bucketSize   = bucketSlots * slotSize
	firstBuckets = 8192 // of the first level: 4 MiB
	levels       = 8    // eight million slots in all
)

// slotAge is how long a slot is kept from those that want its place: files are
// edited and removed, and systems started anew.
const slotAge = 90 * 24 * time.Hour

func (t *table) open() *os.File {
	t.once.Do(func() {
		if t.path == "" {
			return
		}
		err := fs.ErrPermission
		if !t.still {
			t.file, err = files.OpenOwn(t.path, os.O_RDWR|os.O_CREATE)
		}
		if err != nil {
			t.file, _ = files.OpenOwn(t.path, os.O_RDONLY) // not waiting where it is a pipe
		}
	})
	return t.file
}

func (t *table) close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// bucketOffset is where the bucket of a name lies in a level.
func bucketOffset(name [32]byte, level int) int64 {
	// Other bits in each level, or a bucket that is full would overflow into two.
	hash := binary.LittleEndian.Uint64(name[8*(level%4):])
	before := int64(1)<<level - 1 // levels, in units of the first
	return (before*firstBuckets + int64(hash%(firstBuckets<<level))) * bucketSize
}

type slot [slotSize]byte

func (s *slot) checksum() uint64 {
	sum := sha256.Sum256(s[:slotPayload])
	return binary.LittleEndian.Uint64(sum[:])
}

func (s *slot) valid() bool {
	return *s != slot{} && s.checksum() == binary.LittleEndian.Uint64(s[slotPayload:])
}

func (s *slot) written() time.Time {
	return time.Unix(int64(binary.LittleEndian.Uint64(s[slotMeta:])>>8), 0)
}

func (s *slot) fill(name [32]byte, seen Seen, sum Digest) {
	copy(s[:], name[:])
	id := seen.Identity
	for i, v := range []uint64{id.Mount, id.Device, id.Inode, uint64(id.Size), uint64(id.Mtime), uint64(id.Ctime),
		uint64(time.Now().Unix())<<8 | uint64(seen.Belief)} {
		binary.LittleEndian.PutUint64(s[slotIdentity+8*i:], v)
	}
	copy(s[slotDigest:], sum[:])
	binary.LittleEndian.PutUint64(s[slotPayload:], s.checksum())
}

// bucket reads the slots of a level in which a name may lie; what is missing is
// zero.
func (t *table) bucket(f *os.File, name [32]byte, level int) (b [bucketSlots]slot) {
	var raw [bucketSize]byte
	f.ReadAt(raw[:], bucketOffset(name, level))
	for i := range b {
		b[i] = slot(raw[i*slotSize:])
	}
	return b
}

// find returns the digest of a name and identity.
func (t *table) find(name [32]byte, id Identity) (sum Digest, belief files.Belief, ok bool) {
	f := t.open()
	if f == nil {
		return sum, belief, false
	}
	var want slot
	want.fill(name, Seen{Identity: id}, sum)
	for level := range levels {
		full := true
		for _, s := range t.bucket(f, name, level) {
			if [slotMeta]byte(s[:]) == [slotMeta]byte(want[:]) && s.valid() {
				return Digest(s[slotDigest:slotPayload]), files.Belief(s[slotMeta]), true
			}
			full = full && s != slot{}
		}
		if !full {
			break
		}
	}
	return sum, belief, false
}

// put writes the slot of a name: into its own, else the first that is free, else,
// in the last level, any.
func (t *table) put(name [32]byte, seen Seen, sum Digest) {
	f := t.open()
	if f == nil || t.still {
		return
	}
	var mine slot
	mine.fill(name, seen, sum)
	victim := bucketOffset(name, levels-1) + int64(uint64(seen.Mtime)%bucketSlots)*slotSize
	found := false
	old := time.Now().Add(-slotAge)
search:
	for level := range levels {
		end := false
		for i, s := range t.bucket(f, name, level) {
			at := bucketOffset(name, level) + int64(i)*slotSize
			if [32]byte(s[:]) == name {
				victim = at
				break search
			}
			if !found && (!s.valid() || s.written().Before(old)) {
				victim, found = at, true
			}
			end = end || s == slot{}
		}
		if end {
			break
		}
	}
	// A memory that can't be written is only slower.
	f.WriteAt(mine[:], victim)
}
