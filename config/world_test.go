package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// world is where settings are looked for: a user's file, a project, and a folder
// of the project in which we are.
type world struct {
	project, here string
	userFile      string
}

// newWorld makes one without any setting.
func newWorld(t *testing.T) *world {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix) {
			t.Setenv(name, "")
		}
	}
	// Without links, as Getwd gives it.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	w := &world{project: filepath.Join(dir, "project"), here: filepath.Join(dir, "project", "sub", "here"), userFile: userFile()}
	if err := os.MkdirAll(w.here, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(w.here)
	return w
}

// file is where the project has its settings.
func (w *world) file() string { return filepath.Join(w.project, "dvlcache.yaml") }

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func named(t *testing.T, name string) *Setting {
	t.Helper()
	s := find(All(), name)
	if s == nil {
		t.Fatalf("there is no setting %q", name)
	}
	return s
}

// value is what a setting has become.
func value(s *Setting, in *Settings) any { return reflect.ValueOf(s.field(in)).Elem().Interface() }

// from says where a setting comes from and how it is shown.
func from(t *testing.T, origins []Origin, name string) Origin {
	t.Helper()
	for _, o := range origins {
		if o.Setting.Name == name {
			return o
		}
	}
	t.Fatalf("%q has no origin", name)
	return Origin{}
}
