package folder

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Pattern is an --untracked, a glob. One without a "/" is for names in any folder, one
// that begins with "/" for whole paths, any other for the ends of paths; one that ends
// with "/" is for folders. "**" stands for any number of folders. What lies below a
// folder that is left out is so too.
type Pattern struct {
	Folder bool // it is for folders alone
	ByName bool // it has no "/" in it: it is for names, not for paths

	text string
	glob string
}

// NewPattern reads a pattern.
func NewPattern(text string) Pattern {
	p := Pattern{text: text, Folder: strings.HasSuffix(text, "/")}
	p.glob = strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
	switch {
	case !strings.Contains(p.glob, "/"):
		p.ByName = true
	case !strings.HasPrefix(p.glob, "/"):
		p.glob = "/**/" + p.glob
	}
	return p
}

// Matches reports whether the pattern is for an absolute path or, ByName, a name.
func (p *Pattern) Matches(text string) bool {
	ok, err := doublestar.Match(p.glob, text)
	return ok && err == nil
}
