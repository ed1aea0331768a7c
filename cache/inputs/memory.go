package inputs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// memory is what the last full check of a set saw: the state of each file and listed
// folder, as stat tells it, under which its observation held. So the next check is a
// stat and a compare for each name. What can change without that its state does is not
// remembered.
//
// It is a file, written whole under another name and renamed:
//
//	version byte | checksum | a state for each observation that needs one
//
// The checksum is the first half of a SHA-256 over the rest and over all that it holds
// for: the set, the rules, the places, the user. One that is torn, lost or another's is
// as good as none.
type memory struct {
	path    string
	subject [32]byte
	slots   []int32 // by observation: the index of its state, or -1
	states  []byte
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
	set, rules := s.id(), c.o.Rules.sum()
	p := &c.o.Places
	m.subject = sha256.Sum256(fmt.Appendf(nil, "%x %x %d %q %q %q", set, rules, os.Getuid(), p.Home, p.Tmp, p.variables()))
	m.path = filepath.Join(c.o.Memory, hex.EncodeToString(m.subject[:16]))
	size := memoryHeader + count*stateSize
	file, err := os.ReadFile(m.path)
	if err == nil && len(file) == size && file[0] == memoryVersion && m.checksum(file[memoryHeader:]) == [memoryChecksum]byte(file[1:]) {
		m.states = file[memoryHeader:]
	} else {
		m.states = make([]byte, count*stateSize)
	}
	return m
}

func (m *memory) checksum(states []byte) [memoryChecksum]byte {
	h := sha256.New()
	h.Write(m.subject[:])
	h.Write(states)
	return [memoryChecksum]byte(h.Sum(nil))
}

// state returns the remembered state of an observation; all zeros if there is none.
func (m *memory) state(i int) []byte {
	at := int(m.slots[i]) * stateSize
	return m.states[at : at+stateSize]
}

// has reports whether an observation held in this state.
func (m *memory) has(i int, st *state) bool {
	if m == nil {
		return false
	}
	var buf [stateSize]byte
	return string(st.append(buf[:0])) == string(m.state(i))
}

// set remembers that an observation holds in this state. Each goroutine sets others.
func (m *memory) set(i int, st *state) {
	if m != nil {
		var buf [stateSize]byte
		copy(m.state(i), st.append(buf[:0]))
		m.changed.Store(true)
	}
}

// keep writes what is new. A memory that can't be written is only slower.
func (m *memory) keep() {
	if !m.changed.Load() {
		return
	}
	folder := filepath.Dir(m.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return
	}
	f, err := os.CreateTemp(folder, "new-*")
	if err != nil {
		return
	}
	sum := m.checksum(m.states)
	_, err = f.Write(slices.Concat([]byte{memoryVersion}, sum[:], m.states))
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
	names, err := namesIn(folder)
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
