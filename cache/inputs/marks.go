package inputs

import (
	"context"
	"strings"
	"time"

	"dvlcache/cache/key"
)

// Marks is what one machine remembers of watched evaluations: how they left their
// state, which names they made, which programs can't be watched. Losing it costs
// misses, never a wrong number. A nil Marks remembers nothing. It may be used by many
// goroutines.
type Marks struct{ table table }

// NewMarks returns what is remembered in the file at path, which is opened at its
// first use.
func NewMarks(path string) *Marks { return &Marks{table{path: path}} }

// Close closes the file.
func (m *Marks) Close() error {
	if m == nil {
		return nil
	}
	return m.table.close()
}

// What is marked.
const (
	markState       = "state"
	markMade        = "made"
	markUnwatchable = "unwatchable"
)

func (m *Marks) put(what, name, text string) {
	if m != nil {
		m.table.put(what+"\x00"+name, text)
	}
}

func (m *Marks) get(what, name string) (text string, ok bool) {
	if m == nil {
		return "", false
	}
	return m.table.get(what + "\x00" + name)
}

// KeepState remembers a state as a watched evaluation has left it. Call it for each
// state when the evaluation has ended.
func (m *Marks) KeepState(ctx context.Context, name string) {
	begun := time.Now()
	text, st, ok := describe(name)
	if ok && text != stateAbsent && !st.settled(begun) {
		// Its timestamps can't be trusted yet, its contents can.
		var sum key.Digest
		if sum, ok = digestState(ctx, name, st); ok {
			text += string(sum[:])
		}
	}
	if !ok {
		text = "" // it never holds
	}
	m.put(markState, name, text)
}

// RenewState is KeepState for what may be the state of another evaluation.
func (m *Marks) RenewState(ctx context.Context, name string) {
	if _, known := m.get(markState, name); known {
		m.KeepState(ctx, name)
	}
}

// holds reports whether a state is as the last watched evaluation has left it.
func (m *Marks) holds(ctx context.Context, name string) bool {
	kept, known := m.get(markState, name)
	now, st, ok := describe(name)
	if !known || !ok || kept == "" {
		return false
	}
	contents, same := strings.CutPrefix(kept, now)
	if !same || contents == "" {
		return same
	}
	sum, ok := digestState(ctx, name, st)
	return ok && string(sum[:]) == contents
}

// stateAbsent describes a state that was removed.
const stateAbsent = "absent"

// describe tells what lies at a name from what else did, as far as stat does.
func describe(name string) (text string, st state, ok bool) {
	st, err := stat(name)
	if err != nil {
		return stateAbsent, st, nothingThere(err)
	}
	return string(st.append([]byte{'s'})), st, true
}

// largestState is the size up to which a state is read. A larger one is not
// remembered as long as its timestamps can't be trusted.
const largestState = 64 << 20

func digestState(ctx context.Context, name string, st state) (sum key.Digest, ok bool) {
	if st.Mode.IsDir() || st.Size > largestState {
		return sum, st.Mode.IsDir()
	}
	// No memory of digests: it would trust the timestamps.
	sum, id, err := key.NewDigests("").Digest(ctx, name)
	return sum, err == nil && id.Size == st.Size
}

// KeepMade remembers that a watched evaluation made a name, so that listings leave it
// out from then on.
func (m *Marks) KeepMade(name string) {
	folder, base := split(name)
	m.put(markMade, (&leftOut{}).resolve(folder)+"/"+base, "")
}

// made reports whether a watched evaluation made a name, of which the folder's links
// are resolved.
func (m *Marks) made(name string) bool {
	_, ok := m.get(markMade, name)
	return ok
}

// KeepUnwatchable remembers why a program can't be watched. program tells it from its
// next version.
func (m *Marks) KeepUnwatchable(program, why string) { m.put(markUnwatchable, program, why) }

// Unwatchable returns why a program can't be watched, if that is remembered.
func (m *Marks) Unwatchable(program string) (why string, ok bool) {
	return m.get(markUnwatchable, program)
}
