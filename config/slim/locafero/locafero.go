// Package locafero is what viper needs of github.com/sagikazarmark/locafero to
// be built. See ../README.md.
package locafero

import (
	"errors"

	"github.com/spf13/afero"
)

// FileType says what to look for.
type FileType int

// FileTypeFile looks for files.
const FileTypeFile FileType = 1

// Finder would look for files.
type Finder struct {
	Paths, Names []string
	Type         FileType
}

// Find refuses.
func (Finder) Find(afero.Fs) ([]string, error) {
	return nil, errors.New("looking for files by viper is left out of dvlcache")
}

// NameWithExtensions returns no names.
func NameWithExtensions(string, ...string) []string { return nil }

// NameWithOptionalExtensions returns no names.
func NameWithOptionalExtensions(string, ...string) []string { return nil }
