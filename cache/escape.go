package cache

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeControls writes the characters of JSON's texts that steer a terminal, or the
// direction in which it writes, as escapes, which read back to the same: JSON allows
// those of C1 (U+009B is what ESC [ is) as they are.
func EscapeControls(b []byte) []byte {
	var out []byte
	done := 0 // of b, in out
	for i := 0; i < len(b); {
		r, size := rune(b[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(b[i:])
		}
		if r == 0x7f || r >= 0x80 && r <= 0x9f || r > 0x9f && unicode.Is(unicode.Cf, r) {
			out = append(out, b[done:i]...)
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
			done = i + size
		}
		i += size
	}
	if out == nil {
		return b
	}
	return append(out, b[done:]...)
}
