package key

import (
	"context"
	"crypto/sha256"
	"os"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/internal/files"
	"dvlcache/cache/internal/wire"
)

// File is a file that is made for an evaluation. What it holds counts, and its name,
// which is another each time, doesn't.
type File struct {
	Arg    int // the argument that names it; COMMAND is 0
	At     int // where in that argument the name begins: at 0, or behind "NAME="
	Lines  int // how many it holds
	Digest Digest

	text string // what it holds
}

// NewFile is a file that holds a text.
func NewFile(arg, at int, text string) File {
	return File{Arg: arg, At: at, Lines: strings.Count(text, "\n"), Digest: sha256.Sum256([]byte(text)), text: text}
}

// Text is what the file holds. It reports false where that was too much for a record, of
// which the Digest alone is known.
func (f *File) Text() (text string, ok bool) { return f.text, f.text != "" || f.Lines == 0 }

// Fits reports whether the file is one of an argument of a command's.
func (f *File) Fits(args []string) bool {
	return f.Arg > 0 && f.Arg < len(args) && f.At >= 0 && f.At <= len(args[f.Arg]) && f.Lines >= 0
}

// content is an argument that counts by what the file holds that it names.
type content struct {
	arg, at int // as of File
	digest  Digest
	style   string   // styleLines: its lines are a multiset
	name    string   // of the file, if somebody gave it one
	rules   []string // as they count
}

// styleLines marks a file whose lines are a multiset.
const styleLines = "lines"

// contents finds which arguments count by the contents of files alone: those whose files
// are made for the evaluation, and those that the rules for it name.
func (c *Call) contents(ctx context.Context, r Rules, args []string, made []File) (all []content, err error) {
	if len(made)+len(r.ByContent)+len(r.ByContentArg) == 0 {
		return nil, nil
	}
	tokens := tokenize(nil, args[1:])
	for i := range tokens {
		t := &tokens[i]
		rule, at := t.byContent(r)
		if i := slices.IndexFunc(made, func(f File) bool { return f.Arg == t.n }); i >= 0 {
			if rule == "" {
				rule = t.canonical(made[i].At > 0)
			}
			x := content{arg: t.n, at: made[i].At, digest: made[i].Digest, rules: []string{rule}}
			text, _ := made[i].Text()
			x.sort(r, t, text)
			all = append(all, x)
			continue
		}
		if rule == "" || files.Missing(t.arg[at:]) {
			continue
		}
		name := t.arg[at:]
		sum, err := c.trackText(ctx, name, "") // no hint: what counts by its contents is no output
		if err != nil {
			return nil, err
		} else if sum == nil {
			continue
		}
		x := content{arg: t.n, at: at, digest: *sum, name: name, rules: []string{rule}}
		if t.unordered(r, at) != "" {
			text, err := os.ReadFile(name) // what is remembered is the digest of the whole
			if err == nil && sha256.Sum256(text) != *sum {
				err = errChanging
			}
			if err != nil {
				return nil, unreadable(name, err)
			}
			x.sort(r, t, string(text))
		}
		all = append(all, x)
	}
	return all, nil
}

// byContent returns the rule, and where in the argument the name of the file begins, if
// the argument is to count by contents.
func (t *token) byContent(r Rules) (rule string, at int) {
	behind := 0
	if t.assign != "" {
		behind = len(t.arg) - len(t.value())
	}
	switch {
	case t.owner != "" && t.nth == 0 && slices.Contains(r.ByContent, t.owner):
		return "by-content " + t.owner, 0
	case t.assign != "" && !t.ended && slices.Contains(r.ByContent, t.assign):
		return "by-content " + t.assign, behind
	case slices.Contains(r.ByContentArg, t.n):
		return "by-content-arg " + strconv.Itoa(t.n), behind
	}
	return "", 0
}

// canonical is the rule by which a file that is made counts, where none is given: with
// it a user who makes the file himself finds the entry.
func (t *token) canonical(assigned bool) string {
	switch {
	case assigned && t.assign != "" && !t.ended:
		return "by-content " + t.assign
	case !assigned && t.owner != "" && t.nth == 0:
		return "by-content " + t.owner
	}
	return "by-content-arg " + strconv.Itoa(t.n)
}

// unordered returns the rule by which the one value of an argument, which begins at a
// place in it, is a multiset, or nothing.
func (t *token) unordered(r Rules, at int) string {
	switch {
	case at == 0 && t.owner != "" && t.nth == 0 && slices.Contains(r.Unordered, t.owner):
		return "unordered " + t.owner
	case at > 0 && !t.ended && slices.Contains(r.Unordered, t.assign):
		return "unordered " + t.assign
	case slices.Contains(r.UnorderedArg, strconv.Itoa(t.n)):
		return "unordered-arg " + strconv.Itoa(t.n)
	}
	return ""
}

// sort makes a multiset of the lines of a file where a rule says so, and where nothing
// but the ends of lines may separate items.
func (x *content) sort(r Rules, t *token, text string) {
	rule := t.unordered(r, x.at)
	if rule == "" {
		return
	}
	rest, ended := strings.CutSuffix(text, "\n")
	var lines []string
	if text != "" {
		lines = strings.Split(rest, "\n")
	}
	if slices.ContainsFunc(lines, separates) {
		return
	}
	slices.Sort(lines)
	b := []byte{0}
	if ended { // a file by hand may lack the end of its last line
		b[0] = 1
	}
	for _, line := range lines {
		b = wire.AppendBytes(b, line)
	}
	x.digest, x.style, x.rules = sha256.Sum256(b), styleLines, append(x.rules, rule)
}

// Unorders reports whether the last of the arguments behind COMMAND is a multiset by
// these rules, or holds one behind its "=".
func (r Rules) Unorders(args []string) bool {
	t := tokenize(nil, args)[len(args)-1]
	if t.owner != "" && slices.Contains(r.Unordered, t.owner+"...") {
		return true
	}
	at := 0
	if t.assign != "" {
		at = len(t.arg) - len(t.value())
	}
	return t.unordered(r, at) != "" || t.unordered(r, 0) != ""
}
