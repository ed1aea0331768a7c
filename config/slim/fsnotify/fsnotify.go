// Package fsnotify is what viper needs of github.com/fsnotify/fsnotify to be
// built. See ../README.md.
package fsnotify

import "errors"

// Op is what happened to a file.
type Op uint32

// What happens to files.
const (
	Create Op = 1 << iota
	Write
	Remove
)

// Event would tell of a file.
type Event struct {
	Name string
	Op   Op
}

// Has reports whether it is a given one.
func (e Event) Has(op Op) bool { return e.Op&op != 0 }

// Watcher would watch files.
type Watcher struct {
	Events chan Event
	Errors chan error
}

var errLeftOut = errors.New("watching files is left out of dvlcache")

// NewWatcher refuses.
func NewWatcher() (*Watcher, error) { return nil, errLeftOut }

// Add refuses.
func (*Watcher) Add(string) error { return errLeftOut }

// Close does nothing.
func (*Watcher) Close() error { return nil }
