//go:build unix

package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stuckGrace is how long a reader of our results may take after the signal that
// asks us to end.
const stuckGrace = time.Second

// impatient returns what writes to a file whose reader may stand still for ever,
// as a pager does, or be slow, but not beyond the context's end: a write(2) that
// waits can't be called off.
func impatient(ctx context.Context, f *os.File) io.Writer {
	if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
		return f
	}
	return &impatientFile{ctx: ctx, f: f}
}

type impatientFile struct {
	ctx   context.Context
	f     *os.File
	asked time.Time // when we first saw that we are to end
}

// Write writes whole lines in pieces. Of 0.125 it writes no 0.1, which would be
// read as another number, where we end or another batch writes to the same pipe: a
// piece ends with a line, or well before the end of one that is longer.
func (w *impatientFile) Write(p []byte) (n int, err error) {
	// A pipe that poll(2) calls ready takes that much without a wait on all
	// systems.
	const ready = 512
	lineEnd := 0 // of the line that goes on at n: to look for it each time takes too long
	for n < len(p) && err == nil {
		piece := p[n:min(n+ready, len(p))]
		if end := bytes.LastIndexByte(piece, '\n'); end >= 0 {
			piece = piece[:end+1]
		} else {
			if lineEnd <= n {
				if lineEnd = n + bytes.IndexByte(p[n:], '\n') + 1; lineEnd == n {
					lineEnd = len(p) + ready // it has none
				}
			}
			piece = p[n:min(n+ready, lineEnd-ready)]
		}
		if err = w.wait(); err == nil {
			var m int
			m, err = w.f.Write(piece)
			n += m
		}
	}
	return n, err
}

// wait waits until something can be written. Its error is the context's.
func (w *impatientFile) wait() error {
	const look = 100 * time.Millisecond
	fds := []unix.PollFd{{Fd: int32(w.f.Fd()), Events: unix.POLLOUT}}
	if w.ctx.Err() != nil {
		if w.asked.IsZero() {
			w.asked = time.Now()
		} else if time.Since(w.asked) > stuckGrace {
			return context.Cause(w.ctx)
		}
	}
	for late := time.Duration(0); late < stuckGrace; {
		n, err := unix.Poll(fds, int(look.Milliseconds()))
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return nil // or writing says what is wrong
		}
		if n == 0 && w.ctx.Err() != nil {
			late += look
		}
	}
	return context.Cause(w.ctx)
}
