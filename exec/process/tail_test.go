package process

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTailIsBounded(t *testing.T) {
	kept := &Tail{Limit: 1000}
	block := []byte(strings.Repeat("0123456789\n", 100))
	for range 10000 {
		kept.Write(block)
	}
	if cap(kept.buf) > 2000 {
		t.Errorf("it holds %d bytes", cap(kept.buf))
	}
	lines, cut := kept.Lines()
	if !cut || string(lines) != "…\a"+strings.Repeat("0123456789\n", 91)[1:] {
		t.Errorf("cut: %v, %d bytes", cut, len(lines))
	}
}

// TestTailIsTheEnd: whatever is written, in writes of any size, the end is kept.
func TestTailIsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		kept := &Tail{Limit: limit}
		written := ""
		for _, s := range rapid.SliceOf(rapid.StringN(0, 70, -1)).Draw(t, "writes") {
			kept.Write([]byte(s))
			written += s
		}
		for _, n := range []int{limit, rapid.IntRange(0, limit).Draw(t, "last")} {
			want := written[max(0, len(written)-n):]
			whole := want == written
			if !whole {
				want = cutMark + want
			}
			if got, cut := kept.Last(n); string(got) != want || cut == whole {
				t.Fatalf("the last %d of %q: %q, %v", n, written, got, cut)
			}
		}
	})
}
