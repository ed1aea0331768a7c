package exec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseNumber(t *testing.T) {
	for _, s := range []string{"0.9130", "1e-3", ".5", "5.", "+2.5E+10", "-0", "007", " 1\r", "\t1 ", "1\v\f", "1e-400", "9007199254740993",
		strings.Repeat("9", 300), "0." + strings.Repeat("1", 1000)} {
		v, text, err := ParseNumber(s, false)
		want, _ := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || v != want || text != strings.TrimSpace(s) {
			t.Errorf("%q: %v, %q, %v", s, v, text, err)
		}
	}
	for _, s := range []string{"", " ", ".", "e5", "1e", "1e+", "+", "--1", "0x10", "0x1p4", "1_000", "91.3%", "0,91", "1 2", "1\n2", "nan", "inf", "-Infinity",
		"1e999", "-1e999", "1d5", "1f", "٣", "1\x00", strings.Repeat("1", 5000), "infinit", "nanx", "++inf"} {
		if v, _, err := ParseNumber(s, false); err == nil {
			t.Errorf("%q is taken for %v", s, v)
		}
	}
	for s, want := range map[string]float64{"nan": math.NaN(), "NaN": math.NaN(), "inf": math.Inf(1), "+INF": math.Inf(1), "-infinity": math.Inf(-1), "1": 1} {
		if v, _, err := ParseNumber(s, true); err != nil || v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
			t.Errorf("%q with nonfinite: %v, %v", s, v, err)
		}
	}
	if _, _, err := ParseNumber("1e999", true); err == nil {
		t.Error("1e999 is an infinity that nobody wrote")
	}
}

func TestFormatNumberReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "v")
		back, _, err := ParseNumber(FormatNumber(v), true)
		if err != nil || back != v && !(math.IsNaN(v) && math.IsNaN(back)) {
			t.Fatalf("%v: %q reads back as %v, %v", v, FormatNumber(v), back, err)
		}
	})
	for v, want := range map[float64]string{0: "0", 0.913: "0.913", 1e15: "1000000000000000", 1e16: "1e+16", 1e-5: "1e-05", 0.0001: "0.0001", -2.5: "-2.5"} {
		if got := FormatNumber(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func TestExtraction(t *testing.T) {
	for _, tt := range []struct{ how, out, want string }{
		{"last", "epoch 1\n0.5\n0.9130\n", "0.9130"},
		{"last", "0.9130", "0.9130"},
		{"last", "0.9130\r\n\r\n  \n", "0.9130"},
		{"last", "0.5\naccuracy 0.9\n", "!"},
		{"last", "", "!"},
		{"last", "\n\n", "!"},
		{"last", "0.1 0.2\n", "!"},
		{"last", "10%\r0.9\n", "!"},
		{"only", "0.9\n", "0.9"},
		{"only", "\n 0.9 \n\n", "0.9"},
		{"only", "x\n0.9\n", "!"},
		{"only", "", "!"},
		{`regex:acc=(\S+)`, "acc=0.1\nacc=0.2 acc=0.3\nloss=9\n", "0.3"},
		{`regex:acc=(.*)$`, "acc=0.1\r\n", "0.1"},
		{`regex:acc=(.*)`, "loss\n", "!"},
		{`regex:(x)?acc`, "acc\n", "!"},
		{`regex:(.*)`, "", "!"},
		{`regex:^(\d+)$`, "1\n2", "2"},
		{"json:acc", `{"acc": 0.9130, "f1": 0.5}`, "0.9130"},
		{"json:acc", "log\n" + `{"acc": 0.9}` + "\n", "0.9"},
		{"json:acc", "{\n \"acc\": 0.9\n}\n", "0.9"},
		{"json:folds.1.acc", `{"folds": [{"acc": 1}, {"acc": 2}]}`, "2"},
		{`json:a\*.a\.c`, `{"a*": {"a.c": 7}}`, "7"},
		{"json:acc", `{"acc": "0.9"}`, "!"},
		{"json:acc", `{"acc": null}`, "!"},
		{"json:acc", `{"acc": NaN}`, "!"},
		{"json:acc", `{"f1": 0.9}`, "!"},
		{"json:acc", `{"acc": 0.9`, "!"},
		{"json:acc", "", "!"},
		{"json:acc", `{"acc": 1, "acc": 2}`, "!"},
		{"json:a.acc", `{"a": {"acc": 1}, "a": {"f1": 2}}`, "!"},
		{"json:acc", `{"f1": 1, "f1": 2, "acc": 3}`, "3"},
		{"json:0.1", `[[1, 2], 3]`, "2"},
		{"json:0.acc", `{"0": {"acc": 4}}`, "4"},
		{"json:01", `[1, 2]`, "!"},
		{"json:..0.acc", `{"acc": 5}`, "!"},
	} {
		x, err := ParseExtraction(tt.how, false)
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := x.Find([]byte(tt.out), false)
		var bad *NumberError
		switch {
		case tt.want == "!" && (!errors.As(err, &bad) || strings.ContainsAny(err.Error(), "\n\r")):
			t.Errorf("%s of %q: %q, %v", tt.how, tt.out, text, err)
		case tt.want != "!" && (err != nil || text != tt.want):
			t.Errorf("%s of %q: %q, %v", tt.how, tt.out, text, err)
		}
	}
	for _, how := range []string{"", "first", "regex:", "regex:acc", "regex:(", "json:", "json:!7", "json:a*", "json:@this", "lasts", "regex"} {
		if _, err := ParseExtraction(how, false); err == nil {
			t.Errorf("%q is taken", how)
		}
	}
}

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
		captured := &tail{limit: rapid.IntRange(1, 120).Draw(t, "captured")}
		for rest := out; rest != ""; { // in writes of any size
			n := rapid.IntRange(1, len(rest)).Draw(t, "write")
			fmt.Fprint(captured, rest[:n])
			rest = rest[n:]
		}
		lines, cut := captured.lines()
		kept, cut := lastLines(lines, cut, limit)
		if !strings.HasSuffix(out, string(kept)) || !cut && string(kept) != out || len(kept) > limit {
			t.Fatalf("kept %q (cut: %v) of %q", kept, cut, out)
		}
		x, err := ParseExtraction(rapid.SampledFrom(hows).Draw(t, "how"), false)
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
		} else if !errors.Is(err, errCut) && wholeErr == nil {
			t.Fatalf("%v of %q is %q, but the kept %q is said to have none: %v", x, out, wholeText, kept, err)
		}
	})
	if found == 0 || answered == 0 {
		t.Errorf("%d numbers, %d of them found in what was kept: this test shows nothing", found, answered)
	}
}

func TestTailIsBounded(t *testing.T) {
	kept := &tail{limit: 1000}
	block := []byte(strings.Repeat("0123456789\n", 100))
	for range 10000 {
		kept.Write(block)
	}
	if cap(kept.buf) > 2000 {
		t.Errorf("it holds %d bytes", cap(kept.buf))
	}
	lines, cut := kept.lines()
	if !cut || string(lines) != strings.Repeat("0123456789\n", 90) {
		t.Errorf("cut: %v, %d bytes", cut, len(lines))
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0.9130", "+2.5E+10", ".5", "5.", "0x1p4", "1_0", "nan", " 1\r", "1e999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, text, err := ParseNumber(s, false)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q: %q is not one line", s, err)
			}
			return
		}
		if math.IsNaN(v) || math.IsInf(v, 0) || !strings.Contains(s, text) || strings.ContainsAny(text, "xXpP_nNiI \n\r\t") {
			t.Fatalf("%q is %v, %q", s, v, text)
		}
		back, err := strconv.ParseFloat(text, 64)
		if back != v && err == nil {
			t.Fatalf("%q is %v, but %q is %v", s, v, text, back)
		}
	})
}

func FuzzExtraction(f *testing.F) {
	f.Add(`regex:acc=(\S+)`, "acc=0.1\nacc=0.2\n", 8)
	f.Add("json:a.0", "x\n{\"a\": [1]}\n", 14)
	f.Add("last", "1\n\n2\n", 3)
	f.Fuzz(func(t *testing.T, how, out string, limit int) {
		x, err := ParseExtraction(how, false)
		if err != nil || limit < 0 || limit > 1<<20 {
			return
		}
		kept, cut := lastLines([]byte(out), false, limit)
		_, text, err := x.Find(kept, cut)
		_, whole, wholeErr := x.Find([]byte(out), false)
		if err == nil && (wholeErr != nil || text != whole) {
			t.Fatalf("%q of %q is %q (%v), but of the kept %q it is %q", how, out, whole, wholeErr, kept, text)
		}
	})
}
