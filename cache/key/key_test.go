package key

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// project is a folder with a program and some files, which is the working
// directory.
func project(t *testing.T, files ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "train.sh") {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, name)
	}
	t.Chdir(dir)
	return dir
}

// identify makes the key of a command line, the program being ./train.sh in
// the working directory.
func identify(t *testing.T, spec CallSpec, args ...string) *Call {
	t.Helper()
	if spec.Paths == "" {
		spec.Paths = PathsAbsolute
	}
	if spec.Program == "" {
		spec.Program = "./train.sh"
	}
	spec.Args = append([]string{"./train.sh"}, args...)
	spec.TrackArgs = true
	if spec.LookupEnv == nil {
		spec.LookupEnv = os.LookupEnv
	}
	ctx := context.Background()
	c, err := Identify(ctx, spec, NewDigests(""))
	if err != nil {
		t.Fatal(err)
	}
	// Who makes many keys with one Identifier gets the same.
	x, err := NewIdentifier(ctx, spec, NewDigests(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{spec.Args, {"./train.sh", "--out=1", "--indices", "4,1", "x", "y"}, spec.Args} {
		whole, err := x.Identify(ctx, args, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := x.Key(ctx, args, nil); err != nil || key != whole.Key {
			t.Errorf("%q: key %v, %v; Identify finds %v", args, key, err, whole.Key)
		}
		if &args[0] == &spec.Args[0] && whole.Key != c.Key {
			t.Errorf("%q: two keys, %v and %v", args, whole.Key, c.Key)
		}
	}
	return c
}

func TestKeyTracksFiles(t *testing.T) {
	project(t, "data.csv", "a=b.csv", "b.csv", "@data.csv", "dir/x", "1,4")
	list := Rules{Unordered: []string{"indices..."}}
	ignore := Rules{Ignore: []string{"out"}}
	unordered := Rules{Unordered: []string{"indices"}}
	for _, tt := range []struct {
		name  string
		rules Rules
		args  []string
		file  string
		moves bool
	}{
		{"program", Rules{}, nil, "train.sh", true},
		{"argument", Rules{}, []string{"data.csv"}, "data.csv", true},
		{"another way to name it", Rules{}, []string{"dir/../data.csv"}, "data.csv", true},
		{"value", Rules{}, []string{"--data", "data.csv"}, "data.csv", true},
		{"value behind =", Rules{}, []string{"--data=data.csv"}, "data.csv", true},
		{"Hydra", Rules{}, []string{"data=data.csv"}, "data.csv", true},
		{"@", Rules{}, []string{"@data.csv"}, "data.csv", true},
		{"after --", Rules{}, []string{"--", "data.csv"}, "data.csv", true},
		{"after --, behind =", Rules{}, []string{"--", "--data=data.csv"}, "data.csv", true},
		{"a set in a file", unordered, []string{"--indices", "@data.csv"}, "data.csv", true},
		{"a name with =", Rules{}, []string{"a=b.csv"}, "a=b.csv", true},
		{"a set that is a file", unordered, []string{"--indices", "1,4"}, "1,4", true},
		{"an ignored value", ignore, []string{"--out", "data.csv"}, "data.csv", false},
		{"an ignored value behind =", ignore, []string{"--out=data.csv"}, "data.csv", false},
		{"a name with =, or the value", Rules{}, []string{"a=b.csv"}, "b.csv", true},
		{"a name with @, or what it marks", Rules{}, []string{"@data.csv"}, "@data.csv", true},
		{"a value of a value", Rules{}, []string{"--set=x=data.csv"}, "data.csv", true},
		{"curl's form", Rules{}, []string{"-F", "x=@data.csv"}, "data.csv", true},
		{"curl's form, joined", Rules{}, []string{"--form=x=@data.csv"}, "data.csv", true},
		{"an item with =", list, []string{"--indices", "y=1", "x=data.csv"}, "data.csv", true},
		{"an item with = and @", list, []string{"--indices", "x=@data.csv", "y=1"}, "data.csv", true},
		{"an item that is a file", list, []string{"--indices", "x", "data.csv"}, "data.csv", true},
		{"a set with =", unordered, []string{"--indices", "x=data.csv"}, "data.csv", true},
		{"a set with =, joined", unordered, []string{"--indices=x=data.csv"}, "data.csv", true},
		{"a set behind =", unordered, []string{"indices=data.csv"}, "data.csv", true},
		{"a folder", Rules{}, []string{"dir"}, "dir/x", false},
		{"another file", Rules{}, []string{"data.csv"}, "dir/x", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := CallSpec{Rules: tt.rules}
			before := identify(t, spec, tt.args...)
			old, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(tt.file, old, 0o755)
			writeFile(t, tt.file, strings.Repeat("x", len(old)))
			if moved := identify(t, spec, tt.args...).Key != before.Key; moved != tt.moves {
				t.Errorf("the key moves: %v", moved)
			}
			if path, _ := before.Changed(context.Background()); (path != "") != tt.moves {
				t.Errorf("the change is noticed: %q", path)
			}
		})
	}
}

// TestChangedOnTheWay: a link that is turned during the run and back again.
func TestChangedOnTheWay(t *testing.T) {
	project(t, "v1/data", "v2/data")
	turn := func(target string) {
		os.Remove("current")
		if err := os.Symlink(target, "current"); err != nil {
			t.Fatal(err)
		}
	}
	turn("v1")
	for _, arg := range []string{"current/data", "./v1/../current/data"} {
		c := identify(t, CallSpec{}, arg)
		c.Watch()
		if path, _ := c.Changed(context.Background()); path != "" {
			t.Fatalf("%s has changed", path)
		}
		turn("v2")
		turn("v1")
		if path, _ := c.Changed(context.Background()); path != arg {
			t.Errorf("%s: %q has changed", arg, path)
		}
	}
}

// TestThereBeforeTheRun: a file that the key says is not there, and that another
// evaluation of the same call, which then failed, has made before this one began.
func TestThereBeforeTheRun(t *testing.T) {
	project(t, "data")
	c := identify(t, CallSpec{}, "data", "--model", "model")
	writeFile(t, "model", "7")
	c.Watch()
	if path, hint := c.Changed(context.Background()); path != "model" || hint != "--ignore model" {
		t.Errorf("%q has changed, hint %q", path, hint)
	}
	// One that the run itself makes is an output.
	os.Remove("model")
	c.Watch()
	writeFile(t, "model", "7")
	if path, _ := c.Changed(context.Background()); path != "" {
		t.Errorf("%q has changed", path)
	}
}

func TestKeyOfDependencies(t *testing.T) {
	project(t, "a", "b", "dir/x", "dir/sub/y", "dir/.git/z", "dir/__pycache__/p", "x/f", "y/f")
	key := func(paths Paths, on ...string) Key {
		return identify(t, CallSpec{DependsOn: on, Paths: paths}).Key
	}
	if key(PathsAbsolute, "a", "b") != key(PathsAbsolute, "b", "./a", "a") {
		t.Error("the order of dependencies counts")
	}
	if key(PathsAbsolute, "a") == key(PathsAbsolute, "b") || key(PathsAbsolute, "a") == key(PathsAbsolute) {
		t.Error("a dependency does not count")
	}
	swap := func(a, b string) {
		t.Helper()
		for _, step := range [][2]string{{a, "t"}, {b, a}, {"t", b}} {
			if err := os.Rename(step[0], step[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, paths := range []Paths{PathsAbsolute, PathsNone} {
		before := key(paths, "x/f", "y/f")
		swap("x/f", "y/f")
		if key(paths, "x/f", "y/f") == before {
			t.Errorf("--paths %s: two dependencies change places unseen", paths)
		}
	}
	tree := func() Key { return key(PathsAbsolute, "dir") }
	for name, moves := range map[string]bool{"dir/x": true, "dir/sub/y": true, "dir/new": true, "dir/.git/z": false, "dir/__pycache__/q": false} {
		before := tree()
		writeFile(t, name, "changed")
		if moved := tree() != before; moved != moves {
			t.Errorf("%s: the key moves: %v", name, moved)
		}
	}
	loops := map[Key]string{}
	for _, target := range []string{".", "..", "sub"} {
		os.Remove("dir/loop")
		if err := os.Symlink(target, "dir/loop"); err != nil {
			t.Fatal(err)
		}
		if other, ok := loops[tree()]; ok {
			t.Errorf("links to %s and %s are the same", target, other)
		}
		loops[tree()] = target
	}
	os.Remove("dir/loop")
	os.Symlink("..", "dir/loop")
	before := tree()
	writeFile(t, "a", "seen through the link")
	if tree() == before {
		t.Error("what lies behind a link does not count")
	}
	c := identify(t, CallSpec{DependsOn: []string{"dir"}})
	writeFile(t, "dir/__pycache__/r", "")
	if path, _ := c.Changed(context.Background()); path != "" {
		t.Errorf("%s has changed", path)
	}
	writeFile(t, "dir/sub/more", "")
	if path, _ := c.Changed(context.Background()); path != "dir/sub/more" {
		t.Errorf("a new file in dir/sub: %q has changed", path)
	}
}

func TestKeyOfPlaces(t *testing.T) {
	key := func(t *testing.T, paths Paths, args ...string) Key {
		return identify(t, CallSpec{Paths: paths}, args...).Key
	}
	one := project(t, "data.csv", ".git/x", "sub/other.csv")
	keys := map[Paths]Key{}
	for _, paths := range []Paths{PathsAbsolute, PathsProject, PathsNone} {
		keys[paths] = key(t, paths, "data.csv")
	}
	absolute := key(t, PathsProject, filepath.Join(one, "data.csv"))
	if key(t, PathsNone, "@data.csv") == keys[PathsNone] {
		t.Error("@data.csv is data.csv")
	}
	two := project(t, "data.csv", ".git/x", "sub/other.csv")
	for paths, want := range map[Paths]bool{PathsAbsolute: false, PathsProject: true, PathsNone: true} {
		if same := key(t, paths, "data.csv") == keys[paths]; same != want {
			t.Errorf("--paths %s: two checkouts share a key: %v", paths, same)
		}
	}
	if key(t, PathsProject, filepath.Join(two, "data.csv")) != absolute {
		t.Error("--paths project: an absolute name within the project is another in another checkout")
	}
	if key(t, PathsProject, "/elsewhere") == key(t, PathsProject, "/elsewhere2") {
		t.Error("--paths project: names elsewhere do not count")
	}
	os.Chdir("sub")
	os.WriteFile("train.sh", []byte("train.sh"), 0o755)
	os.WriteFile("data.csv", []byte("data.csv"), 0o755)
	if key(t, PathsProject, "data.csv") == keys[PathsProject] {
		t.Error("--paths project: the folder within the project does not count")
	}
}

// TestKeyOfRetargetedFolder: a name that a link gives to one folder today and
// to another tomorrow.
func TestKeyOfRetargetedFolder(t *testing.T) {
	dir := project(t, "v1/train.sh", "v2/train.sh")
	var keys []Key
	for _, target := range []string{"v1", "v2"} {
		os.Remove(filepath.Join(dir, "current"))
		if err := os.Symlink(target, filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chdir(filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PWD", filepath.Join(dir, "current"))
		writeFile(t, "train.sh", "the same")
		keys = append(keys, identify(t, CallSpec{}).Key)
	}
	if keys[0] == keys[1] {
		t.Error("the same name, another folder: the key is the same")
	}
}

func TestKeyOfEnvironmentAndStdin(t *testing.T) {
	project(t)
	env := map[string]string{"EMPTY": ""}
	spec := CallSpec{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	seen := map[Key]string{}
	add := func(what string, s CallSpec) {
		key := identify(t, s).Key
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s share a key", what, other)
		}
		seen[key] = what
	}
	add("nothing", spec)
	for _, name := range []string{"EMPTY", "UNSET"} {
		s := spec
		s.Env = []string{name}
		add(name, s)
	}
	s := spec
	s.Env = []string{"X"}
	add("X unset", s)
	env["X"] = ""
	add("X empty", s)
	env["X"] = "1"
	add("X=1", s)
	s.Env = []string{"X", "EMPTY"}
	add("both", s)
	two := identify(t, s).Key
	s.Env = []string{"EMPTY", "X", "X"}
	if identify(t, s).Key != two {
		t.Error("the order of --env counts")
	}
	s = spec
	s.Stdin = &Digest{}
	add("stdin", s)
	s.Stdin = &Digest{1}
	add("another stdin", s)
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestKeyOfAt: of "@f", f counts, and a file that is named "@f", and one that comes.
func TestKeyOfAt(t *testing.T) {
	project(t)
	for _, arg := range []string{"@f", "--x=@f", "y=@f", "@@f"} {
		for _, name := range []string{"f", "@f", "@@f"} {
			os.Remove(name)
		}
		seen := map[Key]string{}
		look := func(what string) {
			t.Helper()
			k := identify(t, CallSpec{}, arg).Key
			if before, ok := seen[k]; ok {
				t.Errorf("%s, %s: as %s", arg, what, before)
			}
			seen[k] = what
		}
		look("neither")
		last := "none"
		for _, step := range [][2]string{{"f", "1"}, {"@f", "1"}, {"f", "2"}, {"@f", "2"}, {"@f", "3"}} {
			c := identify(t, CallSpec{}, arg)
			defer c.Watch()()
			before, _ := c.Appeared()
			writeFile(t, step[0], step[1])
			changed, _ := c.Changed(context.Background())
			appeared, _ := c.Appeared()
			if before != "" || changed != step[0] && appeared != step[0] {
				t.Errorf("%s: %s after %s: %q, then %q changed and %q appeared", arg, step, last, before, changed, appeared)
			}
			last = step[0] + " " + step[1]
			look(last)
		}
		os.Remove("@f")
		look("f alone")
		os.Remove("f")
		writeFile(t, "@f", "2")
		look("@f alone")
	}
}
