package inputs

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"sync"

	"dvlcache/cache/internal/files"
)

// A table is a file of fixed slots, each with a checksum over its contents. It needs
// no lock: a slot is read and written by one system call, and one that is torn,
// flipped or another name's is as good as empty. It may be deleted at any time.
//
// It lies in levels, each twice as large as the one before. A name is in the bucket of
// its level that its hash points to; the next level is used where that bucket is full.
// So the file grows where it has to, and what nobody wrote to takes no room.
type table struct {
	path string
	once sync.Once
	file *os.File
}

// A slot holds: the hash of a name, the length of a text, the text, and a checksum
// over these.
const (
	slotText    = 32 + 1
	longestText = 119
	slotPayload = slotText + longestText
	slotSize    = slotPayload + 8

	bucketSlots  = 4
	bucketSize   = bucketSlots * slotSize
	firstBuckets = 8192 // of the first level
	levels       = 8
)

type slot [slotSize]byte

func (s *slot) checksum() uint64 {
	sum := sha256.Sum256(s[:slotPayload])
	return binary.LittleEndian.Uint64(sum[:])
}

// valid reports whether the slot is filled. An empty one has no checksum.
func (s *slot) valid() bool {
	return s[slotText-1] <= longestText && s.checksum() == binary.LittleEndian.Uint64(s[slotPayload:])
}

func (t *table) open() *os.File {
	t.once.Do(func() {
		if t.path != "" {
			// A table that can't be had is one that is empty.
			t.file, _ = files.OpenOwn(t.path, os.O_RDWR|os.O_CREATE)
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

// bucket reads the slots of a level in which a name may lie, and says where in the file
// they are. What is missing is zero.
func (t *table) bucket(f *os.File, name [32]byte, level int) (b [bucketSlots]slot, at int64) {
	// Other bits in each level, or a bucket that is full would overflow into two.
	hash := binary.LittleEndian.Uint64(name[8*(level%4):])
	before := int64(1)<<level - 1 // levels, in units of the first
	at = (before*firstBuckets + int64(hash%(firstBuckets<<level))) * bucketSize
	var raw [bucketSize]byte
	f.ReadAt(raw[:], at)
	for i := range b {
		b[i] = slot(raw[i*slotSize:])
	}
	return b, at
}

func (t *table) get(name string) (text string, ok bool) {
	f := t.open()
	if f == nil {
		return "", false
	}
	hash := sha256.Sum256([]byte(name))
	for level := range levels {
		b, _ := t.bucket(f, hash, level)
		full := true
		for i := range b {
			if s := &b[i]; [32]byte(s[:]) == hash && s.valid() {
				return string(s[slotText : slotText+int(s[slotText-1])]), true
			}
			full = full && b[i] != slot{}
		}
		if !full {
			break
		}
	}
	return "", false
}

// put remembers a text of a name, as much of it as there is room for: in the name's own
// slot, else the first that is free, else, in the last level, any.
func (t *table) put(name, text string) {
	f := t.open()
	if f == nil {
		return
	}
	hash := sha256.Sum256([]byte(name))
	var mine slot
	copy(mine[:], hash[:])
	mine[slotText-1] = byte(copy(mine[slotText:slotPayload], text))
	binary.LittleEndian.PutUint64(mine[slotPayload:], mine.checksum())
	victim := int64(-1)
search:
	for level := range levels {
		b, at := t.bucket(f, hash, level)
		full := true
		for i := range b {
			mine := at + int64(i)*slotSize
			if [32]byte(b[i][:]) == hash {
				victim = mine
				break search
			}
			if victim < 0 && !b[i].valid() {
				victim = mine
			}
			full = full && b[i] != slot{}
		}
		if !full {
			break
		}
		if level == levels-1 && victim < 0 {
			victim = at + int64(hash[8]%bucketSlots)*slotSize
		}
	}
	// A table that can't be written only forgets.
	f.WriteAt(mine[:], victim)
}
