package share

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

// TestWiden: a mode is changed where something is missing in it, and a file system that
// refuses that is left alone.
func TestWiden(t *testing.T) {
	for _, c := range []struct {
		made, mode, want fs.FileMode // want is 0: nothing is changed
		refusal, told    error
	}{
		{0o600, 0o664, 0o660, nil, nil},
		{0o664, 0o664, 0, nil, nil},
		{0o755 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, nil, nil},
		{0o755, 0o755 | fs.ModeSetgid, 0o755 | fs.ModeSetgid, nil, nil},
		{0o775 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, 0, nil, nil},
		{0o600, 0o664, 0o660, syscall.EPERM, nil},
		{0o600, 0o664, 0o660, syscall.EOPNOTSUPP, nil},
		{0o600, 0o664, 0o660, syscall.EIO, syscall.EIO},
	} {
		var got fs.FileMode
		err := widen(c.made, c.mode, func(mode fs.FileMode) error { got = mode; return c.refusal })
		if got != c.want || !errors.Is(err, c.told) || err != nil && c.told == nil {
			t.Errorf("%v in a folder of %v: %v, %v", c.made, c.mode, got, err)
		}
	}
}
