package number

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseNumber(t *testing.T) {
	for _, s := range []string{"0.9130", "1e-3", ".5", "5.", "+2.5E+10", "-0", "007", " 1\r", "\t1 ", "1\v\f", "1e-400", "9007199254740993",
		strings.Repeat("9", 300), "0." + strings.Repeat("1", 1000)} {
		v, text, err := Parse(s, false)
		want, _ := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || v != want || text != strings.TrimSpace(s) {
			t.Errorf("%q: %v, %q, %v", s, v, text, err)
		}
	}
	for _, s := range []string{"", " ", ".", "e5", "1e", "1e+", "+", "--1", "0x10", "0x1p4", "1_000", "91.3%", "0,91", "1 2", "1\n2", "nan", "inf", "-Infinity",
		"1e999", "-1e999", "1d5", "1f", "٣", "1\x00", strings.Repeat("1", 5000), "infinit", "nanx", "++inf"} {
		if v, _, err := Parse(s, false); err == nil {
			t.Errorf("%q is taken for %v", s, v)
		}
	}
	for s, want := range map[string]float64{"nan": math.NaN(), "NaN": math.NaN(), "inf": math.Inf(1), "+INF": math.Inf(1), "-infinity": math.Inf(-1), "1": 1} {
		if v, _, err := Parse(s, true); err != nil || v != want && !(math.IsNaN(v) && math.IsNaN(want)) {
			t.Errorf("%q with nonfinite: %v, %v", s, v, err)
		}
	}
	if _, _, err := Parse("1e999", true); err == nil {
		t.Error("1e999 is an infinity that nobody wrote")
	}
}

func TestFormatNumberReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "v")
		back, _, err := Parse(Format(v), true)
		if err != nil || back != v && !(math.IsNaN(v) && math.IsNaN(back)) {
			t.Fatalf("%v: %q reads back as %v, %v", v, Format(v), back, err)
		}
	})
	for v, want := range map[float64]string{0: "0", 0.913: "0.913", 1e15: "1000000000000000", 1e16: "1e+16", 1e-5: "1e-05", 0.0001: "0.0001", -2.5: "-2.5"} {
		if got := Format(v); got != want {
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
		{"last", "10%\r0.9\n", "0.9"},
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
		var bad *Error
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

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0.9130", "+2.5E+10", ".5", "5.", "0x1p4", "1_0", "nan", " 1\r", "1e999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, text, err := Parse(s, false)
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
