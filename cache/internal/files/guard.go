package files

import (
	"fmt"
	"runtime/debug"
)

// Fault is a panic, or a fault on a mapped file, that was recovered from.
type Fault struct{ cause any }

func (f *Fault) Error() string { return fmt.Sprintf("it is damaged (%v)", f.cause) }

// Guard turns panics, and faults on mapped files, into *Fault.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = &Fault{cause}
		}
	}()
	return f()
}
