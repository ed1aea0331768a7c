package stats

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStatsThatAreNone: what holds no statistics is set aside under a name of
// its own, each time, and said.
func TestStatsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	s := New(filepath.Join(dir, "stats"))
	said := 0
	s.Notice = func(string) { said++ }
	one := Counts{Hits: 1}
	s.Add("n", one)
	if c, err := s.Read(nil); err != nil || c[Hits] == 0 {
		t.Skip("this system has no statistics: ", err)
	}
	for i, injure := range []func(path string) error{
		func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		func(path string) error { return os.WriteFile(path, make([]byte, 5000), 0o600) },
		func(path string) error { os.Remove(path); return os.Mkdir(path, 0o700) },
	} {
		if err := injure(s.path("n")); err != nil {
			t.Fatal(err)
		}
		s.Add("n", one)
		if c, err := s.Read(nil); err != nil || c[Hits] != 1 {
			t.Errorf("%d hits, %v", c[Hits], err)
		}
		if kept, _ := filepath.Glob(s.path("n") + ".broken-*"); len(kept) != i+1 || said != i+1 {
			t.Errorf("%d files are kept, and it was said %d times, after %d injuries", len(kept), said, i+1)
		}
	}
}
