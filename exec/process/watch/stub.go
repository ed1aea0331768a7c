//go:build !linux || !(amd64 || arm64)

package watch

import (
	"os/exec"
	"runtime"
)

// Supported is whether there is a way to watch on this system at all.
const Supported = false

// Watch is a command that is being watched.
type Watch struct{}

// Start says that it can't watch: only Linux tells one process of the calls of
// another without changing them. macOS asks for an entitlement that Apple gives
// to makers of security software, and Windows for a driver.
func Start(*exec.Cmd, Options) (*Watch, error) {
	return nil, &Unavailable{Reason: runtime.GOOS + "/" + runtime.GOARCH + " has no means for it that a program of yours may use"}
}

// Wait does nothing.
func (*Watch) Wait() error { return nil }

// Finish returns nothing: there never is a Watch here.
func (*Watch) Finish() *Trace { return &Trace{} }

// BeforeSignal does nothing.
func (*Watch) BeforeSignal() {}

// Same reports whether a name still leads to what it led to when it was used
// first.
func (f *File) Same() bool { return false }

// Where tells places in which a command may be watched from others.
func Where() string { return "" }
