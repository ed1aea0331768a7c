//go:build unix

package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

// TestImpatientLines: who is asked to end while his reader stands still leaves
// whole lines, and no 0.1 of a 0.125.
func TestImpatientLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	asked := errors.New("asked to end")
	ctx, end := context.WithCancelCause(context.Background())
	end(asked)
	lines := bytes.Repeat([]byte("1,4,7\t0.125\n"), 100_000) // more than a pipe holds
	if n, err := impatient(ctx, w).Write(lines); !errors.Is(err, asked) || n == len(lines) {
		t.Errorf("%d bytes written, %v", n, err)
	}
	w.Close()
	got, err := io.ReadAll(r)
	if err != nil || len(got) == 0 || !bytes.HasSuffix(got, []byte{'\n'}) || !bytes.HasPrefix(lines, got) {
		t.Errorf("the reader gets %d bytes, the last of them %q, %v", len(got), got[max(0, len(got)-12):], err)
	}
}
