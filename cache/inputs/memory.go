package inputs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/share"
)

// memory is what the last full check of a set saw: the identity of each file and listed
// folder under which its observation held. So the next check is a stat and a compare
// for each name. What may change under the same identity is not remembered.
//
// It is a file, written whole under another name and renamed:
//
//	version byte | checksum | an identity for each observation that needs one
//
// The checksum is the first half of a SHA-256 over the rest and over all that it holds
// for: the set, the rules, the places, the user, the time until the system is started
// anew. One that is torn, lost or another's is as good as none.
type memory struct {
	path    string
	subject [32]byte
	slots   []int32 // by observation: the index of its identity, or -1
	ids     []byte
	changed atomic.Bool
}

const (
	memoryVersion  = 1
	memoryChecksum = 16
	memoryHeader   = 1 + memoryChecksum
)

// recall returns what is remembered of a set.
func (c *Checker) recall(s Set) *memory {
	m := &memory{slots: make([]int32, len(s.list))}
	count := 0
	for i := range s.list {
		m.slots[i] = -1
		if k := s.list[i].Kind; k == Contents || k == Listing {
			m.slots[i] = int32(count)
			count++
		}
	}
	set := s.Sum()
	m.subject = sha256.Sum256(append(set[:], c.subject()...))
	m.path = filepath.Join(c.o.Memory, hex.EncodeToString(m.subject[:16]))
	size := memoryHeader + count*idSize
	file, err := os.ReadFile(m.path)
	if err == nil && len(file) == size && file[0] == memoryVersion && m.checksum(file[memoryHeader:]) == [memoryChecksum]byte(file[1:]) {
		m.ids = file[memoryHeader:]
	} else {
		m.ids = make([]byte, count*idSize)
	}
	return m
}

func (m *memory) checksum(ids []byte) [memoryChecksum]byte {
	h := sha256.New()
	h.Write(m.subject[:])
	h.Write(ids)
	return [memoryChecksum]byte(h.Sum(nil))
}

// id returns the remembered identity of an observation; all zeros if there is none.
func (m *memory) id(i int) []byte {
	at := int(m.slots[i]) * idSize
	return m.ids[at : at+idSize]
}

// has reports whether an observation held under this identity.
func (m *memory) has(i int, id *digest.Identity) bool {
	if m == nil {
		return false
	}
	b := encodeID(id)
	return string(b[:]) == string(m.id(i))
}

// set remembers that an observation holds under this identity. Each goroutine sets
// others.
func (m *memory) set(i int, id *digest.Identity) {
	b := encodeID(id)
	copy(m.id(i), b[:])
	m.changed.Store(true)
}

const idSize = 6 * 8

func encodeID(id *digest.Identity) (b [idSize]byte) {
	for i, v := range [...]uint64{id.Mount, id.Device, id.Inode, uint64(id.Size), uint64(id.Mtime), uint64(id.Ctime)} {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	return b
}

// keep writes what is new. A memory that can't be written is only slower.
func (m *memory) keep() {
	if !m.changed.Load() {
		return
	}
	folder := filepath.Dir(m.path)
	if err := share.MakeAll(folder); err != nil {
		return
	}
	f, err := os.CreateTemp(folder, "new-*")
	if err != nil {
		return
	}
	share.Widen(f)
	sum := m.checksum(m.ids)
	_, err = f.Write(slices.Concat([]byte{memoryVersion}, sum[:], m.ids))
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	forgetOld(folder)
}

// Of the sets of a folder so many are remembered.
const mostRemembered = 256

// forgetOld removes the older half of what is remembered, where it is too much, and
// what writers left that were killed.
func forgetOld(folder string) {
	f, err := os.Open(folder)
	if err != nil {
		return
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil || len(names) <= mostRemembered {
		return
	}
	times := map[string]time.Time{}
	for _, n := range names {
		if info, err := os.Lstat(filepath.Join(folder, n)); err == nil {
			times[n] = info.ModTime()
		}
	}
	slices.SortFunc(names, func(a, b string) int { return times[a].Compare(times[b]) })
	for _, n := range names[:len(names)-mostRemembered/2] {
		os.Remove(filepath.Join(folder, n))
	}
}
