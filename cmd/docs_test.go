//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dvlcache/cache/memcached/memcachedtest"
)

// docServer stands in the documents for a memcached; the tests put their own in
// its place.
const docServer = "10.0.0.5:11211"

// docBlock is a fenced block of a document, and the comment before it.
type docBlock struct {
	line     int
	language string
	text     string
	// prepare is a script that runs unseen before it; skip says why it isn't
	// run: what a comment says, or that reads are seen on Linux alone.
	prepare, skip string
}

func (b *docBlock) runs() bool {
	return b.skip == "" && slices.Contains([]string{"console", "sh", "bash"}, b.language)
}

var docComment = regexp.MustCompile(`(?s)<!-- (test|linux|not run): (.*?) ?-->\n$`)

// docBlocks finds the blocks of a document.
func docBlocks(t *testing.T, text string) (blocks []docBlock) {
	t.Helper()
	parts := strings.Split("\n"+text, "\n```")
	if len(parts)%2 == 0 {
		t.Fatal("a block has no end")
	}
	line := 0
	for i := 1; i < len(parts); i += 2 {
		line += strings.Count(parts[i-1], "\n") + 1
		b := docBlock{line: line}
		b.language, b.text, _ = strings.Cut(parts[i], "\n")
		if m := docComment.FindStringSubmatch(parts[i-1] + "\n"); m != nil {
			switch {
			case m[1] == "not run":
				b.skip = m[2]
			case m[1] == "linux" && runtime.GOOS != "linux":
				b.skip = "what a program reads is seen on Linux alone"
			default:
				b.prepare = m[2]
			}
		}
		line += strings.Count(parts[i], "\n") + 1
		blocks = append(blocks, b)
	}
	return blocks
}

// prompts splits a console's text into commands and what they print. A line
// that begins with "> " goes on with the command.
func prompts(text string) (commands, outputs []string) {
	for line := range strings.Lines(text + "\n") {
		n := len(commands) - 1
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands, outputs = append(commands, command), append(outputs, "")
		} else if strings.HasPrefix(line, ">") && n >= 0 && outputs[n] == "" {
			commands[n] += strings.TrimPrefix(line[1:], " ")
		} else if n >= 0 {
			outputs[n] += line
		}
	}
	return commands, outputs
}

var (
	docTime   = regexp.MustCompile(`\d+(\.\d+)? (ms|s)\b`)
	docBlanks = regexp.MustCompile(`[ \t]+`)
)

// docPattern makes of what a document shows what may be printed: times differ,
// blanks may, … is any text within a line, and a line of ... any lines.
func docPattern(text string) *regexp.Regexp {
	text = regexp.QuoteMeta(strings.TrimSpace(docNormal(text)))
	text = strings.ReplaceAll(text, "…", ".*")
	text = regexp.MustCompile(`(?m)^\\\.\\\.\\\.$\n?`).ReplaceAllString(text, "(?s:.*)")
	return regexp.MustCompile("^" + text + "$")
}

func docNormal(text string) string {
	return docBlanks.ReplaceAllString(docTime.ReplaceAllString(text, "TIME"), " ")
}

// TestDocs runs the examples of README and docs: a console block's output is
// what the block shows, and a sh or bash block succeeds. The blocks of one
// document share a folder, which is that of the iris example at first.
func TestDocs(t *testing.T) {
	t.Parallel()
	needs(t, "bash", "make", "parallel", "python3")
	documents := []string{"../README.md"}
	filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			documents = append(documents, path)
		}
		return err
	})
	found := 0 // whichever of them are run now
	for _, document := range documents {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, block := range docBlocks(t, text) {
			if block.runs() {
				found++
			}
		}
		t.Run(strings.TrimPrefix(document, "../"), func(t *testing.T) {
			t.Parallel()
			b := examplesBench(t)
			if strings.Contains(text, docServer) {
				text = strings.ReplaceAll(text, docServer, memcachedtest.Start(t).Address)
			}
			dir := b.path("examples/iris")
			if document == "../docs/examples/README.md" {
				dir = b.path("examples")
			}
			shell := func(shell, script string) (string, error) {
				c := osexec.Command(shell, "-c", script)
				c.Dir, c.Env = dir, b.env
				var out bytes.Buffer
				c.Stdout, c.Stderr = &out, &out // in the order in which they come
				err := c.Run()
				return out.String(), err
			}
			for _, block := range docBlocks(t, text) {
				if block.skip != "" {
					t.Logf("line %d is not run: %s", block.line, block.skip)
					continue
				}
				if !block.runs() {
					continue
				}
				if out, err := shell("sh", "set -eu\n"+block.prepare); err != nil {
					t.Fatalf("line %d: %q: %v\n%s", block.line, block.prepare, err, out)
				}
				if block.language != "console" {
					if out, err := shell(block.language, "set -eu\n"+block.text); err != nil {
						t.Errorf("line %d: %v\n%s", block.line, err, out)
					}
					continue
				}
				commands, outputs := prompts(block.text)
				const mark = "@@@"
				var script strings.Builder
				for _, command := range commands {
					fmt.Fprintf(&script, "echo '%s'\n%s", mark, command)
				}
				out, _ := shell("bash", script.String()) // a status that counts is shown by echo $?
				answers := strings.Split(out, mark+"\n")[1:]
				if len(answers) != len(commands) || len(commands) == 0 {
					t.Fatalf("line %d: %d commands, %d answers\n%s", block.line, len(commands), len(answers), out)
				}
				for i, answer := range answers {
					if !docPattern(outputs[i]).MatchString(strings.TrimSpace(docNormal(answer))) {
						t.Errorf("line %d: %sprints\n%s\nand is said to print\n%s", block.line, commands[i], answer, outputs[i])
					}
				}
			}
		})
	}
	if found < 20 {
		t.Errorf("there are %d blocks to run", found)
	}
}

// TestDocLinks: what a document refers to is there.
func TestDocLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	found := 0
	filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".." && d.Name() != ".github" {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, _ := os.ReadFile(path)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		return nil
	})
	if found == 0 {
		t.Error("no links")
	}
}

func TestDocPattern(t *testing.T) {
	for _, c := range []struct {
		shown, printed string
		same           bool
	}{
		{"hit; 3 ms saved", "hit; 0.021 s saved", true},
		{"hit; 3 ms saved", "miss; 0.021 s saved", false},
		{"key 3f6c… in", "key 3f6c012 in", true},
		{"a\n...\nz", "a\nb\nc\nz", true},
		{"a\n...\nz", "a\nb\nc\n", false},
		{"0.9667", "0.96670", false},
		{"a.b", "a+b", false},
	} {
		if got := docPattern(c.shown).MatchString(docNormal(c.printed)); got != c.same {
			t.Errorf("%q shown, %q printed: %v", c.shown, c.printed, got)
		}
	}
}
