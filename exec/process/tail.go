package process

import "io"

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

// cutMark stands before the end of a line whose beginning may be missing; see
// package number.
const cutMark = "…\a"

// Lines returns what is kept, and whether it is cut: then it begins with cutMark.
func (t *Tail) Lines() (out []byte, cut bool) { return t.Last(t.Limit) }

// Last is Lines with the last limit bytes alone.
func (t *Tail) Last(limit int) (out []byte, cut bool) {
	older, newer := t.buf[t.start:], t.buf[:t.start]
	if beyond := len(t.buf) - limit; beyond > 0 {
		older, newer = older[min(beyond, len(older)):], newer[max(0, beyond-len(older)):]
	}
	kept := len(older) + len(newer)
	out = make([]byte, 0, len(cutMark)+kept)
	if cut = int64(kept) < t.written; cut {
		out = append(out, cutMark...)
	}
	return append(append(out, older...), newer...), cut
}
