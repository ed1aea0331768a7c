package process

import "io"

// tee shows what a program prints. A stderr that is gone doesn't stop the capture, so
// nobody hears of its errors.
type tee struct {
	to   io.Writer
	open bool // what was written last doesn't end a line
}

func (t *tee) Write(p []byte) (int, error) {
	t.to.Write(p)
	if len(p) > 0 {
		t.open = p[len(p)-1] != '\n'
	}
	return len(p), nil
}

// endLine ends the line that a program left open, or the next message, or on a terminal
// the number, would go on in it.
func (t *tee) endLine() {
	if t.open {
		io.WriteString(t.to, "\n")
	}
}
