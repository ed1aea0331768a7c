package inputs

import (
	"fmt"
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

// show returns a name as a person in the working directory would call it.
func (p *Places) show(name string) string {
	if dir := strings.TrimRight(p.Dir, "/"); dir != "" {
		if rest, ok := below(name, dir); ok && len(rest) > 1 {
			return shown(rest[1:])
		}
	}
	return shown(name)
}

// shown returns a text that steers no terminal.
func shown(text string) string {
	if quoted := strconv.Quote(text); quoted[1:len(quoted)-1] != text {
		return quoted
	}
	return text
}

// at says when a file was changed.
func at(mtime int64) string { return time.Unix(0, mtime).Format(" (2006-01-02 15:04)") }

// gained says which names a folder has now that it didn't have when its listing was
// recorded, and how to leave them out.
func gained(o *Observation, names []string) string {
	had := map[string]bool{}
	for i := 0; i < len(o.Names); i += nameHash {
		had[o.Names[i:i+nameHash]] = true
	}
	var first string
	count := 0
	for _, n := range names {
		if !had[shortHash(n)] {
			if count == 0 {
				first = n
			}
			count++
		}
	}
	if count == 0 {
		return "lost a name"
	}
	change := "gained " + shown(first)
	if count > 1 {
		change += fmt.Sprintf(" and %d more", count-1)
	}
	if strings.ContainsAny(first, `*?[]{}\'`) || shown(first) != first {
		return change + " (--untracked leaves it out)"
	}
	return change + " (--untracked '" + first + "' leaves it out)"
}
