package config

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What is wrong in a file, and how it is said.
func TestWrongFile(t *testing.T) {
	const list = "'dvlcache config' lists the settings"
	for _, c := range []struct{ text, want, hint string }{
		// Names.
		{"namespce: x", "namespce: there is no such setting", "did you mean namespace?"},
		{"Namespace: x", "Namespace: there is no such setting", "did you mean namespace?"},
		{"TTL: 5s", "TTL: there is no such setting", "did you mean ttl?"},
		{"time_threshold: 5s", "time_threshold: there is no such setting", "did you mean time-threshold?"},
		{"memcached.ca: x", "memcached.ca: there is no such setting", "did you mean memcached-ca?"},
		{"program: []", "program: there is no such setting", "did you mean programs?"},
		{"name: a.sh", "name: there is no such setting", list},
		{"qqqqqqqq: x", "qqqqqqqq: there is no such setting", list},
		{"1: x", "1: there is no such setting", list},
		{"? [a, b]\n: x", "a setting's name is expected in line 1", ""},
		{"timeout: 5s\n? {dir: x}\n: y", "a setting's name is expected in line 2", ""},
		{"ignore: &dir [a]\n*dir : x", "a setting's name is expected in line 2", ""},
		{"<<: {ttl: 5s}", "<<: there is no such setting", list},
		{"ttl: 5s\nttl: 5s", "ttl: it is given twice", ""},
		{"ttl: 5s\n\"ttl\": 6s", "ttl: it is given twice", ""},
		// Values.
		{"ttl:", "ttl: it has no value", ""},
		{"ttl: ~", "ttl: it has no value", ""},
		{"ttl: null", "ttl: it has no value", ""},
		{"ttl: [5s]", "ttl: it takes one value, not a list", ""},
		{"ttl: {x: 5s}", "ttl: it takes a value, not keys of its own", ""},
		{"memcached: {ca: x}", "memcached: it takes a value, not keys of its own", ""},
		{"ignore: {a: b}", "ignore: it takes a value, not keys of its own", ""},
		{"ignore: [a, ~]", "ignore: it has no value", ""},
		{"ignore:\n- a\n-", "ignore: it has no value", ""},
		{"ignore: [[a]]", "ignore: its list may hold plain values only", ""},
		{"ignore: [a: b]", "ignore: its list may hold plain values only", ""},
		{"ignore: &a [*a]", "ignore: its list may hold plain values only", ""},
		{"ignore-arg: [1, two]", `ignore-arg: "two" is no whole number`, ""},
		{"strict: yes", `strict: "yes" is neither true nor false`, ""},
		{"strict: []", "strict: it takes one value, not a list", ""},
		{"jobs: 1.5", `jobs: "1.5" is no whole number from 0 on`, ""},
		{"jobs: 0x10", `jobs: "0x10" is no whole number from 0 on`, ""},
		{"track: None", `track: "None" is none of auto, reads, args, none`, ""},
		{"track: \"\"", `track: "" is none of auto, reads, args, none`, ""},
		// Programs.
		{"programs:", "programs: it takes a list", programsHint},
		{"programs: {train.sh: {ignore: a}}", "programs: it takes a list", programsHint},
		{"programs: train.sh", "programs: it takes a list", programsHint},
		{"programs: [train.sh]", `programs[0]: it is no list of settings, one "name: value" a line`, ""},
		{"programs: &p [*p]", `programs[0]: it is no list of settings, one "name: value" a line`, ""},
		{"programs: [{ignore: a}]", "programs[0]: it has no name", programsHint},
		{"programs: [{name: a, ignore: b}, {name: \"\"}]", "programs[1]: it has no name", programsHint},
		{"programs: [{name: ~}]", "programs[0].name: it has no value", ""},
		{"programs: [{name: null}]", "programs[0].name: it has no value", ""},
		{"programs: [{name: [a, b]}]", "programs[0].name: it takes one value, not a list", ""},
		{"programs: [{name: {a: b}}]", "programs[0].name: it takes a value, not keys of its own", ""},
		{"programs: [{name: ./a.sh}]", `programs[0].name: "./a.sh": give the base name alone, a.sh`, ""},
		{"programs: [{name: /bin/a.sh}]", `programs[0].name: "/bin/a.sh": give the base name alone, a.sh`, ""},
		{"programs: [{name: a, ignored: b}]", "programs[0].ignored: there is no such setting", "did you mean ignore?"},
		{"programs: [{nam: a, ignore: b}]", "programs[0].nam: there is no such setting", "did you mean name?"},
		{"programs: [{name: a, ttl: 5s}]", "programs[0].ttl: it can be set for all programs only", ""},
		{"programs: [{name: a, programs: []}]", "programs[0].programs: there is no such setting", list},
		{"programs: [{name: a, ignore: b, ignore: c}]", "programs[0].ignore: it is given twice", ""},
		{"programs: [{name: a, name: b}]", "programs[0].name: it is given twice", ""},
		{"programs: [{name: a, ignore: }]", "programs[0].ignore: it has no value", ""},
		{"programs: [{name: a, ignore-arg: x}]", `programs[0].ignore-arg: "x" is no whole number`, ""},
		{"programs: [{name: a, env: [B, C=D]}]", `programs[0].env: "C=D" is no name of a variable`, ""},
		{"programs: [{name: a, depends-on: \"\"}]", "programs[0].depends-on: it names no file or folder", ""},
		{"depends-on: [\"\"]", "depends-on: it names no file or folder", ""},
		{"programs: []\nprograms: []", "programs: it is given twice", ""},
		// YAML.
		{"a: [", "yaml: line 1: did not find expected node content", ""},
		{"\tttl: 5s", "yaml: found character that cannot start any token", ""},
		{"ttl: 5s\n---\njobs: 2", "it holds more than one YAML document", ""},
		{"ttl: 5s\n---\njobs: [", "yaml: line 3: did not find expected node content", ""},
		{"ttl: 5s\n...\njobs: [", "yaml: line 2: did not find expected <document start>", ""},
		{"ttl: 5s\n]", "yaml: line 1: did not find expected key", ""},
		{"{ttl: 5s}\njobs: 2", "yaml: line 1: did not find expected <document start>", ""},
		{"ttl: 5s\n---\n- a\n...\nb: 2", "it holds more than one YAML document", ""},
		{"---\n---\nttl: 5s", "it holds more than one YAML document", ""},
		{"[ttl]", `it is no list of settings, one "name: value" a line`, ""},
		{"ttl", `it is no list of settings, one "name: value" a line`, ""},
		{"jobs: *a", "yaml: unknown anchor 'a' referenced", ""},
	} {
		path := filepath.Join(t.TempDir(), "dvlcache.yaml")
		_, err := parseFile(path, []byte(c.text), false)
		wrong := &Error{}
		if !errors.As(err, &wrong) || err.Error() != path+": "+c.want || wrong.Hint != c.hint {
			t.Errorf("%q:\n%v, hint %q; not\n%s, hint %q", c.text, err, wrong.Hint, c.want, c.hint)
		}
	}
}

// The rules for single programs, and for which they hold.
func TestPrograms(t *testing.T) {
	w := newWorld(t)
	write(t, w.userFile, `
ignore: [everywhere]
programs:
  - name: train.sh
    env: [SEED]
    depends-on: [mine.csv]
`)
	write(t, w.file(), `
ignore-arg: 9
programs:
  - {name: train.sh, ignore: job-id, ignore-arg: [1, 2], depends-on: [data/iris.csv, /abs.csv]}
  - {name: Train.SH, ignore-switch: v}
  - name: eval.py
    ignore: []
    unordered: [indices...]
    pass-env: [SLURM_ARRAY_TASK_ID]
  - {name: 007}
  - {name: train.sh, ignore: again}
`)
	s, origins, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(filepath.Dir(w.userFile), "mine.csv")
	iris := filepath.Join(w.project, "data/iris.csv")
	type said = map[string][]string
	wanted := []Program{
		{"train.sh", w.userFile, said{"env": {"SEED"}, "depends-on": {mine}}},
		{"train.sh", w.file(), said{"ignore": {"job-id"}, "ignore-arg": {"1", "2"}, "depends-on": {iris, "/abs.csv"}}},
		{"Train.SH", w.file(), said{"ignore-switch": {"v"}}},
		{"eval.py", w.file(), said{"ignore": nil, "unordered": {"indices..."}, "pass-env": {"SLURM_ARRAY_TASK_ID"}}},
		{"007", w.file(), said{}},
		{"train.sh", w.file(), said{"ignore": {"again"}}},
	}
	if !reflect.DeepEqual(s.Programs, wanted) {
		t.Fatalf("the programs are\n%+v\nnot\n%+v", s.Programs, wanted)
	}
	for _, c := range []struct {
		names string
		want  Settings
	}{
		{"other.sh", Settings{Ignore: []string{"everywhere"}, IgnoreArg: []int{9}}},
		{"", Settings{Ignore: []string{"everywhere"}, IgnoreArg: []int{9}}},
		{"train.sh", Settings{Ignore: []string{"everywhere", "job-id", "again"}, IgnoreArg: []int{9, 1, 2},
			DependsOn: []string{mine, iris, "/abs.csv"}, Env: []string{"SEED"}}},
		{"Train.SH", Settings{Ignore: []string{"everywhere"}, IgnoreArg: []int{9}, IgnoreSwitch: []string{"v"}}},
		{"python3 eval.py", Settings{Ignore: []string{"everywhere"}, IgnoreArg: []int{9},
			Unordered: []string{"indices..."}, PassEnv: []string{"SLURM_ARRAY_TASK_ID"}}},
		{"Train.SH eval.py", Settings{Ignore: []string{"everywhere"}, IgnoreArg: []int{9}, IgnoreSwitch: []string{"v"},
			Unordered: []string{"indices..."}, PassEnv: []string{"SLURM_ARRAY_TASK_ID"}}},
	} {
		got, _ := s.For(origins, strings.Fields(c.names)...)
		for _, set := range All() {
			if !set.Repeated() {
				continue
			}
			if a, b := value(set, got), value(set, &c.want); !reflect.DeepEqual(a, b) {
				t.Errorf("for %q, %s is %v, not %v", c.names, set.Name, a, b)
			}
		}
	}
	// What held for one program holds for no other after it.
	if len(s.Ignore) != 1 || len(s.IgnoreArg) != 1 || s.Env != nil {
		t.Errorf("the rules of programs have come into %+v", s)
	}
}

// Whatever a file holds, it is taken or refused, in one line that begins with its
// name; what is taken can be loaded.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		"", "ttl: 5s\n", "ignore: [a, b]", "programs: [{name: a, ignore: b}]", "a: &x [*x]", "? [a]\n: b", "---\n---", "<<: *a",
		"ttl: !!binary YQ==", "dir: |\n  a\n  b\n", "\xef\xbb\xbfttl: 5s", "ttl: \"\\0\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		const path = "dvlcache.yaml"
		f, err := parseFile(path, []byte(text), true)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Where != path || strings.Contains(wrong.Reason, "\n") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		v, err := newViper(nil, []*file{f})
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range f.values {
			s := find(All(), name)
			if got := texts(s, v.Get(name)); len(got) != len(values.([]string)) {
				t.Errorf("%q: %s is %q, not %q", text, name, got, values)
			}
		}
	})
}
