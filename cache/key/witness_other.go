//go:build !linux

package key

// A witness tells what happened to tracked files. This one saw nothing.
type witness struct{}

func newWitness([]trackedFile) (*witness, func()) { return nil, func() {} }

// sawNoOther reports whether nobody can have read other contents.
func (*witness) sawNoOther(int) bool { return false }
