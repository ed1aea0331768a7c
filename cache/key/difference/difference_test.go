package difference

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"dvlcache/cache/key"
)

// call identifies a call of ./train.sh in the working directory.
func call(t *testing.T, dependsOn []string, args ...string) *key.Call {
	t.Helper()
	c, err := key.Identify(context.Background(), key.CallSpec{
		Args: append([]string{"./train.sh"}, args...), Program: "./train.sh", TrackArgs: true, Paths: key.PathsAbsolute, DependsOn: dependsOn,
	}, key.NewDigests(""))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBetween names what differs, and gives the hints that do no harm.
func TestBetween(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name             string
		before, after    []string // arguments
		path, what, hint string   // a file that is written in between
	}{
		{"a value", []string{"--x", "1"}, []string{"--x", "2"}, "", "--x", "--ignore x, if it can't change the number"},
		{"an input", []string{"--x", "data"}, []string{"--x", "data"}, "data", "data", ""},
		{"a script", []string{"helper.py"}, []string{"helper.py"}, "helper.py", "helper.py", ""},
		{"an output", []string{"--x", "new"}, []string{"--x", "new"}, "new", "new", "--ignore x, if it is an output"},
		{"a script that comes", []string{"--x", "new.py"}, []string{"--x", "new.py"}, "new.py", "new.py", ""},
		{"another file", []string{"--x", "data"}, []string{"--x", "helper.py"}, "", "--x", ""},
		{"no file any more", []string{"--x", "data"}, []string{"--x", "none"}, "", "--x", ""},
		{"a list in another order", []string{"0", "1", "2", "3"}, []string{"0", "3", "2", "1"}, "", "the arguments", "--unordered-arg 1..., if the set begins with 0"},
		{"a list in another order from its first item on", []string{"0", "1", "2", "3"}, []string{"3", "1", "2", "0"}, "", "the arguments", "--unordered-arg 1..."},
		{"a list of a flag in another order", []string{"--x", "3", "1", "4"}, []string{"--x", "3", "4", "1"}, "", "the order of the values of --x", "--unordered x..., if the set begins with 3"},
		{"one of a list", []string{"--x", "1", "4", "7"}, []string{"--x", "1", "4", "8"}, "", "--x", ""},
		{"a shorter list", numbers(400), numbers(400, 0), "", "the list from argument 1 on", ""},
		{"a shorter list of a flag", append([]string{"--x"}, numbers(400)...), append([]string{"--x"}, numbers(400, 7)...), "", "--x", ""},
		{"a program", nil, nil, "train.sh", filepath.Join(dir, "train.sh"), ""},
		{"a file of a folder", nil, nil, "lib/sub/module", "lib/sub/module", ""},
	} {
		for _, path := range []string{"train.sh", "data", "helper.py", "lib/sub/module"} {
			write(path, path)
		}
		os.Remove("new")
		os.Remove("new.py")
		stored := call(t, []string{"lib"}, tt.before...).Command(true)
		if tt.path != "" {
			write(tt.path, "another")
		}
		now := call(t, []string{"lib"}, tt.after...)
		all := Between(now, stored, 3)
		Try(now, stored, all)
		if len(all) != 1 || all[0].What != tt.what && filepath.Join(dir, tt.what) != all[0].What || all[0].Hint != tt.hint {
			t.Errorf("%s: %+v", tt.name, all)
		}
	}
}

func BenchmarkBetween(b *testing.B) {
	b.Chdir(b.TempDir())
	if err := os.WriteFile("train.sh", nil, 0o755); err != nil {
		b.Fatal(err)
	}
	args := []string{"./train.sh", "--indices"}
	for i := range 20_000 {
		args = append(args, fmt.Sprint(i))
	}
	spec := key.CallSpec{Program: "./train.sh", Paths: key.PathsAbsolute}
	identify := func(args []string) *key.Call {
		spec.Args = args
		c, err := key.Identify(context.Background(), spec, key.NewDigests(""))
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	now, stored := identify(args), identify(args[:len(args)-1]).Command(true)
	for b.Loop() {
		if all := Between(now, stored, 3); len(all) != 1 || all[0].How != "has 19999 besides" {
			b.Fatalf("%+v", all)
		}
	}
}
