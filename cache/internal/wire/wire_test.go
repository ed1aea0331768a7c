package wire

import "testing"

// TestFlippedVersion: a version with a flipped bit is none, or the record, or
// the whole file, would be left alone as a newer one's.
func TestFlippedVersion(t *testing.T) {
	for _, v := range []byte{1, 2, 4} {
		if !IsVersion(v) {
			t.Errorf("%d is a version", v)
		}
		for bit := range 8 {
			if IsVersion(v ^ 1<<bit) {
				t.Errorf("%d is taken for a version", v^1<<bit)
			}
		}
	}
}
