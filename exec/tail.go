package exec

import (
	"bytes"
	"io"
)

// tail is a writer that keeps the last bytes written to it and counts the
// others. Its memory stays within its limit and a constant.
type tail struct {
	limit   int
	buf     []byte // the last bytes, oldest first from start on, in a circle
	start   int
	written int64
}

var _ io.Writer = (*tail)(nil)

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	t.written += int64(n)
	if len(p) > t.limit {
		p = p[len(p)-t.limit:]
	}
	if room := t.limit - len(t.buf); room > 0 {
		k := min(room, len(p))
		t.buf = append(t.buf, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(t.buf[t.start:], p)
		t.start = (t.start + k) % t.limit
		p = p[k:]
	}
	return n, nil
}

// lines returns the whole lines among the kept bytes, and whether anything
// before them is missing.
func (t *tail) lines() (out []byte, cut bool) {
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

// lastLines returns as many whole lines from the end of out as fit in limit
// bytes, and whether lines are missing then.
func lastLines(out []byte, cut bool, limit int) ([]byte, bool) {
	if len(out) <= limit {
		return out, cut
	}
	from := len(out) - limit
	if out[from-1] == '\n' { // a line begins just here
		return out[from:], true
	}
	return wholeLines(out[from:]), true
}
