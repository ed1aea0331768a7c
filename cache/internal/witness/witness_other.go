//go:build !linux

// Package witness tells what happened to files while a program ran.
package witness

// A Witness tells what happened to tracked files. This one saw nothing.
type Witness struct{}

// New watches nothing.
func New([]File) (*Witness, func()) { return nil, func() {} }

// SawNoOther reports whether nobody can have read other contents.
func (*Witness) SawNoOther(int) bool { return false }
