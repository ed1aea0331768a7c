package number

import (
	"errors"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"
	"pgregory.net/rapid"
)

// hintOf is the hint of an extraction that finds no number in an output.
func hintOf(t interface{ Fatalf(string, ...any) }, how, out string) string {
	x, err := ParseExtraction(how, false)
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	_, _, err = x.Find([]byte(out), false)
	var missing *Error
	if !errors.As(err, &missing) {
		t.Fatalf("%s of %q: %v", how, out, err)
	}
	return missing.Hint
}

// offered are the extractions of a hint, as a shell takes them apart.
func offered(t interface{ Fatalf(string, ...any) }, hint string) (hows []string) {
	words, err := shellquote.Split(strings.ReplaceAll(hint, "R's", "Rs"))
	if err != nil {
		t.Fatalf("%s: %v", hint, err)
	}
	for i, word := range words[:max(0, len(words)-1)] {
		if word == "--extract" {
			hows = append(hows, words[i+1])
		}
	}
	return hows
}

func TestHints(t *testing.T) {
	for _, c := range []struct{ how, out, want string }{
		{"last", `{"acc": 0.9}`, "--extract json:acc"},
		{"only", "epoch 1\n" + `{"acc": 0.9}`, "--extract json:acc"},
		{"last", "{\n \"acc\": 0.9\n}\n", "--extract json:acc"},
		{"last", `{"epoch": 3, "metrics": {"acc": 0.9, "note": "x"}, "folds": [0.1, {"f1": 0.2}]}`,
			"--extract json:epoch or --extract json:metrics.acc or --extract json:folds.0 or --extract json:folds.1.f1"},
		{"json:acc", `{"loss": 1, "metrics": {"acc": 0.9}}`, "--extract json:metrics.acc or --extract json:loss"},
		{"json:metrics", `{"loss": 1, "metrics": {"acc": 0.9}}`, "--extract json:metrics.acc or --extract json:loss"},
		{"last", `[0.1,0.2,0.3,0.4,0.5,0.6,0.7]`, "--extract json:0 or --extract json:1 or --extract json:2 or --extract json:3 or --extract json:4 (and 2 more)"},
		{"last", `{"a.b": 1, "c d": 2, "it's": 3, "é*": 4, "": 5}`, `--extract json:a\\.b or --extract 'json:c d' or --extract json:it\'s or --extract json:é\\\*`},
		{"last", `{"acc": 1, "acc": 2, "f1": 3, "loss": NaN}`, "--extract json:f1"},
		{"last", `{"acc": "0.9"}`, ""},
		{"last", "[1] 0.88\n", `cat() in the place of R's print(), or --extract 'regex:^\[1\] (.*)'`},
		{"last", "loss 3\n[1]  0.88\r\n", `cat() in the place of R's print(), or --extract 'regex:^\[1\] (.*)'`},
		{"last", "[1] 0.88 0.91\n", ""},
		{"last", "[1] TRUE\n", ""},
		{"last", "acc: 0.9\n", ""},
		{"regex:x=(.*)", `{"acc": 0.9}`, ""},
	} {
		if got := hintOf(t, c.how, c.out); got != c.want {
			t.Errorf("%s of %q: %s, not %s", c.how, c.out, got, c.want)
		}
	}
}

// TestHintsFind: whatever a hint offers finds a number, when a shell has read it.
func TestHintsFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := genJSON(t, 0)
		if rapid.Bool().Draw(t, "lines") {
			out = "loading\n" + out + "\n"
		}
		asked := rapid.SampledFrom([]string{"last", "only", "json:acc", "json:b.acc", "json:0"}).Draw(t, "asked")
		x, _ := ParseExtraction(asked, false)
		if _, _, err := x.Find([]byte(out), false); err == nil {
			t.Skip("there is a number")
		}
		for _, how := range offered(t, hintOf(t, asked, out)) {
			other, err := ParseExtraction(how, false)
			if err != nil {
				t.Fatalf("%q: %v", how, err)
			}
			if _, _, err := other.Find([]byte(out), false); err != nil {
				t.Fatalf("%q of %q: %v", how, out, err)
			}
		}
	})
}

func genJSON(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth > 3 {
		kind = max(kind, 2)
	}
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 0, 1:
		var items []string
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			item := genJSON(t, depth+1)
			if kind == 0 {
				key := rapid.SampledFrom([]string{"acc", "b", "a.b", `a\\b`, "it's", "*", "#", "@x", "", " ", "é", `\u001b`, "(x)", "$(y)", "0"}).Draw(t, "key")
				item = `"` + key + `":` + item
			}
			items = append(items, item)
		}
		if kind == 0 {
			return "{" + strings.Join(items, ",") + "}"
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return rapid.SampledFrom([]string{"1", "0.5", "-3e2", "NaN", `"x"`, "null", "true", "1e999"}).Draw(t, "leaf")
}
