package placeholder

import (
	"context"
	"errors"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dvlcache/cache/key"
)

// expand puts one line into a command.
func expand(t interface{ Fatal(...any) }, rules key.Rules, command []string, v Value) (Call, error) {
	template, err := Parse(command, false)
	if err != nil {
		t.Fatal(err)
	}
	return template.Expand(rules, func(name string) (Value, error) {
		if name != "" {
			return Value{}, errors.New("there is no field")
		}
		return v, nil
	})
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		command, line string
		args          string // with | between
		file          string
	}{
		{"p --x {}", "1, 4", "p|--x|1, 4", ""},
		{"p --x {...}", "1,4,7", "p|--x|1|4|7", ""},
		{"p --x {...}", " 1  4\t7 ", "p|--x|1|4|7", ""},
		{"p --x {...} -v", "", "p|--x|-v", ""},
		{"p {...}", "New York, Paris", "p|New York|Paris", ""},
		{"p {...}", "-1,-2.5e3", "p|-1|-2.5e3", ""},
		{"p {...}", "1,1,4", "p|1|1|4", ""},
		{"p -- {...}", "-v,--w", "p|--|-v|--w", ""},
		{"p x=[{}] {...}", "1,4", "p|x=[1,4]|1|4", ""},
		{"p x={ranges}", "1,2,3,7", "p|x=1-3,7", ""},
		{"p {ranges}", "3,1,2,2,3,9,8", "p|3,1-2,2-3,9,8", ""},
		{"p {ranges}", "", "p|", ""},
		{"p {ranges}", "1 2", "p|1-2", ""},
		{"p --x {file}", "1,4,7", "p|--x|{file}", "1\n4\n7\n"},
		{"p --x={file}", "", "p|--x={file}", ""},
		{"p {a} ${x} {a, b}", "1", "p|{a}|${x}|{a, b}", ""},
		{"{} {}", "1", "{}|1", ""},
	} {
		command := strings.Split(c.command, " ")
		if c.command == "p {a} ${x} {a, b}" {
			command = []string{"p", "{a}", "${x}", "{a, b}"}
		}
		got, err := expand(t, key.Rules{}, command, Value{Text: c.line})
		if err != nil {
			t.Errorf("%s, %q: %v", c.command, c.line, err)
			continue
		}
		file := ""
		for _, f := range got.Files {
			file, _ = f.Text()
		}
		if args := strings.Join(got.Args, "|"); args != c.args || file != c.file {
			t.Errorf("%s, %q: %s and %q, want %s and %q", c.command, c.line, args, file, c.args, c.file)
		}
	}
}

func TestFormsRefused(t *testing.T) {
	for _, arg := range []string{"x={...}", "{...}{...}", "{}{...}", "a{file}", "{file}.txt", "a=b={file}", "{}={file}", "@{file}"} {
		var wrong *Error
		if _, err := Parse([]string{"p", arg}, false); !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Reason, arg+": ") || wrong.Hint == "" {
			t.Errorf("%s: %v", arg, err)
		}
	}
	for _, c := range [][2]string{
		{"{...}", "1,,4"}, {"{...}", "1,4,"}, {"{...}", "1,-v"}, {"{...}", "--indices"}, {"{...}", "a\x00b"}, {"{}", "a\x00b"},
		{"{ranges}", "1,-2"}, {"{ranges}", "01"}, {"{ranges}", "a"}, {"{ranges}", "1-3"}, {"{ranges}", "1.0"}, {"{ranges}", "99999999999999999999"},
		{"{file}", "1,,4"}, {"{file}", "a\nb,c"},
	} {
		var wrong *Error
		if got, err := expand(t, key.Rules{}, []string{"p", c[0]}, Value{Text: c[1]}); !errors.As(err, &wrong) {
			t.Errorf("%s of %q: %q, %v", c[0], c[1], got.Args, err)
		}
	}
}

// TestRulesOfPlaces: no rule makes one call of subsets that differ in an item.
func TestRulesOfPlaces(t *testing.T) {
	for _, c := range []struct {
		command string
		rules   key.Rules
		refused string // the rule, or empty
	}{
		{"p {...}", key.Rules{IgnoreArg: []int{3}}, "--ignore-arg 3"},
		{"p {...} out.txt", key.Rules{IgnoreArg: []int{1}}, "--ignore-arg 1"},
		{"p d.csv --x {...} -v out.txt", key.Rules{ByContentArg: []int{1, 5}}, "--by-content-arg 5"},
		{"p d.csv {...}", key.Rules{UnorderedArg: []string{"2"}}, "--unordered-arg 2"},
		{"p d.csv {...}", key.Rules{UnorderedArg: []string{"3..."}}, "--unordered-arg 3..."},
		{"p -v --x {...}", key.Rules{Ignore: []string{"v", "x"}}, "--ignore x"},
		{"p {...} --x {...}", key.Rules{Ignore: []string{"x"}}, "--ignore x"},
		{"p {...} {}", key.Rules{UnorderedArg: []string{"1..."}}, "--unordered-arg 1..."},
		{"p -v --x {...} s={}", key.Rules{Unordered: []string{"v", "x..."}}, "--unordered x..."},
		{"p {} {...}", key.Rules{UnorderedArg: []string{"2..."}}, ""},
		{"p {...} d.csv --seed {}", key.Rules{UnorderedArg: []string{"1..."}}, ""},
		{"p --x {...} --seed {}", key.Rules{Unordered: []string{"x..."}}, ""},
		{"p out.txt {...}", key.Rules{IgnoreArg: []int{1}}, ""},
		{"p d.csv {...}", key.Rules{UnorderedArg: []string{"1", "2..."}}, ""},
		{"p --x {...} --y 3", key.Rules{Ignore: []string{"y"}}, ""},
		{"p --x {} out.txt", key.Rules{IgnoreArg: []int{3}, Ignore: []string{"x"}}, ""},
	} {
		template, err := Parse(strings.Fields(c.command), false)
		if err != nil {
			t.Fatal(err)
		}
		var wrong *Error
		err = template.Check(c.rules)
		if (err != nil) != (c.refused != "") || err != nil && (!errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.refused+": ") || wrong.Hint == "") {
			t.Errorf("%s under %+v: %v", c.command, c.rules, err)
		}
	}
}

func TestFields(t *testing.T) {
	template, err := Parse([]string{"p", "{a}", "{a...}", "{b:file}", "x={c:ranges}", "{file}", "{:file}", "{...}"}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := template.Fields(); !slices.Equal(got, []string{"a", "b", "c", "file"}) {
		t.Errorf("fields %q", got)
	}
	values := map[string]Value{"a": Items([]string{"New York", "1"}), "b": {Text: "3 4"}, "c": {Text: "5,6"}, "file": {Text: "f"}, "": {Text: "line"}}
	got, err := template.Expand(key.Rules{}, func(name string) (Value, error) { return values[name], nil })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"p", "New York,1", "New York", "1", "{file}", "x=5-6", "f", "{file}", "line"}; !slices.Equal(got.Args, want) {
		t.Errorf("%q, want %q", got.Args, want)
	}
	if want := []key.File{key.NewFile(4, 0, "3\n4\n"), key.NewFile(7, 0, "line\n")}; !reflect.DeepEqual(got.Files, want) {
		t.Errorf("%+v, want %+v", got.Files, want)
	}
}

// TestShell: a program gets the arguments that a shell would give it.
func TestShell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		separator := rapid.SampledFrom([]string{",", " "}).Draw(t, "separator")
		signs := `0-9a-zé'"$*?~#;&|(){}=\\`
		if separator == "," {
			signs += " "
		}
		items := rapid.SliceOfN(rapid.StringMatching(`[0-9a-zé'"$*?~#;&|(){}=\\]([`+signs+`-]*[0-9a-z])?`), 0, 6).Draw(t, "items")
		line := strings.Join(items, separator)
		if separator == "," && len(items) == 1 && strings.Contains(line, " ") {
			return // its blanks separate
		}
		for template, words := range map[string]string{"{...}": "$1", "{}": `"$1"`, "--x={}": `--x="$1"`, "a[{}]b": `a["$1"]b`} {
			got, err := expand(t, key.Rules{}, []string{"p", "--indices", template, "--k", "{} {"}, Value{Text: line})
			if err != nil {
				t.Fatal(err)
			}
			out, err := osexec.Command("sh", "-fc", "IFS='"+separator+"'; printf '%s\\0' p --indices "+words+` --k "$1 {"`, "sh", line).Output()
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got.Args, want) {
				t.Fatalf("%s of %q: %q, and from a shell %q", template, line, got.Args, want)
			}
		}
	})
}

// TestNoTwoSubsetsShareAnEntry: subsets have one key if they are the same items in the
// same order or, under --unordered, in any; and a call by hand has the key of the line.
func TestNoTwoSubsetsShareAnEntry(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "p")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	keyOf := func(t *rapid.T, rules key.Rules, args []string, files []key.File) key.Key {
		normal, err := rules.Normalize()
		if err != nil {
			t.Fatal(err)
		}
		c, err := key.Identify(ctx, key.CallSpec{Args: args, Files: files, Program: program, Rules: normal, TrackArgs: true, Paths: key.PathsAbsolute}, key.NewDigests(""))
		if err != nil {
			t.Fatal(err)
		}
		return c.Key
	}
	// Templates, and the rule under which the subset has no order.
	templates := []struct {
		args      []string
		unordered key.Rules
	}{
		{[]string{"--x", "{}", "-v"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"x=[{}]"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"d.csv", "{}"}, key.Rules{UnorderedArg: []string{"2"}}},
		{[]string{"--x", "{...}", "-v", "7"}, key.Rules{Unordered: []string{"x..."}}},
		{[]string{"-v", "--x", "{...}"}, key.Rules{Unordered: []string{"x..."}, IgnoreSwitch: []string{"v"}}},
		{[]string{"d.csv", "{...}"}, key.Rules{UnorderedArg: []string{"2..."}}},
		{[]string{"{...}", "--k", "3"}, key.Rules{UnorderedArg: []string{"1..."}, Ignore: []string{"k"}}},
		{[]string{"--", "{...}"}, key.Rules{UnorderedArg: []string{"2..."}}},
		{[]string{"--x", "{file}"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"--x={file}", "3"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"d.csv", "{file}"}, key.Rules{UnorderedArg: []string{"2"}}},
		{[]string{"--x", "{ranges}"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"x={ranges}", "3"}, key.Rules{Unordered: []string{"x"}}},
		{[]string{"d.csv", "{ranges}"}, key.Rules{UnorderedArg: []string{"2"}}},
	}
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SampledFrom(templates).Draw(t, "template")
		pattern := `-?[0-9]{1,2}|[a-c]{1,2}|New York`
		switch one := strings.Join(x.args, " "); {
		case strings.Contains(one, "ranges"):
			pattern = `[0-9]|1[0-9]`
		case strings.Contains(one, "{}"): // "-1,4" is a flag, for programs too
			pattern = strings.TrimPrefix(pattern, "-?")
		}
		list := rapid.SliceOfN(rapid.StringMatching(pattern), 0, 5)
		a := list.Draw(t, "a")
		b := rapid.OneOf(list, rapid.Permutation(a)).Draw(t, "b")
		ordered := rapid.Bool().Draw(t, "ordered")
		rules := x.unordered
		if ordered {
			rules = key.Rules{}
		}
		command := slices.Concat([]string{program}, x.args)
		var keys [2]key.Key
		for i, items := range [][]string{a, b} {
			call, err := expand(t, rules, command, Items(items))
			if err != nil {
				t.Fatal(err)
			}
			keys[i] = keyOf(t, rules, call.Args, call.Files)
			byHand, given := slices.Clone(call.Args), rules
			for _, f := range call.Files {
				n++
				name := filepath.Join(dir, "f"+string(rune('a'+n%26)))
				text, _ := f.Text()
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				byHand[f.Arg] = byHand[f.Arg][:f.At] + name
				if strings.HasPrefix(x.args[0], "--x") {
					given.ByContent = []string{"x"}
				} else {
					given.ByContentArg = []int{f.Arg}
				}
			}
			if keyOf(t, given, byHand, nil) != keys[i] {
				t.Fatalf("%q by hand is another call than %q of %q", byHand, x.args, items)
			}
		}
		same := slices.Equal(a, b)
		if !ordered {
			same = maps.Equal(counts(a), counts(b))
			if slices.ContainsFunc(slices.Concat(a, b), func(it string) bool { return strings.Contains(it, " ") }) && !slices.Equal(a, b) {
				// With blanks in items, more than a comma may separate.
				if keys[0] == keys[1] && !same {
					t.Fatalf("%q of %q and of %q share an entry", x.args, a, b)
				}
				return
			}
		}
		if same != (keys[0] == keys[1]) {
			t.Fatalf("%q of %q and of %q: one entry is %v", x.args, a, b, keys[0] == keys[1])
		}
	})
}

// counts tells how often each item is there.
func counts(items []string) map[string]int {
	n := map[string]int{}
	for _, it := range items {
		n[it]++
	}
	return n
}

func TestFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	entries := func() (names []string) {
		list, err := os.ReadDir(os.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			names = append(names, e.Name())
		}
		return names
	}
	f := &Folder{}
	name, err := f.Make("1\n4\n")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "1\n4\n" || !filepath.IsAbs(name) {
		t.Errorf("%s holds %q, %v", name, text, err)
	}
	if info, err := os.Stat(f.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	f.Remove(name, false)
	if _, err := os.Stat(name); err == nil {
		t.Error("it is there still")
	}
	// Another finds the folder of one who lives, and leaves it.
	second := &Folder{}
	if _, err := second.Make(""); err != nil || len(entries()) != 2 {
		t.Errorf("%v, %q", err, entries())
	}
	second.Close()
	// One that was killed doesn't hold its lock any more.
	f.lock.Unlock()
	third := &Folder{}
	kept, err := third.Make("7\n")
	if err != nil || len(entries()) != 1 {
		t.Errorf("%v, %q", err, entries())
	}
	// A program that lives on keeps its file.
	third.Remove(kept, true)
	third.Close()
	fourth := &Folder{}
	if _, err := fourth.Make(""); err != nil {
		t.Error(err)
	}
	fourth.Close()
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
