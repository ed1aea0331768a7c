package process

import (
	"bytes"
	"io"
)

// Tail is a writer that keeps the last bytes written to it and counts the
// others. Its memory stays within its limit and a constant.
type Tail struct {
	Limit   int
	buf     []byte // the last bytes, oldest first from start on, in a circle
	start   int
	written int64
}

var _ io.Writer = (*Tail)(nil)

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	n := len(p)
	t.written += int64(n)
	if len(p) > t.Limit {
		p = p[len(p)-t.Limit:]
	}
	if room := t.Limit - len(t.buf); room > 0 {
		k := min(room, len(p))
		t.buf = append(t.buf, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(t.buf[t.start:], p)
		t.start = (t.start + k) % t.Limit
		p = p[k:]
	}
	return n, nil
}

// Lines returns the whole lines among the kept bytes, and whether anything
// before them is missing.
func (t *Tail) Lines() (out []byte, cut bool) {
	out = append(append(make([]byte, 0, len(t.buf)), t.buf[t.start:]...), t.buf[:t.start]...)
	if int64(len(out)) == t.written {
		return out, false
	}
	return wholeLines(out), true
}

// wholeLines drops the first line, of which the beginning may be missing.
func wholeLines(out []byte) []byte {
	if i := bytes.IndexByte(out, '\n'); i >= 0 {
		return out[i+1:]
	}
	return nil
}

// LastLines returns as many whole lines from the end of out as fit in limit
// bytes, and whether lines are missing then.
func LastLines(out []byte, cut bool, limit int) ([]byte, bool) {
	if len(out) <= limit {
		return out, cut
	}
	from := len(out) - limit
	if out[from-1] == '\n' { // a line begins just here
		return out[from:], true
	}
	return wholeLines(out[from:]), true
}
