package number

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestJSONAsPythonWritesIt(t *testing.T) {
	for _, tt := range []struct {
		path, out, finite, nonfinite string // "!": none
	}{
		{"f1", `{"loss": NaN, "f1": 0.5}`, "0.5", "0.5"},
		{"f1", `{"f1": 0.5, "loss": NaN}`, "0.5", "0.5"},
		{"f1", `{"a":[NaN,-Infinity,{"b":Infinity}],"f1":0.5}`, "0.5", "0.5"},
		{"a.1", `{"a": [NaN, 2, Infinity]}`, "2", "2"},
		{"f1", "{\n  \"loss\": NaN,\n  \"f1\": 0.5\n}\n", "0.5", "0.5"},
		{"f1", "epoch 1: NaN\n{\"loss\":NaN,\"f1\":0.5}\n", "0.5", "0.5"},
		{"acc", `{"acc": NaN}`, "!", "NaN"},
		{"acc", `{"acc":Infinity}`, "!", "Infinity"},
		{"acc", `{"acc": -Infinity }`, "!", "-Infinity"},
		{"a.2", `{"a": [NaN, 2, -Infinity]}`, "!", "-Infinity"},
		{"acc", `{"acc": "NaN"}`, "!", "!"},
		{"acc", `{"acc": nan}`, "!", "!"},
		{"acc", `{"acc": inf}`, "!", "!"},
		{"acc", `{"acc": +Infinity}`, "!", "!"},
		{"acc", `{"acc": NaNs}`, "!", "!"},
		{"acc", `{"acc": 1NaN}`, "!", "!"},
		{"acc", `{"acc": NaN 1}`, "!", "!"},
		{"acc", `{"acc": NaN`, "!", "!"},
		{"f1", `{NaN: 1, "f1": 0.5}`, "!", "!"},
		{"f1", `{"a NaN \" NaN, ": "\\", "f1": 0.5}`, "0.5", "0.5"},
		{"f1", `{"a": "\\", "b": NaN, "f1": 0.5, "c": ": NaN,"}`, "0.5", "0.5"},
		{"f1", `{"f1": NaN, "f1": 0.5}`, "!", "!"},
	} {
		for nonfinite, want := range map[bool]string{false: tt.finite, true: tt.nonfinite} {
			x, err := ParseExtraction("json:"+tt.path, nonfinite)
			if err != nil {
				t.Fatal(err)
			}
			_, text, err := x.Find([]byte(tt.out), false)
			if (err != nil) != (want == "!") || err == nil && text != want {
				t.Errorf("%s of %s, nonfinite %v: %q, %v; want %s", tt.path, tt.out, nonfinite, text, err, want)
			}
		}
	}
}

// TestJSONWithNonfinite: wherever NaN and infinities stand, each number is found as
// it is, and no string is taken for one.
func TestJSONWithNonfinite(t *testing.T) {
	leaf := rapid.SampledFrom([]string{"NaN", "Infinity", "-Infinity", "0.5", "-1e3", "null", "true", `"NaN"`, `"\"NaN"`, `", NaN,"`, `"\\"`, `""`})
	blank := rapid.SampledFrom([]string{"", " ", "\n", "\t "})
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]string{} // by path
		var doc func(path string, depth int) string
		doc = func(path string, depth int) string {
			var b strings.Builder
			space := func() { b.WriteString(blank.Draw(t, "blank")) }
			kind := rapid.IntRange(0, 2).Draw(t, "kind")
			if depth == 0 || kind == 0 && path != "" {
				space()
				v := leaf.Draw(t, "leaf")
				want[path] = v
				b.WriteString(v)
				space()
				return b.String()
			}
			object := kind == 1
			b.WriteByte("[{"[kind&1])
			n := rapid.IntRange(0, 4).Draw(t, "n")
			for i := range n {
				key := fmt.Sprint(i)
				if i > 0 {
					b.WriteByte(',')
				}
				if object {
					space()
					key = fmt.Sprintf("k%d", i)
					fmt.Fprintf(&b, "%q", key)
					space()
					b.WriteByte(':')
				}
				b.WriteString(doc(strings.TrimPrefix(path+"."+key, "."), depth-1))
			}
			space()
			b.WriteByte("]}"[kind&1])
			return b.String()
		}
		text := doc("", rapid.IntRange(1, 3).Draw(t, "depth"))
		if _, ok := ParseJSON([]byte(text)); !ok {
			t.Fatalf("%s is refused", text)
		}
		for path, v := range want {
			x, err := ParseExtraction("json:"+path, true)
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := x.Find([]byte(text), false)
			isNumber := v != "null" && v != "true" && v[0] != '"'
			if isNumber && (err != nil || got != v) || !isNumber && err == nil {
				t.Fatalf("%s of %s: %q, %v; want %s", path, text, got, err, v)
			}
		}
		// A byte less is no JSON.
		if i := rapid.IntRange(0, len(text)-1).Draw(t, "i"); strings.ContainsAny(text[i:i+1], "[]{}:\"") {
			if broken := text[:i] + text[i+1:]; accepted(broken) {
				var any any
				finite := strings.NewReplacer("-Infinity", "0", "Infinity", "0", "NaN", "0").Replace(broken)
				if json.Unmarshal([]byte(finite), &any) != nil {
					t.Fatalf("%s is taken", broken)
				}
			}
		}
	})
}

func accepted(text string) bool {
	_, ok := ParseJSON([]byte(text))
	return ok
}
