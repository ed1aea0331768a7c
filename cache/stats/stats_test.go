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

// TestStatsBehindLinks: nothing is counted in, made in or read from what a link leads
// to, in the place of the folder or of a file.
func TestStatsBehindLinks(t *testing.T) {
	one := Counts{Hits: 1}
	for _, what := range []string{"the folder", "a file", "a file that isn't there"} {
		t.Run(what, func(t *testing.T) {
			theirs := New(filepath.Join(t.TempDir(), "stats"))
			theirs.Add("n", one)
			if c, err := theirs.Read(nil); err != nil || c[Hits] == 0 {
				t.Skip("this system has no statistics: ", err)
			}
			s := New(filepath.Join(t.TempDir(), "stats"))
			link, target := s.path("n"), theirs.path("n")
			switch what {
			case "the folder":
				link, target = s.dir, theirs.dir
			case "a file that isn't there":
				target += "-not"
				fallthrough
			default:
				if err := os.Mkdir(s.dir, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
			s.Add("n", one)
			s.Add("m", one)
			if c, _ := s.Read(nil); what == "the folder" && c != (Counts{}) {
				t.Errorf("read by the link: %v", c)
			}
			if got := s.Namespaces()["n"]; got != (Counts{}) {
				t.Errorf("read by the link: %v", got)
			}
			if c, err := theirs.Read(nil); err != nil || c != one {
				t.Errorf("%v, %v", c, err)
			}
			if left, _ := os.ReadDir(theirs.dir); len(left) != 1 {
				t.Errorf("there are %d files", len(left))
			}
		})
	}
}
