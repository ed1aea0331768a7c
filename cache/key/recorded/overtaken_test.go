package recorded

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"dvlcache/cache/key"
)

// TestOvertaken: a command is overtaken only if the same call has another key now, and
// is whenever the program, or a file that an argument names plainly, was edited.
func TestOvertaken(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	ctx := context.Background()
	files := []string{"train.sh", "a.csv", "b=c", "c", "@d", "d", "e,f"}
	plain := map[string]string{"a.csv": "a.csv", "--x=a.csv": "a.csv", "d": "d", "./a.csv": "a.csv", dir + "/c": "c"}
	words := []string{"a.csv", "./a.csv", dir + "/c", "--x=a.csv", "--x", "b=c", "--y=b=c", "@d", "@a.csv", "d", "e,f", "--z=@d", "1,4,7", "gone"}
	rapid.Check(t, func(t *rapid.T) {
		for _, name := range files {
			if err := os.WriteFile(name, []byte("#!/bin/sh\n"+name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		args := append([]string{"./train.sh"}, rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "args")...)
		spec := key.CallSpec{Args: args, Program: filepath.Join(dir, "train.sh"), TrackArgs: rapid.Bool().Draw(t, "track"), Paths: key.PathsAbsolute}
		if rapid.Bool().Draw(t, "unordered") {
			spec.Rules.Unordered = []string{"x..."}
		}
		if rapid.Bool().Draw(t, "depends") {
			spec.DependsOn = []string{"c"}
		}
		identify := func() *key.Call {
			c, err := key.Identify(ctx, spec, key.NewDigests(""))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		before := identify()
		command, err := key.ParseCommand(before.Command(rapid.Bool().Draw(t, "record")).Encode())
		if err != nil {
			t.Fatal(err)
		}
		if path, known := NewPresent(key.NewDigests("")).Overtaken(ctx, command); path != "" || !known {
			t.Fatalf("%q: %s is another, and wasn't edited", args, path)
		}
		edited := rapid.SampledFrom(files).Draw(t, "edited")
		if err := os.WriteFile(edited, []byte("#!/bin/sh\nedited"), 0o755); err != nil {
			t.Fatal(err)
		}
		path, _ := NewPresent(key.NewDigests("")).Overtaken(ctx, command)
		if path != "" && identify().Key == before.Key {
			t.Fatalf("%q: %s is another, and the key the same", args, path)
		}
		named := edited == "train.sh" || len(spec.DependsOn) > 0 && edited == "c"
		if spec.TrackArgs && command.Args != nil {
			for i, arg := range args[1:] {
				// Behind --x a list may be.
				named = named || plain[arg] == edited && (i == 0 || len(spec.Rules.Unordered) == 0)
			}
		}
		if named && path == "" {
			t.Fatalf("%q: %s was edited, and isn't seen", args, edited)
		}
	})
}
