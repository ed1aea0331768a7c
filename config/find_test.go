//go:build unix

package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loaded is Load without flags, with the texts of its error and its warnings.
func loaded() (s *Settings, wrong string, warnings []string) {
	s, _, err := Load(nil)
	if err != nil {
		return &Settings{}, err.Error(), nil
	}
	for _, w := range s.Warnings {
		warnings = append(warnings, w.Error())
	}
	return s, "", warnings
}

// A user's file that can't be had is told of and passed over; one that is wrong is an
// error, and one that isn't there is nothing. A project's file that can't be had is an
// error: its rules may be what keeps an answer right.
func TestFilesThatCannotBeHad(t *testing.T) {
	circle := func(t *testing.T, path string) { link(t, path, path) }
	for _, c := range []struct {
		what          string
		user, project func(t *testing.T, path string)
		wrong, warned string // USER and PROJECT are the files
	}{
		{what: "none"},
		{what: "a home that is no folder", user: func(t *testing.T, path string) { link(t, os.DevNull, filepath.Dir(path)) }},
		{what: "a user's file that is nothing", user: func(t *testing.T, path string) { link(t, os.DevNull, path) }},
		{what: "a user's folder", user: folder, warned: "USER: it can't be read, so what it says doesn't count: is a directory"},
		{what: "a user's dangling link", user: func(t *testing.T, path string) { link(t, "nowhere", path) },
			warned: "USER: it can't be read, so what it says doesn't count: no such file or directory"},
		{what: "a user's link in a circle", user: circle, warned: "USER: it can't be read, so what it says doesn't count: too many levels of symbolic links"},
		{what: "a folder of the user's in a circle", user: func(t *testing.T, path string) { circle(t, filepath.Dir(path)) },
			warned: "USER: it can't be read, so what it says doesn't count: too many levels of symbolic links"},
		{what: "a user's pipe", user: pipe, warned: "USER: it can't be read, so what it says doesn't count: it is no file"},
		{what: "a user's file that is wrong", user: func(t *testing.T, path string) { write(t, path, "jobs: x") },
			wrong: `USER: jobs: "x" is no whole number from 0 on`},
		{what: "a project's folder", project: folder, wrong: "PROJECT: is a directory"},
		{what: "a project's dangling link", project: func(t *testing.T, path string) { link(t, "nowhere", path) }, wrong: "PROJECT: no such file or directory"},
		{what: "a project's pipe", project: pipe, wrong: "PROJECT: it is no file"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			if c.user != nil {
				c.user(t, w.userFile)
			}
			if c.project != nil {
				c.project(t, w.file())
			}
			_, wrong, warnings := loaded()
			named := strings.NewReplacer("USER", w.userFile, "PROJECT", w.file())
			if wrong != named.Replace(c.wrong) || strings.Join(warnings, "; ") != named.Replace(c.warned) {
				t.Errorf("error %q, warnings %q", wrong, warnings)
			}
		})
	}
}

// Both endings are read, with a byte order mark and without; where both are there, one
// would be passed over.
func TestEndings(t *testing.T) {
	for _, mark := range []string{"", "\ufeff"} {
		for _, ending := range endings {
			w := newWorld(t)
			write(t, strings.TrimSuffix(w.file(), ".yaml")+ending, mark+"depends-on: data\n")
			write(t, strings.TrimSuffix(w.userFile, ".yaml")+ending, mark+"jobs: 3\n")
			s, wrong, _ := loaded()
			if wrong != "" || s.Jobs != 3 || !reflect.DeepEqual(s.DependsOn, []string{filepath.Join(w.project, "data")}) {
				t.Errorf("%q: %s: %+v", mark+ending, wrong, s)
			}
		}
	}
	w := newWorld(t)
	write(t, filepath.Join(w.project, "dvlcache.yml"), "")
	write(t, w.file(), "")
	if _, wrong, _ := loaded(); wrong != w.file()+": dvlcache.yml is there, too" {
		t.Errorf("of both it is said: %s", wrong)
	}
	os.Remove(w.file())
	write(t, w.userFile, "")
	write(t, strings.TrimSuffix(w.userFile, "yaml")+"yml", "")
	if _, wrong, _ := loaded(); wrong != w.userFile+": config.yml is there, too" {
		t.Errorf("of both of the user's it is said: %s", wrong)
	}
}

// A ~ before a path is the user's home folder, wherever a setting that is a path comes
// from.
func TestHome(t *testing.T) {
	for _, s := range All() {
		if !s.isPath && s.Name != "memcached" {
			continue
		}
		for text, want := range map[string]string{"~/a/b": "HOME/a/b", "~": "HOME", "/a/~": "/a/~", "~other/a": "", "/~/a": "/~/a"} {
			for _, from := range []string{"flag", "environment", "user", "project", "program"} {
				if from == "project" && s.byUser || from == "program" && !s.ofRun() {
					continue
				}
				w := newWorld(t)
				flags := map[string][]string{}
				switch from {
				case "flag":
					flags[s.Name] = []string{text}
				case "environment":
					t.Setenv(s.Variable(), text)
				case "user":
					write(t, w.userFile, s.Name+": \""+text+"\"\n")
				case "project":
					write(t, w.file(), s.Name+": \""+text+"\"\n")
				case "program":
					write(t, w.file(), "programs: [{name: x, "+s.Name+": \""+text+"\"}]\n")
				}
				got, _, err := Load(flags)
				if os.Unsetenv(s.Variable()); want == "" {
					if err == nil || !strings.Contains(err.Error(), `"~other/a": ~other is not looked up; write the folder out`) {
						t.Errorf("%s of %q from %s: %v", s.Name, text, from, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				values := []string{}
				switch v := value(s, got).(type) {
				case string:
					values = []string{v}
				case []string:
					values = v
				}
				if from == "program" {
					values = s.InProgram(&got.Programs[0])
				}
				home, _ := os.UserHomeDir()
				if want := strings.Replace(want, "HOME", home, 1); !reflect.DeepEqual(values, []string{want}) {
					t.Errorf("%s of %q from %s is %q", s.Name, text, from, values)
				}
			}
		}
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}
