//go:build unix

package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"dvlcache/exec"
)

// TestImpatientLines: who is asked to end while his reader stands still leaves no
// 0.1 of a 0.125, but whole lines, or one that ends in its subset.
func TestImpatientLines(t *testing.T) {
	t.Parallel()
	for _, size := range []int{5, 400, 504, 505, 506, 507, 508, 600, 1500, 60_000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel() // each stands still for a second
			line := strings.Repeat("1", size) + "\t0.125\n"
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			asked := errors.New("asked to end")
			ctx, end := context.WithCancelCause(context.Background())
			end(asked)
			lines := []byte(strings.Repeat(line, 1<<20/len(line))) // more than a pipe holds
			if n, err := impatient(ctx, w).Write(lines); !errors.Is(err, asked) || n == len(lines) {
				t.Errorf("%d bytes written, %v", n, err)
			}
			w.Close()
			got, err := io.ReadAll(r)
			if err != nil || len(got) == 0 || !bytes.HasPrefix(lines, got) {
				t.Errorf("the reader gets %d bytes of %d, %v", len(got), len(lines), err)
			}
			if last := got[bytes.LastIndexByte(got, '\n')+1:]; bytes.ContainsRune(last, '\t') {
				t.Errorf("the last line ends in %q", last[max(0, len(last)-20):])
			}
		})
	}
}

// TestSlowReader: who is asked to end doesn't write on for as long as somebody reads
// a little now and then.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		for piece := make([]byte, 512); ; time.Sleep(10 * time.Millisecond) {
			if _, err := r.Read(piece); err != nil {
				return
			}
		}
	}()
	asked := errors.New("asked to end")
	ctx, end := context.WithCancelCause(context.Background())
	end(asked)
	out := impatient(ctx, w)
	lines := bytes.Repeat([]byte("1,4\t0.125\n"), 1000)
	for range 500 { // 5 MB would take him 100 s
		if _, err = out.Write(lines); err != nil {
			break
		}
	}
	if !errors.Is(err, asked) {
		t.Errorf("all is written, %v", err)
	}
	w.Close()
}

// TestLongLine: a line takes time in proportion to its length. Where it goes by the
// square, as by looking for its end before each piece, this test doesn't end.
func TestLongLine(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, r)
		read <- n
	}()
	out := impatient(context.Background(), w)
	for _, end := range []string{"\t0.125\n", ""} { // with an end, and without
		line := append(bytes.Repeat([]byte("1,"), 64<<20), end...)
		if n, err := out.Write(line); err != nil || n != len(line) {
			t.Errorf("%d bytes of %d, %v", n, len(line), err)
		}
	}
	w.Close()
	if n := <-read; n != 256<<20+7 {
		t.Errorf("%d bytes are read", n)
	}
}

// TestBatchWritesWholeLines: what is written at once ends with a line, however
// much it is.
func TestBatchWritesWholeLines(t *testing.T) {
	for _, format := range []string{"tsv", "csv", "json"} {
		var out pieces
		w := newBatchWriter(format, &out)
		for range 1000 {
			a := exec.LineAnswer{Line: exec.Line{Input: strings.Repeat("1", 200)}, Answer: exec.Answer{Text: "0.125"}}
			if err := w.write(a); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.flush(); err != nil || len(out) < 2 {
			t.Errorf("%s: %d pieces, %v", format, len(out), err)
		}
		for _, p := range out {
			if !strings.HasSuffix(p, "\n") {
				t.Errorf("%s: a piece ends in %q", format, p[len(p)-20:])
			}
		}
	}
}

// pieces are what was written, write by write.
type pieces []string

func (p *pieces) Write(b []byte) (int, error) {
	*p = append(*p, string(b))
	return len(b), nil
}
