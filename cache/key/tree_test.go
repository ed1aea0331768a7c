package key

import (
	"context"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeTree makes files; a name that ends with "/" is a folder, a text "-> x" a link.
func writeTree(t *testing.T, dir string, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch target, link := strings.CutPrefix(text, "-> "); {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case link:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// depends identifies a call of true that depends on a folder.
func depends(t *testing.T, dir string, change func(*CallSpec)) *Call {
	t.Helper()
	program, err := osexec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	spec := CallSpec{Args: []string{"true"}, Program: program, Paths: PathsAbsolute, DependsOn: []string{dir}, LookupEnv: os.LookupEnv}
	if change != nil {
		change(&spec)
	}
	c, err := Identify(context.Background(), spec, NewDigests(""))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func untracked(patterns ...string) func(*CallSpec) {
	return func(s *CallSpec) { s.Untracked = patterns }
}

func TestUntracked(t *testing.T) {
	for _, test := range []struct {
		pattern  string
		left, in string // files of which a change doesn't count, and counts
	}{
		{"*.log", "a.log sub/b.log sub/deep/.log", "log a.log.txt sub/c"},
		{"sub", "sub/x sub/deep/y", "subs/x x"},
		{"sub/", "sub/x top/sub/y", "top/sub2"},
		{"x/", "x/y", "other/x"},
		{"sub/*.pt", "sub/a.pt top/sub/b.pt", "a.pt sub/deep/c.pt"},
		{"./sub/*.pt", "sub/a.pt", "a.pt"},
		{"sub/**/*.pt", "sub/a.pt sub/deep/deeper/c.pt", "a.pt"},
		{"sub/**", "sub/a sub/deep/b", "subs/c"},
		{"**/sub/x", "sub/x top/sub/x", "x"},
		{"*.{log,tmp}", "a.log b.tmp", "c.txt"},
		{"run-[0-9]*", "run-1/x run-22", "run-x"},
		{"a?c", "abc", "abbc"},
		{`\*`, "*", "a"},
		{"DIR/sub/*.pt", "sub/a.pt", "top/sub/a.pt"},
		{"/sub", "", "sub/x"},
	} {
		t.Run(strings.ReplaceAll(test.pattern, "/", "|"), func(t *testing.T) {
			dir := t.TempDir()
			pattern := strings.ReplaceAll(test.pattern, "DIR", dir)
			files := map[string]string{"plain": "1"}
			for _, name := range strings.Fields(test.in) {
				files[name] = "1"
			}
			for _, name := range strings.Fields(test.left) { // their folders count, or not
				files[filepath.Dir(name)+"/"] = ""
			}
			writeTree(t, dir, files)
			before := depends(t, dir, untracked(pattern))
			for _, name := range strings.Fields(test.left) {
				files[name] = "1"
			}
			writeTree(t, dir, files)
			c := depends(t, dir, untracked(pattern))
			if c.Key != before.Key || !slices.Equal(c.Command(true).Untracked(), []string{pattern}) {
				t.Error("what is left out counts when it comes")
			}
			defer c.Watch()()
			for _, name := range strings.Fields(test.left) {
				writeTree(t, dir, map[string]string{name: "2"})
				if changed, _ := c.Changed(context.Background()); changed != "" || depends(t, dir, untracked(pattern)).Key != c.Key {
					t.Errorf("%s counts (%s)", name, changed)
				}
			}
			for _, name := range strings.Fields(test.in) {
				writeTree(t, dir, map[string]string{name: "2"})
				path := filepath.Join(dir, name)
				if changed, _ := c.Changed(context.Background()); changed != path || depends(t, dir, untracked(pattern)).Key == c.Key {
					t.Errorf("%s does not count (%s)", name, changed)
				}
				writeTree(t, dir, map[string]string{name: "1"})
				c = depends(t, dir, untracked(pattern))
			}
		})
	}
}

// TestUntrackedWithoutTheRule: what is left out and what isn't there differ. Only
// a folder makes a rule count.
func TestUntrackedWithoutTheRule(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"a": "1"})
	plain, ruled := depends(t, dir, nil), depends(t, dir, untracked("*.log"))
	if plain.Key == ruled.Key || depends(t, dir, func(s *CallSpec) { s.Gitignore = true }).Key == plain.Key {
		t.Error("a call with a rule answers one without")
	}
	file := filepath.Join(dir, "a")
	if depends(t, file, nil).Key != depends(t, file, untracked("*.log")).Key {
		t.Error("a rule counts where there is no folder")
	}
}

// TestChangedNamesTheFile: not the folder, nor another.
func TestChangedNamesTheFile(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(dir string) error
	}{
		{"sub/edited", func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub/edited"), []byte("2"), 0o644) }},
		{"sub/added", func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub/added"), nil, 0o644) }},
		{"sub/gone", func(dir string) error { return os.Remove(filepath.Join(dir, "sub/gone")) }},
		{"sub/folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, "sub/folder"), 0o755) }},
	} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"a": "", "sub/edited": "1", "sub/gone": "", "sub/z": ""})
		c := depends(t, dir, nil)
		time.Sleep(50 * time.Millisecond) // times are coarse
		if err := test.change(dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, test.name)
		if changed, _ := c.Changed(context.Background()); changed != path {
			t.Errorf("%s: it says %s", test.name, changed)
		}
		want := path
		if test.name == "sub/gone" || test.name == "sub/folder" {
			want = filepath.Dir(path) // which of what was there is not recorded
		}
		now := depends(t, dir, nil)
		if now.Key == c.Key {
			t.Errorf("%s: the key is the same", test.name)
		}
		if file := now.Youngest(dir); file != want {
			t.Errorf("%s: the youngest is %s", test.name, file)
		}
	}
}

// TestGitignore compares with what git says.
func TestGitignore(t *testing.T) {
	if _, err := osexec.LookPath("git"); err != nil {
		t.Skip("git says what is right")
	}
	dir := t.TempDir()
	files := map[string]string{
		".gitignore": "*.log\n!keep.log\n# no\n\\#yes\n\\!bang\n/rooted\nsub/only\nbuild/\n**/cache\nruns/**\n!runs/kept\nspace \\ \ntrail   \n" +
			"a/**/z\nx{1,2}\n[ab].txt\n[!ab].dat\nq?.c\ndoc/*.txt\n",
		"sub/.gitignore": "!again.log\nlocal\n/here\n",
		"nested/.git/":   "", "nested/a.log": "", "nested/.gitignore": "own\n", "nested/own": "",
		".git/info/exclude": "excluded\n",
	}
	for _, name := range strings.Fields("a.log keep.log sub/a.log sub/keep.log sub/again.log #yes !bang # no rooted sub/rooted only sub/only top/sub/only " +
		"build/x sub/build/y other/build cache/x sub/cache runs/1 runs/kept runs/deep/2 trail a/z a/b/z a/b/c/z b/a/z x1 x2 x{1,2} a.txt b.txt c.txt " +
		"a.dat c.dat q1.c q.c doc/a.txt doc/deep/b.txt sub/doc/a.txt local sub/local sub/deep/local here sub/here sub/deep/here excluded sub/excluded plain") {
		if _, ok := files[name]; !ok {
			files[name] = "1"
		}
	}
	files["space  "] = "1"
	if out, err := osexec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	writeTree(t, dir, files)
	ignored := 0
	for _, root := range []string{dir, filepath.Join(dir, "sub")} {
		git := func(s *CallSpec) { s.Gitignore = true }
		c := depends(t, root, git)
		ours := map[string]bool{}
		for _, f := range c.files {
			ours[f.path] = true
		}
		for name := range files {
			path := filepath.Join(dir, name)
			if !strings.HasPrefix(path, root+"/") || strings.HasSuffix(name, "/") || strings.Contains(name, ".git/") {
				continue
			}
			// check-ignore does not look into nested repositories: there, in it.
			cmd := osexec.Command("git", "check-ignore", "-q", "--no-index", path)
			if cmd.Dir = dir; strings.HasPrefix(name, "nested/") {
				continue
			}
			err := cmd.Run()
			if says := err == nil; says == ours[path] {
				t.Errorf("%s below %s: git leaves it out: %v; we count it: %v", name, root, says, ours[path])
			} else if says {
				ignored++
			}
		}
		if !c.Command(true).Gitignore() {
			t.Error("that .gitignore left something out does not count")
		}
	}
	if ignored < 30 {
		t.Errorf("the test shows little: %d are left out", ignored)
	}
	// A repository within goes by its own.
	c := depends(t, dir, func(s *CallSpec) { s.Gitignore = true })
	has := func(name string) bool {
		return slices.ContainsFunc(c.files, func(f trackedFile) bool { return f.path == filepath.Join(dir, name) })
	}
	if !has("nested/a.log") || has("nested/own") {
		t.Errorf("a.log %v, own %v", has("nested/a.log"), has("nested/own"))
	}
}

// TestFolderOfTheCache: D holds the cache's folder, is it, or is held by it. All but
// the cache's own files counts, whether the cache is there or not.
func TestFolderOfTheCache(t *testing.T) {
	for _, test := range []struct{ name, cache, folder string }{
		{"it is in it", ".cache", "."},
		{"it is deep in it", "x/y/.cache", "."},
		{"it is it", "x", "x"},
		{"it is the whole", ".", "."},
		{"it is named by a link", "link/.cache", "."},
		{"it is reached by a link", "real/.cache", "link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, map[string]string{"x/mine": "1", "real/mine": "1", "link": "-> real"})
			cache, folder := filepath.Join(dir, test.cache), filepath.Join(dir, test.folder)
			leave := func(s *CallSpec) { s.Leave = []string{cache} }
			before := depends(t, folder, leave)
			defer before.Watch()()
			own := []string{"cache.db", "cache.db.new", "cache.db.broken-20260101T000000.000000", "cache.lock", "gate.lock", "digests",
				"stats/37a8eec1ce19687d132fe290", "leases/" + strings.Repeat("ab", 32)}
			for round := range 2 {
				for _, name := range own {
					writeTree(t, cache, map[string]string{name: strings.Repeat("x", round+1)})
					if changed, _ := before.Changed(context.Background()); changed != "" {
						t.Errorf("%s changed by %s", changed, name)
					}
					if depends(t, folder, leave).Key != before.Key {
						t.Errorf("%s counts", name)
					}
				}
			}
			if err := os.RemoveAll(filepath.Join(cache, "stats")); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"data.csv", "stats/mine.csv", "leases/mine", "sub/cache.db", "../beside"} {
				path := filepath.Join(cache, name)
				if !strings.HasPrefix(path, folder+"/") {
					continue
				}
				last := depends(t, folder, leave)
				end := last.Watch()
				writeTree(t, cache, map[string]string{name: "1"})
				if changed, _ := last.Changed(context.Background()); changed == "" {
					t.Errorf("%s came and nothing is said", name)
				}
				now := depends(t, folder, leave)
				if now.Key == last.Key {
					t.Errorf("%s does not count", name)
				}
				writeTree(t, cache, map[string]string{name: "2"})
				if depends(t, folder, leave).Key == now.Key {
					t.Errorf("what %s holds does not count", name)
				}
				end()
			}
		})
	}
}

// TestModesAndLinksCount: a script that may not be run any more, a link that leads
// elsewhere.
func TestModesAndLinksCount(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"script": "x", "a/same": "1", "b/same": "1", "link": "-> a/same", "dangling": "-> 1", "dir": "-> a"})
	seen := map[Key]string{}
	look := func(what string) {
		t.Helper()
		k := depends(t, dir, nil).Key
		if before, ok := seen[k]; ok {
			t.Errorf("%s: as %s", what, before)
		}
		seen[k] = what
	}
	relink := func(name, target string) {
		t.Helper()
		os.Remove(filepath.Join(dir, name))
		writeTree(t, dir, map[string]string{name: "-> " + target})
	}
	look("at first")
	if err := os.Chmod(filepath.Join(dir, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	look("script may be run")
	relink("link", "b/same")
	look("link leads elsewhere")
	relink("dangling", "2")
	look("a dangling link leads elsewhere")
	relink("dir", "b")
	look("a folder's link leads elsewhere")
	relink("dir", "script")
	look("a link to a script")
	if err := os.Chmod(filepath.Join(dir, "script"), 0o644); err != nil {
		t.Fatal(err)
	}
	look("… that may not be run")
	c := depends(t, dir, nil)
	defer c.Watch()()
	if err := os.Chmod(filepath.Join(dir, "script"), 0o755); err != nil {
		t.Fatal(err)
	}
	if changed, _ := c.Changed(context.Background()); changed == "" {
		t.Error("that it may be run since changes nothing")
	}
	// Who may read it, and its times, make no difference.
	if err := os.Chmod(filepath.Join(dir, "script"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, ok := seen[depends(t, dir, nil).Key]; !ok {
		t.Error("the permission to read counts")
	}
	// Another checkout of the project is the same.
	var keys []Key
	for _, name := range []string{"one", "two"} {
		root := filepath.Join(t.TempDir(), name)
		writeTree(t, root, map[string]string{"dvlcache.yaml": "", "lib/a": "1", "lib/link": "-> " + filepath.Join(root, "lib/a")})
		t.Chdir(root)
		keys = append(keys, depends(t, "lib", func(s *CallSpec) { s.Paths = PathsProject }).Key)
	}
	if keys[0] != keys[1] {
		t.Error("a link within the project counts by the project's place")
	}
}
