package cmd

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows are the packages that each package may import: data goes one way, and no
// backend knows another. See docs/architecture.md.
var arrows = map[string][]string{
	"":                              {"cmd"},
	"cmd/internal/release":          {"cmd"},
	"cmd/internal/report":           {"exec/number", "exec/valuation"},
	"cmd":                           {"cmd/internal/report", "cache/share", "exec/verify", "exec/observe", "exec/process/watch", "config", "exec", "exec/process", "exec/number", "exec/placeholder", "exec/valuation", "cache", "cache/key", "cache/key/difference", "cache/key/launch", "cache/key/recorded", "cache/stats", "cache/bolt", "cache/folder", "cache/inputs", "cache/memcached", "cache/durable", "cache/plain", "cache/trust"},
	"config":                        {"cache/trust"},
	"cache/trust":                   {},
	"exec/observe":                  {"cache/key/launch", "exec/process/watch", "cache", "cache/inputs", "cache/key"},
	"exec/placeholder":              {"cache/key", "cache/plain"},
	"exec/verify":                   {"exec", "exec/number", "exec/observe", "exec/placeholder", "exec/process", "cache", "cache/inputs", "cache/key", "cache/key/difference"},
	"exec":                          {"exec/observe", "exec/placeholder", "exec/process", "exec/process/watch", "exec/number", "exec/valuation", "cache", "cache/inputs", "cache/key", "cache/key/difference", "cache/key/launch", "cache/stats"},
	"exec/process":                  {"exec/process/watch", "cache/plain"},
	"exec/process/watch":            {"exec/process/watch/loader", "exec/process/watch/trap"},
	"exec/process/watch/loader":     {"exec/process/watch/trap"},
	"exec/process/watch/trap":       {},
	"exec/number":                   {},
	"exec/valuation":                {},
	"cache":                         {"cache/key", "cache/stats", "cache/internal/wire"},
	"cache/inputs":                  {"cache/share", "cache/key", "cache/internal/digest", "cache/internal/files", "cache/internal/folder", "cache/internal/wire"},
	"cache/key":                     {"cache/key/launch", "cache/internal/short", "cache/internal/digest", "cache/internal/files", "cache/internal/folder", "cache/internal/wire", "cache/internal/witness", "cache/plain", "cache/trust"},
	"cache/key/difference":          {"cache/key", "cache/key/launch"},
	"cache/key/launch":              {"cache/internal/files"},
	"cache/stats":                   {"cache/share", "cache/internal/files"},
	"cache/bolt":                    {"cache/share", "cache", "cache/key", "cache/bolt/pages", "cache/internal/files", "cache/internal/parallel", "cache/internal/wire", "cache/durable"},
	"cache/key/recorded":            {"cache/key", "cache/key/launch"},
	"cache/bolt/pages":              {},
	"cache/folder":                  {"cache", "cache/key", "cache/folder/disk", "cache/folder/pack", "cache/internal/parallel", "cache/internal/wire"},
	"cache/folder/disk":             {"cache/durable", "cache/share"},
	"cache/folder/pack":             {"cache/key"},
	"cache/memcached":               {"cache", "cache/key", "cache/stats"},
	"cache/memcached/memcachedtest": {},
	"cache/storetest":               {"cache", "cache/key", "cache/internal/wire"},
	"cache/internal/digest":         {"cache/internal/files"},
	"cache/internal/files":          {"cache/share"},
	"cache/internal/folder":         {"cache/internal/files"},
	"cache/internal/short":          {},
	"cache/internal/parallel":       {},
	"cache/internal/witness":        {"cache/internal/digest"},
	"cache/internal/wire":           {},
	"cache/durable":                 {},
	"cache/share":                   {},
	"cache/plain":                   {},
}

const (
	// longestFile is how many lines a file has at most that is no table.
	longestFile = 400
	// largestRoom is how many lines of code a package other than cmd has at most.
	largestRoom = 3000
)

// tables are files that may be longer: they are read line by line.
var tables = []string{"config/settings.go"}

// TestLayout: each import follows an arrow, and no file and no package outgrows what
// a reader can hold in the head.
func TestLayout(t *testing.T) {
	list := osexec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,IgnoredGoFiles", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "dvlcache"
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir                  string
			Imports, GoFiles, IgnoredGoFiles []string
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %q has no place in the layout", name)
		}
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module+"/"); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: no arrow leads there", name, to)
			}
		}
		room := 0
		for _, file := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(text, []byte("\n"))
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			room += lines
			if path := filepath.ToSlash(filepath.Join(name, file)); lines > longestFile && !slices.Contains(tables, path) {
				t.Errorf("%s has %d lines, more than %d", path, lines, longestFile)
			}
		}
		if room > largestRoom && name != "cmd" {
			t.Errorf("package %s has %d lines, more than %d", name, room, largestRoom)
		}
	}
}
