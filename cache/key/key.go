// Package key says what identifies a call of a utility: the parts of its key, the
// rules by which arguments count, the files whose contents count, and how two calls
// differ. To see what makes two calls the same, begin with Identify.
package key

import (
	"encoding/hex"
	"fmt"
)

// Key is the SHA-256 that identifies a call of a utility. See Identify.
type Key [32]byte

// String returns the key in lower-case hexadecimal, 64 characters.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey reads what Key.String returns.
func ParseKey(s string) (k Key, err error) {
	if len(s) != 2*len(k) {
		return k, fmt.Errorf("%q is no key of 64 hexadecimal digits", s)
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		return k, fmt.Errorf("%q is no key of 64 hexadecimal digits", s)
	}
	return k, nil
}
