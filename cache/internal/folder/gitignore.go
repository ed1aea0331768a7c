package folder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"dvlcache/cache/internal/files"
)

// ignoreFile is what the .gitignore of a folder says, and those above.
type ignoreFile struct {
	dir   string // absolute
	rules []ignoreRule
	above *ignoreFile
}

type ignoreRule struct {
	glob    string
	folder  bool // for folders alone
	include bool // "!": what it matches counts after all
}

// ignoreFilesAbove reads the .gitignore files above a folder, up to that which holds
// .git; where none does, none of those above is
// obeyed.
func (l *Rules) ignoreFilesAbove(dir string) *ignoreFile {
	if !l.git {
		return nil
	}
	var way []string
	for at := dir; ; {
		if holdsGit(at) {
			break
		}
		up := filepath.Dir(at)
		if up == at {
			return nil
		}
		at = up
		way = append(way, at)
	}
	var rules *ignoreFile
	for _, at := range slices.Backward(way) {
		rules = l.ignoreFileIn(at, rules)
	}
	return rules
}

func holdsGit(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// ignoreFileIn adds what a folder's own .gitignore says. A repository within another
// has its own rules alone.
func (l *Rules) ignoreFileIn(dir string, above *ignoreFile) *ignoreFile {
	if !l.git {
		return nil
	}
	if holdsGit(dir) {
		above = readIgnoreFile(dir, filepath.Join(dir, ".git", "info", "exclude"), nil)
	}
	return readIgnoreFile(dir, filepath.Join(dir, ".gitignore"), above)
}

func readIgnoreFile(dir, path string, above *ignoreFile) *ignoreFile {
	text, err := files.ReadOwn(path) // git follows no link here either
	if err != nil {
		return above
	}
	f := &ignoreFile{dir: dir, above: above}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		if r, ok := parseIgnoreRule(strings.TrimRight(line, "\r\n")); ok {
			f.rules = append(f.rules, r)
		}
	}
	return f
}

// parseIgnoreRule reads a line as gitignore(5) says.
func parseIgnoreRule(line string) (r ignoreRule, ok bool) {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	if line == "" || line[0] == '#' {
		return r, false
	}
	line, r.include = strings.CutPrefix(line, "!")
	line, r.folder = strings.CutSuffix(line, "/")
	if line == "" {
		return r, false
	}
	if !strings.Contains(line, "/") {
		line = "**/" + line
	}
	line = strings.TrimPrefix(line, "/")
	if strings.HasSuffix(line, "/**") {
		line += "/*" // what is in the folder, not the folder
	}
	r.glob = strings.NewReplacer("{", `\{`, "}", `\}`, `\\`, `\\`, `\{`, `\{`, `\}`, `\}`).Replace(line)
	return r, true
}

// ignores reports whether a name in a folder is left out: the last rule that matches
// says so, those of folders further down after those above.
func (f *ignoreFile) ignores(in *Folder, e Entry) bool {
	path := filepath.Join(in.abs, e.Name)
	for ; f != nil; f = f.above {
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			continue
		}
		rel = filepath.ToSlash(rel)
		for _, r := range slices.Backward(f.rules) {
			if ok, err := doublestar.Match(r.glob, rel); ok && err == nil && (!r.folder || e.Mode.IsDir()) {
				return !r.include
			}
		}
	}
	return false
}
