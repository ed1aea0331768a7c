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
// flipped or another name's is as good as empty. It may be deleted at any time. A name
// may lie in any slot of the bucket that its hash points to; where that is full one of
// them is forgotten.
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

	bucketSlots = 4
	buckets     = 8192
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
			t.file, _ = files.OpenRegular(t.path, os.O_RDWR|os.O_CREATE, 0o600)
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

// bucket reads the slots in which a name may lie, and says where in the file they
// are. What is missing is zero.
func (t *table) bucket(f *os.File, name [32]byte) (b [bucketSlots]slot, at int64) {
	var raw [bucketSlots * slotSize]byte
	at = int64(binary.LittleEndian.Uint64(name[:])%buckets) * int64(len(raw))
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
	b, _ := t.bucket(f, hash)
	for _, s := range b {
		if [32]byte(s[:]) == hash && s.valid() {
			return string(s[slotText : slotText+int(s[slotText-1])]), true
		}
	}
	return "", false
}

// put remembers a text of a name, as much of it as there is room for.
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
	b, at := t.bucket(f, hash)
	// The name's own slot, else a free one, else any.
	victim := int(hash[8] % bucketSlots)
	for i := range b {
		if !b[i].valid() {
			victim = i
		}
	}
	for i := range b {
		if [32]byte(b[i][:]) == hash {
			victim = i
		}
	}
	// A table that can't be written only forgets.
	f.WriteAt(mine[:], at+int64(victim)*slotSize)
}
