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
		"epoch 3", "\r", "0.5\r", "long " + strings.Repeat("x", 50), "\xff\x00",
		// Progress bars, colours, and what takes back what was shown.
		"10%\r100%\r0.5", "acc=0.1\racc=0.75", "0.25\r\x1b[K", "\r\x1b[2K0.5\r\x1b[0m", "\x1b[32m0.125\x1b[0m", "0.9\b\b\b0.5", "0.75\b", "|\b/\b-\b0.5",
		"100%|███|\x1b[A", "\x1b[1;31macc=0.3\x1b[m x", strings.Repeat("\r 50%", 20) + "\r0.5", strings.Repeat(".", 60) + " acc=0.5 acc=0.75", "…0.5", "…acc=0.5",
		"\x1b]8;;http://a\x1b\\0.5\x1b]8;;\x1b\\", "12345678901234567890.5", strings.Repeat("=\b", 40) + "acc=0.25"})
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
	hows := []string{"last", "only", `regex:acc=(\S+)`, `regex:(.*)`, `regex:^(\d.*)$`, "json:acc", `regex:(\d+)$`, `regex:acc=([0-9.]+)`, `regex:(\d)`, `regex:\b(\d)`}
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
		kept, cut := number.Lines(lines, cut, limit)
		if again, still := number.Lines(kept, cut, limit); len(kept) > limit || string(again) != string(kept) || still != cut {
			t.Fatalf("kept %q (cut: %v) of %q, and of that %q (%v)", kept, cut, out, again, still)
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
	f.Add("last", "10%\r100%\r0.5\n", 4)
	f.Add(`regex:acc=(\S+)`, "....... acc=0.5 acc=0.75", 16)
	f.Add(`regex:(\d+)$`, "acc=123456", 5)
	f.Add("last", "\x1b[32m0.5\x1b[0m\r\x1b[K 0.25\b\b", 9)
	f.Fuzz(func(t *testing.T, how, out string, limit int) {
		x, err := number.ParseExtraction(how, false)
		if err != nil || limit < 0 || limit > 1<<20 {
			return
		}
		kept, cut := number.Lines([]byte(out), false, limit)
		_, text, err := x.Find(kept, cut)
		_, whole, wholeErr := x.Find([]byte(out), false)
		if err == nil && (wholeErr != nil || text != whole) {
			t.Fatalf("%q of %q is %q (%v), but of the kept %q it is %q", how, out, whole, wholeErr, kept, text)
		}
	})
}
