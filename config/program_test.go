package config

import (
	"reflect"
	"testing"
)

// TestForOneProgram: what is a setting of a run may be said for one program, and goes
// behind flags and variables, and before what a file says for all.
func TestForOneProgram(t *testing.T) {
	w := newWorld(t)
	write(t, w.userFile, `
extract: json:user
timeout: 1m
programs:
  - {name: train.py, extract: json:user-program, repeat: 7, format: tsv}
`)
	write(t, w.file(), `
extract: json:all
track: args
programs:
  - {name: train.py, extract: json:program, default: 0.5, no-record-command: true, pass-env: [A]}
  - {name: python3, extract: json:python, timeout: 5m, rtol-stderr: 0.5}
  - {name: other.py, paths: project, timeout: 7m}
`)
	type want map[string][2]string // value and origin
	file, user := w.file(), w.userFile
	for _, c := range []struct {
		flags, environment map[string]string
		names              []string
		want               want
	}{
		{nil, nil, []string{"ls"}, want{"extract": {"json:all", file}, "timeout": {"1m", user}, "default": {"", "default"}, "paths": {"absolute", "default"}}},
		{nil, nil, []string{"train.py"}, want{"extract": {"json:program", file + ", for train.py"}, "repeat": {"7", user + ", for train.py"}, "format": {"tsv", user + ", for train.py"},
			"timeout": {"1m", user}, "default": {"0.5", file + ", for train.py"}, "track": {"args", file}, "no-record-command": {"true", file + ", for train.py"}}},
		// The script goes before what starts it, wherever the two stand.
		{nil, nil, []string{"python3", "train.py"}, want{"extract": {"json:program", file + ", for train.py"}, "timeout": {"5m", file + ", for python3"}, "rtol-stderr": {"0.5", file + ", for python3"}}},
		{nil, nil, []string{"python3", "other.py"}, want{"extract": {"json:python", file + ", for python3"}, "timeout": {"7m", file + ", for other.py"}, "paths": {"project", file + ", for other.py"}}},
		{map[string]string{"extract": "last"}, map[string]string{"DVLCACHE_TIMEOUT": "9s", "DVLCACHE_EXTRACT": "only"}, []string{"python3", "train.py"},
			want{"extract": {"last", "flag --extract"}, "timeout": {"9s", "environment DVLCACHE_TIMEOUT"}, "default": {"0.5", file + ", for train.py"}}},
		{nil, map[string]string{"DVLCACHE_EXTRACT": "only"}, []string{"train.py"}, want{"extract": {"only", "environment DVLCACHE_EXTRACT"}}},
		// Lists are added to, whoever gives them.
		{map[string]string{"pass-env": "B"}, nil, []string{"train.py"}, want{"pass-env": {"B,A", "flag --pass-env; " + file + ", for train.py"}}},
		{nil, nil, []string{"train.py"}, want{"pass-env": {"A", file + ", for train.py"}}},
	} {
		flags := map[string][]string{}
		for name, value := range c.flags {
			flags[name] = []string{value}
		}
		t.Run("", func(t *testing.T) {
			for name, value := range c.environment {
				t.Setenv(name, value)
			}
			s, origins, err := Load(flags)
			if err != nil {
				t.Fatal(err)
			}
			before := *s
			got, from := s.For(origins, c.names...)
			if !reflect.DeepEqual(*s, before) {
				t.Error("the settings for all have changed")
			}
			for _, o := range from {
				if w, ok := c.want[o.Setting.Name]; ok && (o.Value != w[0] || o.From != w[1]) {
					t.Errorf("%v: %s is %q of %q, not %q of %q", c.names, o.Setting.Name, o.Value, o.From, w[0], w[1])
				}
				if shown := o.Value; !o.Setting.Repeated() { // what is shown is what holds
					var as Settings
					if err := o.Setting.set(o.Setting.field(&as), []string{shown}); err == nil && !reflect.DeepEqual(value(o.Setting, &as), value(o.Setting, got)) && o.Setting.Name != "dir" {
						t.Errorf("%v: %s is shown as %q and is %v", c.names, o.Setting.Name, shown, value(o.Setting, got))
					}
				}
			}
		})
	}
}

// TestOfRun: each setting of a run may be said for one program, none of the store, and
// a wrong value is refused before any program is run.
func TestOfRun(t *testing.T) {
	for _, s := range All() {
		value := s.Default
		switch {
		case s.Repeated():
			value = "[x]"
			if _, numbers := s.field(&Settings{}).(*[]int); numbers {
				value = "[1]"
			}
		case value == "":
			value = "1"
		}
		w := newWorld(t)
		write(t, w.file(), "programs: [{name: a, "+s.Name+": "+value+"}]\n")
		_, _, err := Load(nil)
		if want := s.ofRun(); (err == nil) != want {
			t.Errorf("%s for one program: %v", s.Name, err)
		}
	}
	w := newWorld(t)
	write(t, w.file(), "programs: [{name: a, timeout: never}]\n")
	if _, _, err := Load(nil); err == nil || err.Error() != w.file()+`: programs[0].timeout: "never" is no time; give it as 90s, 5m or 1h30m` {
		t.Errorf("%v", err)
	}
}
