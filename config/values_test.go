package config

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// What a text means as a value of each kind.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		setting, text string
		want          any
	}{
		{"namespace", "", ""},
		{"namespace", " a\tb ", " a\tb "},
		{"namespace", "Größe", "Größe"},
		{"strict", "true", true},
		{"strict", "1", true},
		{"strict", "T", true},
		{"strict", "False", false},
		{"strict", "0", false},
		{"jobs", "0", 0},
		{"jobs", "007", 7},
		{"jobs", "+3", 3},
		{"jobs", "9223372036854775807", 9223372036854775807},
		{"rtol-stderr", ".1", 0.1},
		{"rtol-stderr", "1e-3", 0.001},
		{"rtol-stderr", "0", 0.0},
		{"rtol-stderr", "5", 5.0},
		{"ignore", "a,b", []string{"a,b"}},
		{"ignore-arg", "03", []int{3}},
		{"ignore-arg", "-1", []int{-1}}, // which the rules refuse
		{"timeout", "0", time.Duration(0)},
		{"timeout", "-0", time.Duration(0)},
		{"timeout", "90", 90 * time.Second},
		{"timeout", "0.5", 500 * time.Millisecond},
		{"timeout", ".5", 500 * time.Millisecond},
		{"timeout", "1e2", 100 * time.Second},
		{"timeout", "1_000", 1000 * time.Second},
		{"timeout", "90s", 90 * time.Second},
		{"timeout", "1h30m", 90 * time.Minute},
		{"timeout", "1.5h", 90 * time.Minute},
		{"timeout", "50ms", 50 * time.Millisecond},
		{"timeout", "010", 10 * time.Second},
		{"keep-output", "0", Bytes(0)},
		{"keep-output", "2048", Bytes(2048)},
		{"keep-output", "2KiB", Bytes(2048)},
		{"keep-output", "2 KiB", Bytes(2048)},
		{"keep-output", "2k", Bytes(2048)},
		{"keep-output", "2kb", Bytes(2048)},
		{"keep-output", "2KIB", Bytes(2048)},
		{"keep-output", "512B", Bytes(512)},
		{"keep-output", "1MiB", Bytes(1 << 20)},
		{"keep-output", "1m", Bytes(1 << 20)},
		{"repeat", "true", Repeat{On: true}},
		{"repeat", "false", Repeat{}},
		{"repeat", "1", Repeat{On: true, Samples: 1}},
		{"repeat", "05", Repeat{On: true, Samples: 5}},
		{"track", "none", "none"},
		{"paths", "project", "project"},
	} {
		s := named(t, c.setting)
		var settings Settings
		if err := s.set(s.field(&settings), []string{c.text}); err != nil {
			t.Errorf("%s %q: %v", c.setting, c.text, err)
		} else if got := value(s, &settings); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q is %#v, not %#v", c.setting, c.text, got, c.want)
		}
	}
}

// What is no value of each kind.
func TestWrongValues(t *testing.T) {
	for _, c := range []struct {
		setting string
		texts   []string
		reason  string // of the text
	}{
		{"strict", []string{"", "yes", "on", "2", "tRUE", " true"}, "%q is neither true nor false"},
		{"jobs", []string{"", "-1", "1.0", "1e3", "0x10", "1_000", "9223372036854775808", "two"}, "%q is no whole number from 0 on"},
		{"rtol-stderr", []string{"", "-0.1", "NaN", "Inf", "1e999", "0,1", "5%"}, "%q is no number from 0 on"},
		{"ignore-arg", []string{"", "1.0", "x"}, "%q is no whole number"},
		{"ignore", []string{" ", ",", "\t"}, "%q is no name"},
		{"timeout", []string{"", "5 s", "5x", "s", "NaN", "Inf", "1e9", "0:30"}, "%q is no time; give it as 90s, 5m or 1h30m"},
		{"timeout", []string{"-1", "-1s", "-1ns"}, "%q is less than no time"},
		{"keep-output", []string{"", "K", "-1", "2MiB", "1048577", "1.5K", "2X", "2iB", "2KiBMiB", "9223372036854775807K"}, "%q is no size from 0 to 1MiB; give it as 2048 or 2KiB"},
		{"repeat", []string{"", "0", "-1", "1.5", "True", "yes"}, "%q is no number of samples from 1 on"},
		{"env", []string{"", "A=B", "=", "A\x00"}, "%q is no name of a variable"},
		{"untracked", []string{"../x", "a/../b"}, "%q has a .. in it; a pattern may begin with the name of any folder, or with /"},
		{"untracked", []string{"a[", "{a", "a\\"}, "%q is no pattern: a bracket, a brace or a backslash lacks its other half"},
		{"pass-env", []string{"", "A=B"}, "%q is no name of a variable"},
		{"track", []string{"", "all", "ARGS", "args,none"}, "%q is none of auto, reads, args, none"},
	} {
		for _, text := range c.texts {
			err := named(t, c.setting).Parse(text)
			if want := fmt.Sprintf(c.reason, text); err == nil || err.Error() != want {
				t.Errorf("%s %q: %v, not: %s", c.setting, text, err, want)
			}
		}
	}
}
