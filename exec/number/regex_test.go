package number

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSureMatch: the end of a line gives the match that the whole line has, or none.
func TestSureMatch(t *testing.T) {
	for _, tt := range []struct{ how, out, want string }{
		{`acc=(\S+)`, strings.Repeat(".", 3000) + " acc=0.9\n", "0.9"},
		{`acc: (\S+)`, strings.Repeat("= ", 3000) + " acc: 0.9", "0.9"},
		{`acc (\d\.\d+)`, strings.Repeat("10% ", 3000) + " acc 0.9 (best 0.95)", "0.9"},
		{`(\d+)%`, strings.Repeat("10% ", 3000) + "25% \n", "25"},
		{`acc=(\d\.\d+)$`, strings.Repeat("█", 3000) + " acc=0.9", "0.9"},
		{`(?:(\d)|y).`, strings.Repeat(".", 3000) + "1.", "1"},
		// These hang on what isn't there any more.
		{`acc=(.*)`, strings.Repeat(".", 3000) + " acc=0.9\n", "?"},
		{`(\d+)`, strings.Repeat("1", 3000), "?"},
		{`^(\d+)`, strings.Repeat("1", 3000), "?"},
		{`\b(\d)`, strings.Repeat(".", 3000) + "1", "?"},
		{`(x*)`, strings.Repeat(".", 3000) + "x", "?"},
		{`acc=(\S+)`, strings.Repeat(".", 3000), "?"},
	} {
		x, err := ParseExtraction("regex:"+tt.how, false)
		if err != nil {
			t.Fatal(err)
		}
		kept, cut := Lines([]byte(tt.out), false, 2048)
		if !cut || !strings.HasPrefix(string(kept), cutMark) {
			t.Fatalf("%.20q…", kept)
		}
		_, text, err := x.Find(kept, cut)
		if tt.want == "?" && !errors.Is(err, ErrCut) || tt.want != "?" && (err != nil || text != tt.want) {
			t.Errorf("%s: %q, %v; want %s", tt.how, text, err, tt.want)
		}
	}
}

// TestSureMatchOfAny: the same for any expression and line.
func TestSureMatchOfAny(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "0", "1", " ", "=", ".", "[01]", "[^ ]", "a?", "0*", "1+", "1+?", "(?:a|01)", "(?:0|=1|a0)*", "(0+)", "(a|1)?", "$", "(?i:A)", "ü", "."})
	char := rapid.SampledFrom([]string{"a", "0", "1", " ", "=", "ü", "A"})
	sure := 0
	rapid.Check(t, func(t *rapid.T) {
		join := func(g *rapid.Generator[string], least, most int, name string) string {
			return strings.Join(rapid.SliceOfN(g, least, most).Draw(t, name), "")
		}
		expr := join(piece, 0, 3, "before") + "(" + join(piece, 1, 3, "group") + ")" + join(piece, 0, 2, "after")
		x, err := ParseExtraction("regex:"+expr, false)
		if err != nil {
			t.Skip()
		}
		line := join(char, 0, 30, "line")
		from := rapid.IntRange(0, len(line)).Draw(t, "from")
		whole, wholeErr := x.lastMatch([]byte(line), false)
		part, err := x.lastMatch([]byte(cutMark+line[from:]), true)
		if err == nil {
			sure++
			if wholeErr != nil || part != whole {
				t.Fatalf("%s of %q is %q (%v), but of its end %q it is %q", expr, line, whole, wholeErr, line[from:], part)
			}
		} else if !errors.Is(err, ErrCut) {
			t.Fatalf("%s of the end %q: %v", expr, line[from:], err)
		}
	})
	if sure == 0 {
		t.Error("nothing is sure: this test shows nothing")
	}
}
