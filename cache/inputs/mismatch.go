package inputs

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mismatch is an observation that doesn't hold any more.
type Mismatch struct {
	Observation
	// Path is where the name lies now, as a person in the working directory
	// would call it.
	Path string
	// Change says what is different: changed since (2026-11-20 14:03).
	Change string
}

// String says it in a sentence: helpers.py, which train.py read, changed since (…).
func (m *Mismatch) String() string {
	if base := m.Name[strings.LastIndexByte(m.Name, '/')+1:]; m.By == "" || m.By == base {
		return m.Path + " " + m.Change
	}
	used := "read"
	switch m.Kind {
	case Stat, Folder:
		used = "looked at"
	case Listing:
		used = "listed"
	case Link:
		used = "followed"
	case Absent, Search:
		used = "looked for"
	case State:
		used = "reads and changes"
	}
	return fmt.Sprintf("%s, which %s %s, %s", m.Path, shown(m.By), used, m.Change)
}

// Show returns what an observation is of, as a person in the working directory would
// call it.
func (p *Places) Show(o Observation) string {
	if path, ok := p.Path(o); ok {
		return p.show(path)
	}
	return shown(o.Name)
}

// Path returns where an observation's name lies now; false if it is of no name of a
// file, or of one below a folder that isn't known.
func (p *Places) Path(o Observation) (string, bool) {
	if o.Kind == Search || o.Kind == Connection || o.Kind == Place || o.Kind == Untracked {
		return "", false
	}
	return p.find(o.Name)
}

// Relative returns a name without the working directory before it.
func (p *Places) Relative(name string) string {
	if dir := strings.TrimRight(p.Dir, "/"); dir != "" {
		if rest, ok := below(name, dir); ok && len(rest) > 1 {
			return rest[1:]
		}
	}
	return name
}

// Own reports whether an observation is of the experiment's own, and not of the system
// or of installed code.
func (p *Places) Own(o Observation) bool {
	return o.Kind == Connection || o.Kind == State || o.Kind == Untracked || p.owned(o.Name)
}

// show returns a name as a person in the working directory would call it.
func (p *Places) show(name string) string { return shown(p.Relative(name)) }

// shown returns a text that steers no terminal.
func shown(text string) string {
	if quoted := strconv.Quote(text); quoted[1:len(quoted)-1] != text {
		return quoted
	}
	return text
}

// at says when a file was changed.
func at(mtime int64) string { return time.Unix(0, mtime).Format(" (2006-01-02 15:04)") }

// code are the ends of names that may stand before what a program would load otherwise: to
// leave such a file out would give wrong numbers.
var code = []string{".py", ".pyc", ".pth", ".so", ".R", ".jl", ".pl", ".pm", ".rb", ".js", ".mjs", ".lua", ".m"}

// gained says that a folder has new names, and how to leave the first out.
func gained(names []string) string {
	first := names[0]
	change := "gained " + shown(first)
	if more := len(names) - 1; more > 0 {
		change += fmt.Sprintf(" and %d more", more)
	}
	if slices.Contains(code, path.Ext(first)) {
		return change
	}
	if strings.ContainsAny(first, `*?[]{}\'`) || shown(first) != first {
		return change + " (--untracked leaves it out)"
	}
	return change + " (--untracked '" + first + "' leaves it out)"
}
