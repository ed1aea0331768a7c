package cache

import (
	"fmt"
	"runtime/debug"
)

// fault is a panic, or a fault on a mapped file, that was recovered from.
type fault struct{ cause any }

func (f *fault) Error() string { return fmt.Sprintf("it is damaged (%v)", f.cause) }

// guard turns panics, and faults on mapped files, into *fault.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = &fault{cause}
		}
	}()
	return f()
}
