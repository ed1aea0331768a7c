package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample is a value of a setting: as text, and what it means.
type sample struct {
	text string
	want any
}

// samples are two values that a setting may have.
func samples(s *Setting) [2]sample {
	switch {
	case s.Name == "backend": // memcached wants a server
		return [2]sample{{"memory", "memory"}, {"bolt", "bolt"}}
	case s.choices != nil:
		return [2]sample{{s.choices[1], s.choices[1]}, {s.choices[0], s.choices[0]}}
	}
	switch s.field(&Settings{}).(type) {
	case *string:
		return [2]sample{{"/one", "/one"}, {"/two", "/two"}}
	case *[]string:
		return [2]sample{{"/one", []string{"/one"}}, {"/two", []string{"/two"}}}
	case *[]int:
		return [2]sample{{"1", []int{1}}, {"2", []int{2}}}
	case *bool:
		return [2]sample{{"true", true}, {"false", false}}
	case *int:
		return [2]sample{{"7", 7}, {"8", 8}}
	case *float64:
		return [2]sample{{"0.25", 0.25}, {"2", 2.0}}
	case *time.Duration:
		return [2]sample{{"90", 90 * time.Second}, {"2m", 2 * time.Minute}}
	case *Bytes:
		return [2]sample{{"4096", Bytes(4096)}, {"1KiB", Bytes(1024)}}
	case *Repeat:
		return [2]sample{{"5", Repeat{On: true, Samples: 5}}, {"true", Repeat{On: true}}}
	}
	panic("no samples of " + s.Name)
}

// Each setting, from each set of places that give it: flags beat the environment,
// that the project's file, that the user's, and that the default.
func TestPrecedence(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			w := newWorld(t)
			places := []string{w.userFile, w.file(), "environment " + s.Variable(), "flag --" + s.Name}
			for given := range 1 << len(places) {
				if s.byUser && given&0b10 != 0 {
					continue // a project's file may not give it
				}
				for turn := range 2 {
					// The one that counts says one thing, and all others another.
					winner := byDefault
					flags := map[string][]string{}
					os.Remove(w.userFile)
					os.Remove(w.file())
					os.Unsetenv(s.Variable())
					for i, place := range places {
						if given&(1<<i) == 0 {
							continue
						}
						winner = place
						text := samples(s)[1-turn].text
						if given>>(i+1) == 0 {
							text = samples(s)[turn].text
						}
						switch i {
						case 0:
							write(t, w.userFile, s.Name+": "+text+"\n")
						case 1:
							write(t, w.file(), s.Name+": "+text+"\n")
						case 2:
							t.Setenv(s.Variable(), text)
						case 3:
							flags[s.Name] = []string{text}
						}
					}
					got, origins, err := Load(flags)
					if err != nil {
						t.Fatal(err)
					}
					o := from(t, origins, s.Name)
					if o.From != winner {
						t.Errorf("given %04b: it comes from %q, not from %q", given, o.From, winner)
					}
					if winner == byDefault {
						continue
					}
					if want := samples(s)[turn]; !reflect.DeepEqual(value(s, got), want.want) || o.Value != want.text {
						t.Errorf("given %04b: it is %v, shown as %q, not %v", given, value(s, got), o.Value, want.want)
					}
				}
			}
		})
	}
}

// What is given nowhere, each by itself.
func TestDefaults(t *testing.T) {
	newWorld(t)
	cacheDir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	got, origins, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Settings{
		Backend: "bolt", Dir: filepath.Join(cacheDir, "dvlcache"), Namespace: "default", LockTimeout: 5 * time.Second,
		Track: "auto", Paths: "absolute",
		Extract: "last", KeepOutput: 2048, Format: "value",
		Grace: 5 * time.Second, WaitTimeout: time.Minute,
		Jobs: 1, RtolStderr: 0.1, MinRepetitions: 3,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the defaults are\n%+v\nnot\n%+v", got, want)
	}
	if len(origins) != len(All()) {
		t.Errorf("%d of %d settings have an origin", len(origins), len(All()))
	}
	for _, o := range origins {
		if o.From != byDefault {
			t.Errorf("%s comes from %q", o.Setting.Name, o.From)
		}
	}
	if o := from(t, origins, "dir"); o.Value != want.Dir {
		t.Errorf("dir is shown as %q", o.Value)
	}
}

// What a place gives and the others don't, and what it says of lists and of
// nothing.
func TestPlaces(t *testing.T) {
	type place struct{ user, project, above, variable, text string }
	for _, c := range []struct {
		name    string
		place   place
		flags   []string
		setting string
		want    any
		from    string // USER and PROJECT stand for the files, ABOVE for one above the project's
	}{
		{"a list by flags", place{}, []string{"a", "b"}, "ignore", []string{"a", "b"}, "flag --ignore"},
		{"a list in the environment", place{variable: "DVLCACHE_IGNORE", text: "a,b"}, nil, "ignore", []string{"a", "b"}, "environment DVLCACHE_IGNORE"},
		{"a list in the environment with gaps", place{variable: "DVLCACHE_IGNORE", text: ",a,,b,"}, nil, "ignore", []string{"a", "b"}, "environment DVLCACHE_IGNORE"},
		{"numbers in the environment", place{variable: "DVLCACHE_IGNORE_ARG", text: "2,03"}, nil, "ignore-arg", []int{2, 3}, "environment DVLCACHE_IGNORE_ARG"},
		{"a list replaces those below it", place{user: "ignore: [a, b]", project: "ignore: [c]"}, nil, "ignore", []string{"c"}, "PROJECT"},
		{"… also an empty one", place{user: "ignore: [a, b]", project: "ignore: []"}, nil, "ignore", []string(nil), "PROJECT"},
		{"a list is not split in a file", place{project: "memcached: a:1,b:2"}, nil, "memcached", []string{"a:1,b:2"}, "PROJECT"},
		{"a variable without a value gives nothing", place{project: "namespace: p", variable: "DVLCACHE_NAMESPACE"}, nil, "namespace", "p", "PROJECT"},
		{"a value with commas", place{variable: "DVLCACHE_NAMESPACE", text: "a,b"}, nil, "namespace", "a,b", "environment DVLCACHE_NAMESPACE"},
		{"a value with an equals sign", place{variable: "DVLCACHE_EXTRACT", text: "regex:acc=(.*)"}, nil, "extract", "regex:acc=(.*)", "environment DVLCACHE_EXTRACT"},
		{"the last of a flag's values", place{}, []string{"a", "b"}, "namespace", "b", "flag --namespace"},
		{"an empty flag", place{variable: "DVLCACHE_NAMESPACE", text: "e"}, []string{""}, "namespace", "", "flag --namespace"},
		{"a switch that a flag turns off", place{project: "strict: true"}, []string{"false"}, "strict", false, "flag --strict"},
		{"its other variable", place{variable: "DVLCACHE_DISABLE", text: "1"}, nil, "no-cache", true, "environment DVLCACHE_DISABLE"},
		{"a user's file alone", place{user: "timeout: 90"}, nil, "timeout", 90 * time.Second, "USER"},
		{"the nearest file alone", place{project: "ttl: 5s", above: "namespace: far"}, nil, "namespace", "default", byDefault},
		{"a file further up", place{above: "namespace: far"}, nil, "namespace", "far", "ABOVE"},
		{"an empty file", place{project: "# nothing\n"}, nil, "namespace", "default", byDefault},
		{"a file that says null", place{project: "null\n"}, nil, "namespace", "default", byDefault},
		{"upper case and dots", place{project: "namespace: My.Data"}, nil, "namespace", "My.Data", "PROJECT"},
		{"digits that begin with zeros", place{project: "namespace: 007"}, nil, "namespace", "007", "PROJECT"},
		{"what YAML takes for octal", place{project: "jobs: 010"}, nil, "jobs", 10, "PROJECT"},
		{"what YAML takes for a boolean", place{project: "namespace: yes"}, nil, "namespace", "yes", "PROJECT"},
		{"what YAML takes for a date", place{project: "namespace: 2026-11-26"}, nil, "namespace", "2026-11-26", "PROJECT"},
		{"a float that is long", place{project: "default: 0.10"}, nil, "default", "0.10", "PROJECT"},
		{"a byte order mark and the ends of lines of Windows", place{project: "\xef\xbb\xbfttl: 5s\r\nnamespace: w\r\n"}, nil, "namespace", "w", "PROJECT"},
		{"an alias", place{project: "ignore: &names [a, b]\nunordered: *names"}, nil, "unordered", []string{"a", "b"}, "PROJECT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			above := filepath.Join(filepath.Dir(w.project), "dvlcache.yaml")
			for path, text := range map[string]string{w.userFile: c.place.user, w.file(): c.place.project, above: c.place.above} {
				if text != "" {
					write(t, path, text)
				}
			}
			if c.place.variable != "" {
				t.Setenv(c.place.variable, c.place.text)
			}
			flags := map[string][]string{}
			if c.flags != nil {
				flags[c.setting] = c.flags
			}
			got, origins, err := Load(flags)
			if err != nil {
				t.Fatal(err)
			}
			if v := value(named(t, c.setting), got); !reflect.DeepEqual(v, c.want) {
				t.Errorf("%s is %#v, not %#v", c.setting, v, c.want)
			}
			want := c.from
			if path, ok := map[string]string{"USER": w.userFile, "PROJECT": w.file(), "ABOVE": above}[c.from]; ok {
				want = path
			}
			o := from(t, origins, c.setting)
			if o.From != want {
				t.Errorf("%s comes from %q, not from %q", c.setting, o.From, want)
			}
			if text, ok := c.want.(string); ok && o.Value != text {
				t.Errorf("%s is shown as %q, not %q", c.setting, o.Value, text)
			}
		})
	}
}

// Of two variables of one setting, that of its name counts.
func TestOtherVariable(t *testing.T) {
	newWorld(t)
	t.Setenv("DVLCACHE_DISABLE", "true")
	t.Setenv("DVLCACHE_NO_CACHE", "false")
	got, origins, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := from(t, origins, "no-cache"); got.NoCache || o.From != "environment DVLCACHE_NO_CACHE" {
		t.Errorf("no-cache is %t, from %q", got.NoCache, o.From)
	}
}

// In a file, a path is relative to the file's folder; elsewhere to the working
// directory.
func TestRelativePaths(t *testing.T) {
	for _, c := range []struct{ place, text, want string }{
		{"project", "dir: cache", "PROJECT/cache"},
		{"project", "dir: ../cache", "PROJECT/../cache"},
		{"project", "dir: ./a/../cache", "PROJECT/cache"},
		{"project", "dir: /cache", "/cache"},
		{"user", "dir: cache", "USER/cache"},
		{"variable", "cache", "cache"},
		{"flag", "../cache", "../cache"},
	} {
		w := newWorld(t)
		flags := map[string][]string{}
		switch c.place {
		case "project":
			write(t, w.file(), c.text)
		case "user":
			write(t, w.userFile, c.text)
		case "variable":
			t.Setenv("DVLCACHE_DIR", c.text)
		case "flag":
			flags["dir"] = []string{c.text}
		}
		got, _, err := Load(flags)
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		switch {
		case strings.HasPrefix(want, "PROJECT/"):
			want = filepath.Join(w.project, want[len("PROJECT/"):])
		case strings.HasPrefix(want, "USER/"):
			want = filepath.Join(filepath.Dir(w.userFile), want[len("USER/"):])
		}
		if got.Dir != want {
			t.Errorf("%s, %q: the folder is %q, not %q", c.place, c.text, got.Dir, want)
		}
	}
}

// A folder without a name is the default, and is said to be.
func TestEmptyDir(t *testing.T) {
	w := newWorld(t)
	write(t, w.file(), `dir: ""`)
	for _, flags := range []map[string][]string{nil, {"dir": {""}}} {
		got, origins, err := Load(flags)
		if err != nil {
			t.Fatal(err)
		}
		cacheDir, _ := os.UserCacheDir()
		if o := from(t, origins, "dir"); got.Dir != filepath.Join(cacheDir, "dvlcache") || o.Value != got.Dir || o.From != byDefault {
			t.Errorf("%v: the folder is %q, shown as %q from %q", flags, got.Dir, o.Value, o.From)
		}
	}
	t.Setenv("HOME", "") // there is none
	got, origins, err := Load(nil)
	if o := from(t, origins, "dir"); err != nil || got.Dir != "" || o.Value != "" {
		t.Errorf("without HOME, the folder is %q, shown as %q; %v", got.Dir, o.Value, err)
	}
}

// What backend auto is, and what the others want.
func TestBackend(t *testing.T) {
	for _, c := range []struct {
		flags map[string][]string
		want  string
		err   string
	}{
		{nil, "bolt", ""},
		{map[string][]string{"memcached": {"a:1"}}, "memcached", ""},
		{map[string][]string{"memcached": {"a:1"}, "backend": {"bolt"}}, "bolt", ""},
		{map[string][]string{"memcached": {"a:1"}, "backend": {"auto"}}, "memcached", ""},
		{map[string][]string{"backend": {"memory"}}, "memory", ""},
		{map[string][]string{"backend": {"memcached"}}, "", "backend memcached: no server is given"},
		{map[string][]string{"folder": {"/x"}}, "folder", ""},
		{map[string][]string{"folder": {"/x"}, "backend": {"bolt"}}, "bolt", ""},
		{map[string][]string{"folder": {"/x"}, "memcached": {"a:1"}, "backend": {"folder"}}, "folder", ""},
		{map[string][]string{"folder": {"/x"}, "memcached": {"a:1"}}, "", "backend auto: memcached servers are given, and a folder"},
		{map[string][]string{"backend": {"folder"}}, "", "backend folder: no folder is given"},
		{map[string][]string{"backend": {"bold"}}, "", `--backend: "bold" is none of auto, bolt, folder, memory, memcached`},
		{map[string][]string{"backend": {""}}, "", `--backend: "" is none of auto, bolt, folder, memory, memcached`},
	} {
		newWorld(t)
		got, origins, err := Load(c.flags)
		if text := fmt.Sprint(err); err != nil && text != c.err || err == nil && (c.err != "" || got.Backend != c.want) {
			t.Errorf("%v: %+v, %v", c.flags, got, err)
		}
		if err == nil && from(t, origins, "backend").Value != c.want {
			t.Errorf("%v: the backend is shown as %q, not %q", c.flags, from(t, origins, "backend").Value, c.want)
		}
	}
}

// A value that is wrong is said with where it comes from.
func TestWrongValue(t *testing.T) {
	for _, c := range []struct{ place, text, want string }{
		{"variable", "soon", `DVLCACHE_TIMEOUT: "soon" is no time; give it as 90s, 5m or 1h30m`},
		{"variable", " 90", `DVLCACHE_TIMEOUT: " 90" is no time; give it as 90s, 5m or 1h30m`},
		{"flag", "-1s", `--timeout: "-1s" is less than no time`},
		{"flag", "", `--timeout: "" is no time; give it as 90s, 5m or 1h30m`},
		{"project", "timeout: 5 s", `PROJECT: timeout: "5 s" is no time; give it as 90s, 5m or 1h30m`},
		{"user", "timeout: 0:30", `USER: timeout: "0:30" is no time; give it as 90s, 5m or 1h30m`},
	} {
		w := newWorld(t)
		flags := map[string][]string{}
		want := c.want
		switch c.place {
		case "project":
			write(t, w.file(), c.text)
			want = w.file() + want[len("PROJECT"):]
		case "user":
			write(t, w.userFile, c.text)
			want = w.userFile + want[len("USER"):]
		case "variable":
			t.Setenv("DVLCACHE_TIMEOUT", c.text)
		case "flag":
			flags["timeout"] = []string{c.text}
		}
		if _, _, err := Load(flags); err == nil || err.Error() != want {
			t.Errorf("%s, %q: %v, not %s", c.place, c.text, err, want)
		}
	}
}
