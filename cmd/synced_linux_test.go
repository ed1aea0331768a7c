package cmd

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSyncedBeforeItIsSaid: what was promised to be there is on the disk before
// success is said: a file before its rename, the folder after it, and each folder
// above a cache that is new. strace shows it.
func TestSyncedBeforeItIsSaid(t *testing.T) {
	t.Parallel()
	binary, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := osexec.LookPath("strace"); err != nil {
		t.Skip("make test-deps installs strace")
	}
	for _, tt := range []struct {
		name  string
		stdin string
		args  []string
		file  string // that is written
		cache string // that is new
	}{
		{name: "a new cache", args: []string{"run", "--", "echo", "7"}, cache: "a/b/c"},
		{name: "a new cache in a folder that is there", args: []string{"run", "--", "echo", "7"}, cache: "c"},
		{name: "a batch in a new cache", stdin: "7\n", args: []string{"batch", "--", "echo"}, cache: "a/b"},
		{name: "import into a new cache", stdin: "", args: []string{"import", "exported"}, cache: "a/b/c"},
		{name: "run --output", args: []string{"run", "--output", "out", "--", "echo", "7"}, file: "out"},
		{name: "batch --output", stdin: "7\n", args: []string{"batch", "--output", "out", "--", "echo"}, file: "out"},
		{name: "batch --output in a folder", stdin: "7\n8\n", args: []string{"batch", "--format", "json", "--output", "folder/out", "--", "echo"}, file: "folder/out"},
		{name: "export --output", args: []string{"export", "--output", "out"}, file: "out"},
		{name: "export --output by a link", args: []string{"export", "--format", "csv", "--output", "link"}, file: "folder/linked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			os.Mkdir(filepath.Join(dir, "folder"), 0o700)
			os.WriteFile(filepath.Join(dir, "folder", "linked"), nil, 0o600)
			os.Symlink("folder/linked", filepath.Join(dir, "link"))
			cache := filepath.Join(dir, "cache")
			run := func(wrap []string, args ...string) string {
				t.Helper()
				line := slices.Concat(wrap, []string{binary}, args)
				c := osexec.Command(line[0], line[1:]...)
				c.Dir, c.Stdin = dir, strings.NewReader(tt.stdin)
				c.Env = append(os.Environ(), "DVLCACHE_DIR="+cache, "XDG_CONFIG_HOME="+dir)
				out, err := c.CombinedOutput()
				if err != nil {
					t.Fatalf("%q: %v\n%s", line, err, out)
				}
				return string(out)
			}
			run(nil, "run", "--", "echo", "7")
			run(nil, "export", "--output", "exported")
			if tt.cache != "" {
				cache = filepath.Join(dir, tt.cache)
			}
			log := filepath.Join(dir, "log")
			run([]string{"strace", "-f", "-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,write,exit_group", "-o", log}, tt.args...)
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			calls := strings.Split(string(text), "\n")
			// find is the index of the first call from one on that matches.
			find := func(from int, pattern string, args ...any) int {
				t.Helper()
				re := regexp.MustCompile(fmt.Sprintf(pattern, args...))
				for i, call := range calls[from:] {
					if re.MatchString(call) {
						return from + i
					}
				}
				t.Fatalf("after call %d no %s in\n%s", from, re, text)
				return 0
			}
			// Success is said by what is printed last, or by the exit status.
			said := 0
			for i, call := range calls {
				if tt.file == "" && strings.Contains(call, " write(1<") || tt.file != "" && strings.Contains(call, "exit_group(0") {
					said = i
				}
			}
			before := func(i int) int {
				t.Helper()
				if i > said {
					t.Fatalf("call %d comes after success is said, by call %d, in\n%s", i, said, text)
				}
				return i
			}
			if tt.file != "" {
				path := regexp.QuoteMeta(filepath.Join(dir, tt.file))
				synced := find(0, `sync\(\d+<%s\.[0-9a-f]+\.tmp>`, path)
				for i, call := range calls {
					if strings.Contains(call, "write(") && strings.Contains(call, filepath.Join(dir, tt.file)+".") && i > synced {
						t.Errorf("it is written to after it was synced, by %s", call)
					}
				}
				renamed := find(synced, `rename.*"[^"]*%s"`, regexp.QuoteMeta(filepath.Base(tt.file)))
				before(find(renamed, `sync\(\d+<%s>`, filepath.Dir(path)))
				return
			}
			renamed := find(0, `rename.*"%s/cache\.db"`, regexp.QuoteMeta(cache))
			for folder := cache; len(folder) >= len(dir); folder = filepath.Dir(folder) {
				before(find(renamed, `sync\(\d+<%s>`, regexp.QuoteMeta(folder)))
			}
		})
	}
}
