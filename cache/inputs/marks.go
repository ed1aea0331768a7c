package inputs

import (
	"context"
	"sync"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/key"
)

// Marks is what one machine remembers of watched evaluations: how they left their
// state, which names they made, which programs can't be watched. Losing it costs
// misses, never a wrong number. A nil Marks remembers nothing. It may be used by many
// goroutines.
type Marks struct {
	table         *table
	program, task string // see For
	// names that are known to be made: none is unmade again.
	names *sync.Map
}

// NewMarks returns what is remembered in the file at path, which is opened at its
// first use.
func NewMarks(path string) *Marks { return &Marks{table: &table{path: path}, names: &sync.Map{}} }

// For returns the marks as evaluations of one program have them that do one task. What
// others made is an input in its listings: a pipeline's second stage lists what the first
// has made. A state is the program's, whatever it is told to do.
func (m *Marks) For(program, task string) *Marks {
	if m == nil {
		return nil
	}
	return &Marks{m.table, program, task, m.names}
}

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
	markUnavailable = "unavailable"
	markCommon      = "common"
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

// KeepState remembers a state as a watched evaluation of the program has left it. Call it
// for each state when the evaluation has ended, after KeepMade for what it has made.
func (m *Marks) KeepState(ctx context.Context, name string) {
	text, ok := m.describe(ctx, key.NewDigests(""), name)
	if !ok {
		text = "" // no state is described so
	}
	m.put(markState, m.stateName(name), text)
}

// RenewState is KeepState for what may be the state of another evaluation of the program.
func (m *Marks) RenewState(ctx context.Context, name string) {
	if _, known := m.get(markState, m.stateName(name)); known {
		m.KeepState(ctx, name)
	}
}

func (m *Marks) stateName(name string) string {
	if m == nil {
		return name
	}
	return m.program + "\x00" + name
}

// holds reports whether a state is as the last watched evaluation of the program has
// left it.
func (m *Marks) holds(ctx context.Context, digests *key.Digests, name string) bool {
	kept, known := m.get(markState, m.stateName(name))
	now, ok := m.describe(ctx, digests, name)
	return known && ok && kept == now
}

// largestState is the size up to which a state is read. A larger one never holds.
const largestState = 1 << 30

// describe tells what a state holds. Its stamp wouldn't do: it has just been written. A
// folder, as one that the program removes and makes anew, holds the names that the
// program didn't make.
func (m *Marks) describe(ctx context.Context, digests *key.Digests, name string) (text string, ok bool) {
	id, mode, err := digests.Stat(name)
	switch {
	case err != nil:
		return "absent", nothingThere(err)
	case mode.IsDir():
		names, err := entriesOf(name)
		out := &leftOut{marks: m}
		sum, _, _ := digestNames(out.unmade(name, out.listed(name, names)))
		return "folder " + string(sum[:]), err == nil
	case id.Size > largestState:
		return "", false
	}
	sum, _, err := digests.Digest(ctx, name)
	return string(sum[:]), err == nil
}

// KeepMade remembers that an evaluation made a name, so that listings of the same
// program and task leave it out from then on.
func (m *Marks) KeepMade(name string) {
	if m != nil {
		folder, base := split(name)
		h := hashName(base)
		m.put(markMade, m.madeName((&leftOut{}).resolve(folder), string(h[:nameHash])), string(h[:]))
	}
}

// made returns the hash of a name that an evaluation of the program made, of which the
// short hash is known, in a folder whose links are resolved.
func (m *Marks) made(folder, short string) (hash digest.Digest, ok bool) {
	if m == nil {
		return hash, false
	}
	name := m.madeName(folder, short)
	if known, ok := m.names.Load(name); ok {
		return known.(digest.Digest), true
	}
	text, ok := m.get(markMade, name)
	if ok = ok && copy(hash[:], text) == len(hash); ok {
		m.names.Store(name, hash)
	}
	return hash, ok
}

func (m *Marks) madeName(folder, short string) string {
	return m.program + "\x00" + m.task + "\x00" + folder + "\x00" + short
}

// KeepUnwatchable remembers why a program can't be watched. program tells it from others
// that the same interpreter runs.
func (m *Marks) KeepUnwatchable(program, why string) { m.put(markUnwatchable, program, why) }

// Unwatchable returns why a program can't be watched, if that is remembered.
func (m *Marks) Unwatchable(program string) (why string, ok bool) {
	return m.get(markUnwatchable, program)
}

// KeepUnavailable remembers why a program couldn't be watched where we are, or, if why is
// empty, that it could. It is tried again for each evaluation.
func (m *Marks) KeepUnavailable(program, why string) {
	if why != "" || m.Unavailable(program) {
		m.put(markUnavailable, program, why)
	}
}

// Unavailable reports whether a program couldn't be watched when it ran last.
func (m *Marks) Unavailable(program string) bool {
	why, _ := m.get(markUnavailable, program)
	return why != ""
}

// KeepCommon remembers under which key a set lies that entries of some kind have in
// common.
func (m *Marks) KeepCommon(kind string, key key.Key) { m.put(markCommon, kind, string(key[:])) }

// Common returns the key under which such a set lies, if that is remembered.
func (m *Marks) Common(kind string) (key key.Key, ok bool) {
	text, ok := m.get(markCommon, kind)
	return key, ok && copy(key[:], text) == len(key)
}
