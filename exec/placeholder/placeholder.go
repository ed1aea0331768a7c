// Package placeholder puts subsets into COMMAND's arguments, in the form in which the
// program takes them: in one argument, as arguments of their own, in a file, as ranges.
package placeholder

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/key"
)

// form is how a subset is put in.
type form int

const (
	asText   form = iota // {}: as it is written, in one argument or a part of one
	asList               // {...}: its items, an argument each
	asFile               // {:file}: the name of a file with an item a line
	asRanges             // {:ranges}: 1-3,7
)

// piece is a literal, or a place for a field: "" is the whole line.
type piece struct {
	text  string // of a field, its name
	field bool
	form  form
}

// written is a placeholder as a user writes it, for messages.
func (p piece) written() string {
	return "{" + p.text + [...]string{"", "...", ":file", ":ranges"}[p.form] + "}"
}

// Template is COMMAND with its arguments, and the places in them for subsets.
type Template struct {
	args   [][]piece
	unused []string
}

// Error is a template, or a subset for one, of which no arguments can be made.
type Error struct{ Reason, Hint string }

func (e *Error) Error() string { return e.Reason }

// Parse finds the placeholders in COMMAND's arguments: {}, {...}, {file} and {ranges} of
// the whole line and, where lines have fields, {NAME}, {NAME...}, {NAME:file} and
// {NAME:ranges}; there {file} is a field, and the line's are {:file} and {:ranges}.
// What is put in is not looked at again. Its error is an *Error.
func Parse(command []string, fields bool) (*Template, error) {
	t := &Template{args: make([][]piece, len(command))}
	for i, arg := range command {
		if i == 0 { // COMMAND itself is what it is
			t.args[i] = []piece{{text: arg}}
			continue
		}
		t.args[i] = t.parse(arg, fields)
		if err := check(arg, t.args[i]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// parse parses one argument.
func (t *Template) parse(arg string, fields bool) (pieces []piece) {
	rest, literal := arg, "" // what isn't looked at yet, and what goes before that
	for {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			break
		}
		n := strings.IndexByte(rest[i:], '}')
		if n < 0 {
			break
		}
		p, ok := placeholder(rest[i+1:i+n], fields)
		if !ok {
			// No place to put anything into: {a, b}, JSON, awk.
			if looksLikeField(rest[i+1:i+n]) && !strings.HasSuffix(literal+rest[:i], "$") {
				t.unused = append(t.unused, rest[i:i+n+1])
			}
			literal += rest[:i+1]
			rest = rest[i+1:]
			continue
		}
		if literal += rest[:i]; literal != "" {
			pieces = append(pieces, piece{text: literal})
		}
		pieces, literal, rest = append(pieces, p), "", rest[i+n+1:]
	}
	if literal += rest; literal != "" || pieces == nil {
		pieces = append(pieces, piece{text: literal})
	}
	return pieces
}

// placeholder makes a piece of what stands between braces.
func placeholder(text string, fields bool) (piece, bool) {
	if !fields && (text == "file" || text == "ranges") {
		text = ":" + text
	}
	p := piece{text: text, field: true}
	for suffix, form := range map[string]form{"...": asList, ":file": asFile, ":ranges": asRanges} {
		if name, ok := strings.CutSuffix(text, suffix); ok {
			p.text, p.form = name, form
		}
	}
	return p, p.text == "" || fields && !strings.ContainsAny(p.text, "{\"'")
}

// looksLikeField reports whether somebody who writes {text} is likely to mean a field.
func looksLikeField(text string) bool {
	p, _ := placeholder(text, true)
	return p.text != "" && !strings.ContainsFunc(p.text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}) && strings.ContainsFunc(p.text, func(r rune) bool { return r > '9' })
}

// check looks whether all that stands beside placeholders may stand there.
func check(arg string, pieces []piece) error {
	for i, p := range pieces {
		switch {
		case !p.field:
		case p.form == asList && len(pieces) > 1:
			return &Error{fmt.Sprintf("%s: %s is arguments of their own, and can't be a part of one", arg, p.written()),
				"put it alone, or {" + p.text + "} for all items in one argument"}
		case p.form == asFile && i > 0 && (i != 1 || len(pieces) > 2 || strings.IndexByte(pieces[0].text, '=') != len(pieces[0].text)-1),
			p.form == asFile && i == 0 && len(pieces) > 1:
			return &Error{fmt.Sprintf("%s: %s is the name of a file, and has to be all of an argument, or all that stands behind NAME=", arg, p.written()),
				"--NAME " + p.written() + ", --NAME=" + p.written() + " or NAME=" + p.written()}
		}
	}
	return nil
}

// Used reports whether there is a placeholder.
func (t *Template) Used() bool {
	return slices.ContainsFunc(t.args, func(a []piece) bool { return slices.ContainsFunc(a, func(p piece) bool { return p.field }) })
}

// AppendLine adds {}, the whole line, as the last argument.
func (t *Template) AppendLine() { t.args = append(t.args, []piece{{field: true}}) }

// Example is COMMAND with its arguments for 0 in each place, or as it is where that can't be
// put in.
func (t *Template) Example(command []string, rules key.Rules) []string {
	c, err := t.Expand(rules, func(string) (Value, error) { return Items([]string{"0"}), nil })
	if err != nil {
		return command
	}
	return c.Args
}

// Fields are the names of the fields that are put in; the whole line is none.
func (t *Template) Fields() (names []string) {
	for _, a := range t.args {
		for _, p := range a {
			if p.field && p.text != "" && !slices.Contains(names, p.text) {
				names = append(names, p.text)
			}
		}
	}
	return names
}

// Check refuses rules that would take one item of a {...} for an argument of its own, so
// that two subsets which differ there would be one call: by a place among arguments,
// which is another in each call from there on, or by the flag whose items they are. Its
// error is an *Error.
func (t *Template) Check(r key.Rules) error {
	isList := func(a []piece) bool { return a[0].field && a[0].form == asList }
	first := slices.IndexFunc(t.args, isList)
	if first < 0 {
		return nil
	}
	wrong := func(rule, of string) error {
		return &Error{fmt.Sprintf("--%s %s: it would be for an item of %s, of which there are as many arguments as the subset has", rule, of, t.args[first][0].written()),
			"put what the rule is for before the items, or name it by a flag of its own"}
	}
	for i, a := range t.args[first:] {
		before := t.args[first+i-1]
		if name := strings.TrimLeft(before[0].text, "-"); isList(a) && len(before) == 1 && !before[0].field && key.IsFlag(before[0].text) && slices.Contains(r.Ignore, name) {
			return wrong("ignore", name)
		}
	}
	for _, n := range r.IgnoreArg {
		if n >= first {
			return wrong("ignore-arg", strconv.Itoa(n))
		}
	}
	for _, n := range r.ByContentArg {
		if n >= first {
			return wrong("by-content-arg", strconv.Itoa(n))
		}
	}
	for _, given := range r.UnorderedArg {
		place, list := strings.CutSuffix(given, "...")
		n, _ := strconv.Atoi(place)
		if n > first || n == first && !list {
			return wrong("unordered-arg", given)
		}
		if list && t.mixes(n) {
			return mixed("unordered-arg", given)
		}
	}
	for i, a := range t.args[:len(t.args)-1] {
		if name := strings.TrimLeft(a[0].text, "-") + "..."; isFlag(a) && slices.Contains(r.Unordered, name) && t.mixes(i+1) {
			return mixed("unordered", name)
		}
	}
	return nil
}

// mixed is a list without order that has more in it than the items of one place.
func mixed(rule, of string) error {
	return &Error{fmt.Sprintf("--%s %s: it takes what stands in several places for one set, in which they could change places", rule, of),
		"put a flag before what isn't of the set"}
}

// isFlag reports whether an argument ends a list.
func isFlag(a []piece) bool {
	return len(a) == 1 && !a[0].field && (key.IsFlag(a[0].text) || a[0].text == "--")
}

// mixes reports whether the list of arguments from this one on, up to the next flag, has
// a {...} and another place besides.
func (t *Template) mixes(from int) bool {
	places, lists := 0, 0
	for _, a := range t.args[min(from, len(t.args)):] {
		if isFlag(a) {
			break
		}
		if slices.ContainsFunc(a, func(p piece) bool { return p.field }) {
			places++
		}
		if a[0].field && a[0].form == asList {
			lists++
		}
	}
	return lists > 0 && places > 1
}

// Unused are the texts that look like the placeholder of a field where lines have no
// fields; they are handed on as they are.
func (t *Template) Unused() []string { return t.unused }

// Value is what a placeholder stands for.
type Value struct {
	Text string // as it is written
	// Items finds its items; nil: Split finds them in Text.
	Items func() ([]string, error)
}

// Items is the Value of a subset that is known by its items.
func Items(items []string) Value {
	return Value{strings.Join(items, ","), func() ([]string, error) { return items, nil }}
}

func (v Value) items() ([]string, error) {
	if v.Items == nil {
		return Split(v.Text)
	}
	return v.Items()
}

// Call is what a Template gives for one subset.
type Call struct {
	Args []string // COMMAND and its arguments
	// Files are those which are to be made for an evaluation, and removed after it: see
	// Folder. The key takes them for what they hold.
	Files []key.File
}

// Expand puts values into the template's places: value gives that of a field, by name,
// or of the whole line, which has none. rules say whether ranges may be sorted. It may
// be called concurrently. Its errors are *Error and those of value.
func (t *Template) Expand(rules key.Rules, value func(name string) (Value, error)) (Call, error) {
	c := Call{Args: make([]string, 0, len(t.args))}
	ended := false // a "--" went before: nothing is a flag
	for _, pieces := range t.args {
		arg := ""
		for _, p := range pieces {
			text := p.text
			if p.field {
				v, err := value(p.text)
				if err != nil {
					return Call{}, err
				}
				if text = v.Text; p.form != asText {
					items, err := v.items()
					if err != nil {
						return Call{}, err
					}
					switch p.form {
					case asList:
						if err := c.list(items, ended); err != nil {
							return Call{}, err
						}
						text = ""
					case asFile:
						if text, err = lines(items); err == nil {
							c.Files = append(c.Files, key.NewFile(len(c.Args), len(arg), text))
							text = fileText
						}
					case asRanges:
						text, err = ranges(items, rules.Unorders(append(slices.Clone(c.Args[1:]), arg+"1")))
					}
					if err != nil {
						return Call{}, err
					}
				}
			}
			arg += text // mostly there is one piece, and nothing to copy
		}
		if strings.IndexByte(arg, 0) >= 0 {
			return Call{}, &Error{"it holds a NUL byte, which no argument can", ""}
		}
		if pieces[0].field && pieces[0].form == asList {
			continue
		}
		c.Args = append(c.Args, arg)
		ended = ended || arg == "--"
	}
	return c, nil
}

// fileText stands in arguments for the name of a file that isn't made yet.
const fileText = "{file}"

// list adds items as arguments.
func (c *Call) list(items []string, ended bool) error {
	for _, it := range items {
		switch {
		case strings.IndexByte(it, 0) >= 0:
			return &Error{"an item holds a NUL byte, which no argument can", ""}
		case !ended && key.IsFlag(it):
			return &Error{fmt.Sprintf("the item %q would be a flag of COMMAND's", it), "behind a -- among COMMAND's arguments nothing is; or hand the items on by {} or {file}"}
		}
	}
	c.Args = append(c.Args, items...)
	return nil
}
