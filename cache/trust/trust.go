// Package trust says whether what a file holds is to be obeyed: not where somebody else
// than the user and root could have written it, as in a folder like /tmp.
package trust

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Places are folders of which all is trusted that lies in or below them, whoever may
// write to it; "*" is everywhere.
type Places []string

// Doubt is why a file or folder isn't trusted.
type Doubt struct {
	Path   string // on which it hangs: the file's, a folder's on the way, or a link's
	Reason string
}

func (d *Doubt) Error() string { return fmt.Sprintf("%s %s", d.Path, d.Reason) }

// hold reports whether a file or folder lies in one of the places.
func (p Places) hold(path string) bool {
	if len(p) == 0 {
		return false
	}
	names := []string{path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		names = append(names, real)
	}
	for _, place := range p {
		if place == "*" {
			return true
		}
		folders := []string{filepath.Clean(place)}
		if real, err := filepath.EvalSymlinks(place); err == nil {
			folders = append(folders, real)
		}
		for _, folder := range folders {
			for _, name := range names {
				if name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, string(filepath.Separator))+string(filepath.Separator)) {
					return true
				}
			}
		}
	}
	return false
}
