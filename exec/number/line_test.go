package number

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestShown: a line is what a terminal shows of it, or, where that isn't sure, what
// was written, which is no number.
func TestShown(t *testing.T) {
	for raw, want := range map[string]string{
		"0.5":                        "0.5",
		"0.5\r":                      "0.5", // the line end of Windows
		"0.5\r\r":                    "0.5",
		"10%\r100%\r0.5":             "0.5",
		"100%|████| 10/10\r0.5":      "0.5",
		"0.9876\r0.5":                "0.5",
		"0.5\r   ":                   "   ",
		"bar\r   \r":                 "   ",
		"bar\r   \r0.5":              "0.5",
		"bar\r\x1b[K":                "",
		"bar\r\x1b[2K":               "",
		"bar\x1b[2K\r0.5":            "0.5",
		"bar\x1b[2K\x1b[1G0.5":       "0.5",
		"bar\x1b[1G\x1b[K0.5":        "0.5",
		"bar\x1b[1000D\x1b[K0.5":     "0.5",
		"bar\r\x1b[0J0.5":            "0.5",
		"0.5\r\x1b[?25h":             "0.5", // the cursor comes back
		"0.5\r\x1b[0m\r":             "0.5",
		"\x1b[32m0.5\x1b[0m":         "0.5",
		"\x1b[1;38;5;9m0.5\x1b[K":    "0.5",
		"\x1b[38:2::1:2:3m0.5\x1b[m": "0.5",
		"\x1b(B\x1b[m0.5\x1b(B":      "0.5",
		"\x1b]0;train 50%\a0.5":      "0.5",
		"\x1b]8;;http://x/1\x1b\\0.5\x1b]8;;\x1b\\": "0.5",
		"\x1b[H\x1b[2J\x1b[3J0.5":                   "0.5",
		"bar\r\x1b[A0.5":                            "0.5", // tqdm, with a bar below another
		"0.5\a":                                     "0.5",
		"|\b/\b-\b\\\b0.5":                          "0.5",
		" 10%\b\b\b\b 20%\b\b\b\b0.25":              "0.25",
		"0.5\b\b\b":                                 "0.5",
		"0.5 |\b \b":                                "0.5  ",
		"\b\b0.5":                                   "0.5",
		"\x1b[3C0.5":                                "   0.5",
		// What is left of what was written before may belong to the number.
		"0.99\b\b\b\b0.5":  "",
		"100%\b\b\b\b0.5":  "",
		"0.99\x1b[1G0.5":   "",
		"█\b0.5":           "", // nobody knows how wide it is there
		"12\x1b[A0.5":      "",
		"12\x1b[5;5H0.5":   "",
		"1\x1b[C0.5":       "1 0.5",
		"0.5\x1b7":         "",
		"0.5\x1b":          "",
		"0.5\x1b[":         "",
		"0.5\x1b[3":        "",
		"\x1b]0;0.5":       "",
		"\x1bP0.5\x1b\\":   "",
		"\x1b[99999999C1":  "",
		"\x1b[1K0.5":       "",
		"\x1b[-5D0.5":      "",
		"\x9b32m0.5\x9b0m": "\x9b32m0.5\x9b0m",
	} {
		text, _ := shown([]byte(raw))
		if want == "" && strings.ContainsAny(raw, "\b\x1b") && !strings.HasSuffix(raw, "K") {
			want = raw
		}
		if string(text) != want {
			t.Errorf("%q is shown as %q, want %q", raw, text, want)
		}
	}
}

// TestShownIsBounded: no line is longer for what it says of columns.
func TestShownIsBounded(t *testing.T) {
	text, _ := shown([]byte(strings.Repeat("\x1b[4000Cx", 10000)))
	if len(text) > 1<<20 {
		t.Errorf("%d bytes", len(text))
	}
}

// TestShownOfPlainText: without control characters a line is itself.
func TestShownOfPlainText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.StringMatching(`[^\r\n\x08\x07\x1b]*`).Draw(t, "raw")
		if text, start := shown([]byte(raw)); string(text) != raw || start != 0 {
			t.Fatalf("%q is shown as %q", raw, text)
		}
	})
}

// TestLinesAsShown: every extraction takes lines as they are shown.
func TestLinesAsShown(t *testing.T) {
	bar := strings.Repeat("\r 10% [=>    ]", 500)
	for _, tt := range []struct{ how, out, want string }{
		{"last", bar + "\r0.5\n", "0.5"},
		{"last", bar + "\r0.5", "0.5"},
		{"last", "0.5\n" + bar + "\r" + strings.Repeat(" ", 20) + "\r", "0.5"},
		{"last", "0.5\n" + bar + "\r\x1b[K\n", "0.5"},
		{"last", bar + "\n0.5\n", "0.5"},
		{"last", bar + " 0.5\n", "!"},
		{"last", "0.5\r" + bar + "\n", "!"},
		{"last", "\x1b[32m0.5\x1b[0m\n\x1b[?25h", "0.5"},
		{"only", bar + "\r0.5\n", "0.5"},
		{"only", "x\n" + bar + "\r0.5\n", "!"},
		{"only", "\x1b[1m0.5\x1b[0m", "0.5"},
		{`regex:^acc (\S+)$`, bar + "\racc 0.5\n", "0.5"},
		{`regex:acc (\S+)`, "acc 0.5\r" + bar + "\n", "!"},
		{`regex:acc (\S+)`, "acc \x1b[1m0.5\x1b[0m\n", "0.5"},
		{`regex:([0-9.]+)%`, " 10%\b\b\b\b 25%", "25"},
		{"json:acc", bar + "\r{\"acc\": 0.5}\n", "0.5"},
		{"json:acc", "\x1b[1m{\x1b[0m\n  \x1b[34m\"acc\"\x1b[0m: 0.5\n}\n", "0.5"},
	} {
		x, err := ParseExtraction(tt.how, false)
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := x.Find([]byte(tt.out), false)
		if tt.want == "!" && err == nil || tt.want != "!" && (err != nil || text != tt.want) {
			t.Errorf("%s of %.40q…: %q, %v; want %s", tt.how, tt.out, text, err, tt.want)
		}
	}
}

// TestLinesKeepAnEnd: of a line that is longer than what is kept, the end is.
func TestLinesKeepAnEnd(t *testing.T) {
	for _, tt := range []struct {
		out, want string
		limit     int
	}{
		{"one\ntwo\n", "one\ntwo\n", 8},
		{"one\ntwo\n", "two\n", 7},
		{"one\ntwo", "two", 6},
		{"one\ntwo\n\n", "two\n\n", 5},
		{"\r1%\r2%\r0.5\n", "0.5\n", 4},
		{"one two three\n", "…ree\n", 7},
		{"one two three\n\n\n", "…e\n\n\n", 7},
		{"one two three", "…ree", 7},
		{"xünü\n", "…ü\n", 6},
		{"ünü\n", "", 5},
		{"one\n", "", 0},
		{"one\n", "", 3},
	} {
		kept, cut := Lines([]byte(tt.out), false, tt.limit)
		if string(kept) != tt.want || cut != (len(kept) < len(tt.out) && tt.out[0] != '\r') {
			t.Errorf("%q in %d bytes: %q, %v; want %q", tt.out, tt.limit, kept, cut, tt.want)
		}
	}
}

// TestMessagesShowTheEnd: of a long line the end is shown, where a number would be.
func TestMessagesShowTheEnd(t *testing.T) {
	long := strings.Repeat(".", 3000) + " acc=0.9"
	for _, how := range []string{"last", "only", "regex:f1=(.*)", "json:acc"} {
		x, _ := ParseExtraction(how, false)
		_, _, err := x.Find([]byte(long+"\n"), false)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), `. acc=0.9"`) || len(err.Error()) > 200 {
			t.Errorf("%s: %v", how, err)
		}
	}
}
