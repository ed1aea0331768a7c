package cmd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSubsetScreens: on a terminal a subset is its size and how it differs, what commands
// share is there once, and explain's verdict fits in a line; in a pipe and in JSON all is
// whole.
func TestSubsetScreens(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\nprintf '%s\\n' \"$@\" | cksum | cut -d ' ' -f 1\n")
	forms := map[string]func(points []string) []string{
		"many":    func(points []string) []string { return append([]string{"--indices"}, points...) },
		"one":     func(points []string) []string { return []string{"--indices", strings.Join(points, ",")} },
		"assigns": func(points []string) []string { return []string{"indices=[" + strings.Join(points, ",") + "]"} },
	}
	for _, tt := range []struct {
		form, rule, what string
		n                int
	}{
		{"many", "", "--indices", 3}, {"many", "", "--indices", 400}, {"many", "indices...", "--indices", 20_000},
		{"one", "", "--indices", 3}, {"one", "indices", "--indices", 400}, {"one", "", "--indices", 20_000},
		{"assigns", "", "indices", 400}, {"assigns", "indices", "indices", 20_000},
	} {
		name := fmt.Sprintf("%s of %d %s", tt.form, tt.n, tt.rule)
		flags := []string{"--namespace", name}
		if tt.rule != "" {
			flags = append(flags, "--unordered", tt.rule)
		}
		without := func(points ...int) []string {
			var list []string
			for i := range tt.n {
				if !slices.Contains(points, i) {
					list = append(list, strconv.Itoa(i))
				}
			}
			return append([]string{"./train.sh", "--epochs", "20"}, forms[tt.form](list)...)
		}
		for _, points := range [][]int{nil, {0}, {1}} {
			b.number(slices.Concat([]string{"run"}, flags, []string{"--"}, without(points...))...)
		}
		t.Run(name, func(t *testing.T) {
			var calls [][]string
			keys := map[string]string{} // by what is missing
			for line := range strings.Lines(b.number("list", "--json", "--namespace", name)) {
				var e struct {
					Key     string
					Command []string
				}
				if err := json.Unmarshal([]byte(line), &e); err != nil {
					t.Fatal(err)
				}
				calls = append(calls, e.Command)
				for _, points := range [][]int{nil, {0}, {1}} {
					if slices.Equal(e.Command, without(points...)) {
						keys[fmt.Sprint(points)] = e.Key
					}
				}
			}
			if len(calls) != 3 || len(keys) != 3 {
				t.Fatalf("%d calls, of which %d are as they were made", len(calls), len(keys))
			}
			long := tt.n > 100
			sizes := []string{fmt.Sprintf("(%d", tt.n), fmt.Sprintf("(%d", tt.n-1), ", lacks 0)", ", lacks 1)", fmt.Sprintf(": 0-%d)", tt.n-1)}
			verdict := fmt.Sprintf("miss: %s lacks 2 (nearest of 3 stored)\n", tt.what)
			if !long {
				sizes, verdict = nil, fmt.Sprintf("miss: differs in %s only: ", tt.what)
			}
			explain := slices.Concat([]string{"explain"}, flags, []string{"--"}, without(2))
			for _, width := range []int{60, 80, 200} {
				for _, s := range []struct {
					args []string
					has  []string
				}{
					{[]string{"list", "--namespace", name}, sizes},
					{[]string{"stats", "--namespace", name}, sizes},
					{[]string{"show", keys["[1]"]}, nil},
					{explain, nil},
				} {
					where := fmt.Sprintf("%s at %d columns", s.args[0], width)
					shown := strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(b.screen(width, s.args...))
					for _, text := range s.has {
						if !strings.Contains(shown, text) {
							t.Errorf("%s: no %q:\n%s", where, text, shown)
						}
					}
					for line := range strings.Lines(shown) {
						begins := []string{"key ", "directory ", "program ", "command ", "interpreter ", "output ", "inputs"}
						if !long {
							begins = append(begins, "miss: ", "  --indices ")
						}
						whole := slices.ContainsFunc(begins, func(begin string) bool { return strings.HasPrefix(line, begin) })
						if n := columns(strings.TrimSuffix(line, "\n")); n > width && !whole {
							t.Errorf("%s: a line of %d:\n%s", where, n, line)
						}
					}
					switch s.args[0] {
					case "list", "stats":
						if n := strings.Count(shown, "./train.sh --epochs 20"); long && n != 1 {
							t.Errorf("%s: what is shared is there %d times:\n%s", where, n, shown)
						}
					case "show":
						for line := range strings.Lines(shown) {
							if strings.HasPrefix(line, "command ") && columns(line) > max(width, 80) {
								t.Errorf("%s: %s", where, line)
							}
						}
						if text := fmt.Sprintf(": 0,2-%d)", tt.n-1); long && !strings.Contains(shown, text) {
							t.Errorf("%s: no %q:\n%s", where, text, shown)
						}
					case "explain":
						if !strings.HasPrefix(shown, verdict) {
							t.Errorf("%s: %s", where, shown)
						}
					}
				}
			}
			for _, call := range calls { // as they can be typed
				if text := b.number("show", "--namespace", name, keys["[]"]); !strings.Contains(text, wordsText(without())) {
					t.Errorf("show in a pipe isn't whole")
				}
				if text := b.number("list", "--namespace", name); !strings.Contains(text, wordsText(call)) {
					t.Errorf("list in a pipe isn't whole")
				}
			}
			first, _, _ := strings.Cut(b.number(explain...), "\n")
			if !strings.HasPrefix(first+"\n", verdict) {
				t.Errorf("explain in a pipe: %.200s", first)
			}
		})
	}
}

// TestFileScreens: on a terminal subsets that a program gets in files are told apart, and
// stand for what {file} is in the command.
func TestFileScreens(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\ncksum <\"$2\" | cut -d ' ' -f 1\n")
	for _, points := range []string{"1-2", "1-12"} {
		if _, stderr, status := b.run("value", "-q", "--method", "loo", "--points", points, "--", "./train.sh", "--indices", "{file}"); status != 0 {
			t.Fatal(stderr)
		}
	}
	for _, args := range [][]string{{"list"}, {"stats"}} {
		for _, width := range []int{60, 200} {
			shown := b.screen(width, args...)
			for _, text := range []string{"{file}", "(11 of them", "(12 of them: 1-12)", "(2 of them: 1,2)", "(1 of them: 2)"} {
				if args[0] == "list" && !strings.Contains(shown, text) {
					t.Errorf("%q in %d columns shows no %q:\n%s", args, width, text, shown)
				}
			}
			if n := strings.Count(shown, "of them"); n < 10 {
				t.Errorf("%q in %d columns shows %d subsets:\n%s", args, width, n, shown)
			}
		}
	}
}
