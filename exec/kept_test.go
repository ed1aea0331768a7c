package exec

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// outputs draws what programs print, with much that can be mistaken.
func outputs() *rapid.Generator[string] {
	line := rapid.SampledFrom([]string{"", " ", "0.5", "0.25", "acc=0.75", "acc=x", "acc=0.1 acc=0.2", `{"acc": 0.5}`, `{"acc":`, `0.125`, "}", "[", "1", "]", `{"acc": "x"}`,
		"epoch 3", "\r", "0.5\r", "long " + strings.Repeat("x", 50), "\xff\x00"})
	return rapid.Custom(func(t *rapid.T) string {
		s := strings.Join(rapid.SliceOfN(line, 0, 12).Draw(t, "lines"), "\n")
		if rapid.Bool().Draw(t, "newline") {
			s += "\n"
		}
		return s
	})
}

// TestKeptOutputAnswersLikeTheWhole: what is found in the end of an output is
// what the whole would have given, whatever is kept of it.
func TestKeptOutputAnswersLikeTheWhole(t *testing.T) {
	hows := []string{"last", "only", `regex:acc=(\S+)`, `regex:(.*)`, `regex:^(\d.*)$`, "json:acc"}
	found, answered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		out := outputs().Draw(t, "out")
		limit := rapid.IntRange(0, 80).Draw(t, "limit")
		captured := &process.Tail{Limit: rapid.IntRange(1, 120).Draw(t, "captured")}
		for rest := out; rest != ""; { // in writes of any size
			n := rapid.IntRange(1, len(rest)).Draw(t, "write")
			fmt.Fprint(captured, rest[:n])
			rest = rest[n:]
		}
		lines, cut := captured.Lines()
		kept, cut := process.LastLines(lines, cut, limit)
		if !strings.HasSuffix(out, string(kept)) || !cut && string(kept) != out || len(kept) > limit {
			t.Fatalf("kept %q (cut: %v) of %q", kept, cut, out)
		}
		x, err := number.ParseExtraction(rapid.SampledFrom(hows).Draw(t, "how"), false)
		if err != nil {
			t.Fatal(err)
		}
		value, text, err := x.Find(kept, cut)
		wholeValue, wholeText, wholeErr := x.Find([]byte(out), false)
		if wholeErr == nil {
			found++
		}
		if err == nil {
			answered++
			if wholeErr != nil || value != wholeValue || text != wholeText {
				t.Fatalf("%v of %q is %q (%v), but of the kept %q it is %q", x, out, wholeText, wholeErr, kept, text)
			}
		} else if !errors.Is(err, number.ErrCut) && wholeErr == nil {
			t.Fatalf("%v of %q is %q, but the kept %q is said to have none: %v", x, out, wholeText, kept, err)
		}
	})
	if found == 0 || answered == 0 {
		t.Errorf("%d numbers, %d of them found in what was kept: this test shows nothing", found, answered)
	}
}

func FuzzExtraction(f *testing.F) {
	f.Add(`regex:acc=(\S+)`, "acc=0.1\nacc=0.2\n", 8)
	f.Add("json:a.0", "x\n{\"a\": [1]}\n", 14)
	f.Add("last", "1\n\n2\n", 3)
	f.Fuzz(func(t *testing.T, how, out string, limit int) {
		x, err := number.ParseExtraction(how, false)
		if err != nil || limit < 0 || limit > 1<<20 {
			return
		}
		kept, cut := process.LastLines([]byte(out), false, limit)
		_, text, err := x.Find(kept, cut)
		_, whole, wholeErr := x.Find([]byte(out), false)
		if err == nil && (wholeErr != nil || text != whole) {
			t.Fatalf("%q of %q is %q (%v), but of the kept %q it is %q", how, out, whole, wholeErr, kept, text)
		}
	})
}
