package key

import (
	"errors"
	"fmt"
	"io/fs"

	"dvlcache/cache/plain"
	"dvlcache/cache/trust"
)

// UnreadableError is a file whose contents should count and can't be read: the
// call has no key.
type UnreadableError struct {
	Path string
	Err  error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s can't be read: %v", e.Path, plain.Error(e.Err))
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// unreadable names the file that could not be read, which may lie below path.
func unreadable(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		path = p.Path
	}
	return &UnreadableError{path, err}
}

// ErrPipe: what a pipe holds can be read once only, and that is the program's.
var ErrPipe = errors.New("it is a pipe or a socket, and what it holds can't be looked at beforehand")

// errChanging: it was read twice, and held something else.
var errChanging = errors.New("it is being changed")

// MissingDependencyError is a --depends-on that isn't there.
type MissingDependencyError struct{ Path string }

func (e *MissingDependencyError) Error() string {
	return fmt.Sprintf("--depends-on %s: there is no such file or folder", e.Path)
}

// NoProjectError says that Paths is PathsProject and there is no project.
type NoProjectError struct {
	Dir   string
	Doubt *trust.Doubt // why one that is there doesn't count, or nil
}

func (e *NoProjectError) Error() string {
	text := fmt.Sprintf("--paths project: there is no dvlcache.yaml or .git in %s or above", e.Dir)
	if e.Doubt != nil {
		text += " that may be trusted: " + e.Doubt.Error()
	}
	return text
}
