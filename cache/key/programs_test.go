package key

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeyOfPrograms: what a #! line names, and what a launcher starts, counts as it
// is found. Each case has a file that is edited, and says whether the key moves; or,
// without one, whether another folder first on PATH moves it.
func TestKeyOfPrograms(t *testing.T) {
	const env = "#!/usr/bin/env "
	for _, tt := range []struct {
		name  string
		lines map[string]string // of scripts
		call  string            // what is called; the program is the file of the first word
		edit  string
		moves bool
	}{
		{"a script", map[string]string{"train.sh": env + "tool"}, "train.sh", "", true},
		{"a script, edited interpreter", map[string]string{"train.sh": env + "tool"}, "train.sh", "one/tool", true},
		{"an option", map[string]string{"train.sh": env + "-S tool -u"}, "train.sh", "one/tool", true},
		{"quotes", map[string]string{"train.sh": env + "-S 'my tool' -u"}, "train.sh", "one/my tool", true},
		{"an assignment", map[string]string{"train.sh": env + "-S A=1 tool"}, "train.sh", "one/tool", true},
		{"a PATH", map[string]string{"train.sh": env + "-S PATH=two:${PATH} tool"}, "train.sh", "two/tool", true},
		{"a variable", map[string]string{"train.sh": env + "-S ${TOOL} -u"}, "train.sh", "three/tool", true},
		{"a launcher", map[string]string{"train.sh": env + "-S timeout 60 tool"}, "train.sh", "one/tool", true},
		{"a launcher without env", map[string]string{"train.sh": "#!/usr/bin/nice tool"}, "train.sh", "one/tool", true},
		{"any interpreter", map[string]string{"train.sh": "#!" + "./three/tool tool"}, "train.sh", "one/tool", true},
		{"a script on the line", map[string]string{"train.sh": env + "-S sh helper"}, "train.sh", "helper", true},
		{"a script on the line, its interpreter", map[string]string{"train.sh": env + "-S ./helper", "helper": env + "tool"}, "train.sh", "one/tool", true},
		{"a file of an option on the line", map[string]string{"train.sh": env + "-S sh --rc=helper"}, "train.sh", "helper", true},
		{"a script's argument", map[string]string{"train.sh": "#!/bin/sh helper"}, "train.sh", "helper", true},
		{"no slash", map[string]string{"train.sh": "#!helper"}, "train.sh", "helper", true},
		{"no slash, elsewhere", map[string]string{"train.sh": "#!three/tool"}, "train.sh", "three/tool", true},
		{"an env of one's own", map[string]string{"train.sh": "#!./env tool"}, "train.sh", "env", true},
		{"interpreters of interpreters", map[string]string{"train.sh": "#!./helper", "helper": "#!./two/tool", "two/tool": env + "tool"}, "train.sh", "one/tool", true},
		{"itself", map[string]string{"train.sh": "#!./train.sh"}, "train.sh", "one/tool", false},
		{"no PATH", map[string]string{"train.sh": "#!./three/tool"}, "train.sh", "", false},

		{"behind timeout", map[string]string{"train.sh": env + "tool"}, "timeout 60 ./train.sh", "", true},
		{"behind nice", map[string]string{"train.sh": env + "tool"}, "nice -n 5 ./train.sh", "one/tool", true},
		{"behind env", map[string]string{"train.sh": env + "tool"}, "env A=1 ./train.sh", "one/tool", true},
		{"behind env with a PATH", map[string]string{"train.sh": env + "tool"}, "env PATH=two ./train.sh", "two/tool", true},
		{"behind env, in a flag", map[string]string{"train.sh": env + "tool"}, "env --x=./train.sh", "one/tool", true},
		{"behind two", map[string]string{"train.sh": env + "tool"}, "nice timeout 60 ./train.sh", "", true},
		{"behind an unknown one", map[string]string{"train.sh": env + "tool"}, "wrapper ./train.sh", "", true},
		{"behind python", map[string]string{"helper": env + "tool"}, "python3 helper", "one/tool", true},
		{"its slash", map[string]string{"train.sh": "#!helper"}, "timeout 60 ./train.sh", "helper", true},
		{"a word", nil, "env A=1 tool", "", true},
		{"a word behind an option", nil, "timeout -k 5 60 tool", "one/tool", true},
		{"a word behind =", nil, "make PY=tool", "one/tool", true},
		{"a word in an option", nil, "uv run --python=tool x", "one/tool", true},
		{"a word's interpreter", map[string]string{"one/script": env + "tool"}, "env script", "one/tool", true},
		{"what env splits", nil, "env -S 'tool' -u", "one/tool", true},
		{"what env splits, from the next word", nil, "env -i -S tool", "one/tool", true},
		{"a file that env splits", nil, "env -Ssh~helper", "helper", true},
		{"a script that env splits", map[string]string{"helper": env + "tool"}, "env -S./helper~1", "one/tool", true},
		{"a word in the working directory", nil, "env helper", "helper", true},
		{"a word of another program", nil, "wrapper tool", "", false},
		{"another PATH", nil, "env PATH=two tool", "two/tool", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := project(t, "one/tool", "one/my tool", "two/tool", "three/tool", "bin/x", "helper", "env")
			for file, text := range tt.lines {
				writeFile(t, file, text+"\n")
			}
			path := os.Getenv("PATH")
			t.Setenv("TOOL", "three/tool")
			words := strings.Fields(tt.call)
			for i, w := range words {
				words[i] = strings.Trim(strings.ReplaceAll(w, "~", " "), "'")
			}
			if words[0] != "train.sh" {
				writeFile(t, filepath.Join(dir, "bin", words[0]), "")
				words[0] = "bin/" + words[0]
			}
			key := func(first string) Key {
				t.Setenv("PATH", first+":"+path)
				return identify(t, CallSpec{Program: "./" + words[0]}, words[1:]...).Key
			}
			for _, first := range []string{filepath.Join(dir, "one"), "one", "x:./one/"} {
				before := key(first)
				if tt.edit == "" {
					if moved := key("two:"+first) != before; moved != tt.moves {
						t.Errorf("PATH=%s: another folder moves the key: %v", first, moved)
					}
					continue
				}
				text, err := os.ReadFile(tt.edit)
				if err != nil {
					t.Fatal(err)
				}
				writeFile(t, tt.edit, string(text)+"# edited")
				if moved := key(first) != before; moved != tt.moves {
					t.Errorf("PATH=%s: an edit moves the key: %v", first, moved)
				}
			}
		})
	}
}

// TestKeyOfEmptyPath: an empty entry of PATH is the working directory.
func TestKeyOfEmptyPath(t *testing.T) {
	project(t, "tool", "env")
	for _, path := range []string{"", ":/bin", "/bin:", "/bin::/usr/bin"} {
		t.Setenv("PATH", path)
		before := identify(t, CallSpec{Program: "./env"}, "tool", "./tool").Key
		if n := len(identify(t, CallSpec{Program: "./env"}, "tool").Parts); n < 4 {
			t.Errorf("PATH=%q: tool isn't found", path)
		}
		writeFile(t, "tool", path+"edited")
		if identify(t, CallSpec{Program: "./env"}, "tool", "./tool").Key == before {
			t.Errorf("PATH=%q: the tool doesn't count", path)
		}
	}
}

// TestKeyOfExpandedLines: what env makes of variables on a #! line are arguments.
func TestKeyOfExpandedLines(t *testing.T) {
	project(t, "wrapper")
	writeFile(t, "train.sh", "#!/usr/bin/env -S A=${OTHER} sh -${OPTION}\n")
	for _, call := range [][]string{{"./train.sh"}, {"./wrapper", "./train.sh"}} {
		key := func(option, other string) Key {
			t.Setenv("OPTION", option)
			t.Setenv("OTHER", other)
			return identify(t, CallSpec{Program: call[0]}, call[1:]...).Key
		}
		if key("e", "") == key("x", "") {
			t.Errorf("%q: an option does not count", call)
		}
		if c := identify(t, CallSpec{Program: call[0]}, call[1:]...); strings.Contains(fmt.Sprint(c.Command(false).Parts), `"sh"`) {
			t.Errorf("%q: what isn't to be recorded is", call)
		}
		if key("e", "1") != key("e", "2") {
			t.Errorf("%q: a variable that is set counts", call)
		}
	}
}

// TestKeyOfUnknownLines: what a #! line starts that can't be told has no key.
func TestKeyOfUnknownLines(t *testing.T) {
	project(t, "env", "wrapper")
	for _, line := range []string{"#!/usr/bin/env -S 'tool", "#!/usr/bin/env -S -C dir tool", "#!/bin/sh " + strings.Repeat("x", 300), "#!/usr/bin/env -S $TOOL"} {
		writeFile(t, "train.sh", line+"\n")
		for _, call := range [][]string{{"./train.sh"}, {"./env", "A=1", "./train.sh"}, {"./wrapper", "./train.sh"}, {"./wrapper", "--x=./train.sh"}} {
			spec := CallSpec{Args: call, Program: call[0], TrackArgs: true, Paths: PathsAbsolute}
			var unreadable *UnreadableError
			if _, err := Identify(context.Background(), spec, NewDigests("")); !errors.As(err, &unreadable) {
				t.Errorf("%.30s: %q: %v", line, call, err)
			}
		}
	}
}

// TestRulesBeforeWords: a value that a rule leaves out, or takes for one of a set,
// is no program, whatever is found on PATH by that name.
func TestRulesBeforeWords(t *testing.T) {
	dir := project(t, "one/tool", "one/task", "env")
	t.Setenv("PATH", filepath.Join(dir, "one")+":"+os.Getenv("PATH"))
	for _, tt := range []struct {
		rules Rules
		a, b  string
	}{
		{Rules{Ignore: []string{"tag"}}, "--tag tool", "--tag alice"},
		{Rules{Ignore: []string{"tag"}}, "--tag=tool", "--tag=alice"},
		{Rules{Ignore: []string{"tag"}}, "tag=tool", "tag=alice"},
		{Rules{Ignore: []string{"PATH"}}, "PATH=one", "PATH=two"},
		{Rules{IgnoreArg: []int{2}}, "A=1 tool", "A=1 alice"},
		{Rules{IgnoreArg: []int{1}}, "-Stool", "-Salice"},
		{Rules{Unordered: []string{"features..."}}, "--features tool task x", "--features x task tool"},
		{Rules{Unordered: []string{"features"}}, "--features tool,task", "--features task,tool"},
		{Rules{IgnoreSwitch: []string{"tool"}}, "--tool --x", "--x"},
	} {
		key := func(args string) Key {
			return identify(t, CallSpec{Program: "./env", Rules: tt.rules}, strings.Fields(args)...).Key
		}
		before := key(tt.a)
		if key(tt.b) != before {
			t.Errorf("%+v: %s and %s have two keys", tt.rules, tt.a, tt.b)
		}
		for _, name := range []string{"one/tool", "one/task"} {
			writeFile(t, name, tt.a+tt.b+fmt.Sprint(tt.rules))
		}
		if key(tt.a) != before {
			t.Errorf("%+v: %s counts what is found on PATH", tt.rules, tt.a)
		}
	}
}
