package key

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rules say which arguments of a command don't count, or not in their order.
// Names are those of flags, with or without their dashes.
type Rules struct {
	// Ignore names flags whose value is blanked, in the forms --NAME=V,
	// --NAME V, -NAME=V, -NAME V and NAME=V.
	Ignore []string
	// IgnoreArg lists arguments to blank, counted from 1 after COMMAND.
	IgnoreArg []int
	// IgnoreSwitch names flags without a value that are dropped.
	IgnoreSwitch []string
	// Unordered names flags whose value, split at commas, is a multiset,
	// or, with "..." at the end, those whose following arguments are one.
	Unordered []string
	// UnorderedArg lists arguments that are multisets, split at commas, counted as in
	// IgnoreArg; with "..." at the end, from that argument to the next flag.
	UnorderedArg []string
	// ByContent names flags whose value names a file of which the contents count, and
	// the name doesn't; ByContentArg lists such arguments.
	ByContent    []string
	ByContentArg []int
}

// And is r with other rules besides.
func (r Rules) And(o Rules) Rules {
	return Rules{slices.Concat(r.Ignore, o.Ignore), slices.Concat(r.IgnoreArg, o.IgnoreArg), slices.Concat(r.IgnoreSwitch, o.IgnoreSwitch),
		slices.Concat(r.Unordered, o.Unordered), slices.Concat(r.UnorderedArg, o.UnorderedArg), slices.Concat(r.ByContent, o.ByContent), slices.Concat(r.ByContentArg, o.ByContentArg)}
}

// A RuleError is a rule that makes no sense.
type RuleError struct{ Rule, Name, Reason string }

func (e *RuleError) Error() string {
	return fmt.Sprintf("--%s %q: %s", e.Rule, e.Name, e.Reason)
}

// Normalize strips the dashes off names and sorts out repetitions. Its error
// is a *RuleError.
func (r Rules) Normalize() (Rules, error) {
	var out Rules
	role := map[string]string{}
	names := func(rule string, list []string) ([]string, error) {
		var cleaned []string
		for _, given := range list {
			name := strings.TrimPrefix(strings.TrimPrefix(given, "-"), "-")
			flag := name
			if rule == "unordered" {
				flag = strings.TrimSuffix(name, "...")
			}
			switch {
			case flag == "" || strings.HasPrefix(flag, "-"):
				return nil, &RuleError{rule, given, "it names no flag"}
			case strings.Contains(flag, "="):
				return nil, &RuleError{rule, given, "give the flag's name alone, without a value"}
			case strings.HasSuffix(flag, "..."):
				return nil, &RuleError{rule, given, "only --unordered takes NAME..."}
			}
			this := fmt.Sprintf("--%s %s", rule, name)
			if other, ok := role[flag]; ok && other != this && !(rule == "by-content" && strings.HasPrefix(other, "--unordered ")) {
				return nil, &RuleError{rule, given, other + " is given as well"}
			}
			role[flag] = this
			if !slices.Contains(cleaned, name) {
				cleaned = append(cleaned, name)
			}
		}
		return cleaned, nil
	}
	var err error
	if out.Ignore, err = names("ignore", r.Ignore); err != nil {
		return out, err
	}
	if out.IgnoreSwitch, err = names("ignore-switch", r.IgnoreSwitch); err != nil {
		return out, err
	}
	if out.Unordered, err = names("unordered", r.Unordered); err != nil {
		return out, err
	}
	if out.ByContent, err = names("by-content", r.ByContent); err != nil {
		return out, err
	}
	if out.IgnoreArg, err = places("ignore-arg", r.IgnoreArg); err != nil {
		return out, err
	}
	if out.ByContentArg, err = places("by-content-arg", r.ByContentArg); err != nil {
		return out, err
	}
	for _, n := range out.ByContentArg {
		if slices.Contains(out.IgnoreArg, n) {
			return out, &RuleError{"by-content-arg", strconv.Itoa(n), fmt.Sprintf("--ignore-arg %d is given as well", n)}
		}
	}
	for _, given := range r.UnorderedArg {
		n, err := strconv.Atoi(strings.TrimSuffix(given, "..."))
		if err != nil || n < 1 {
			return out, &RuleError{"unordered-arg", given, "give the argument's place, from 1 on, as 2, or as 2... for it and those that follow"}
		}
		this := strconv.Itoa(n)
		if slices.Contains(out.IgnoreArg, n) {
			return out, &RuleError{"unordered-arg", given, "--ignore-arg " + this + " is given as well"}
		}
		if strings.HasSuffix(given, "...") {
			this += "..."
		}
		if !slices.Contains(out.UnorderedArg, this) {
			out.UnorderedArg = append(out.UnorderedArg, this)
		}
	}
	return out, nil
}

// places sorts out repetitions among places of arguments.
func places(rule string, list []int) (out []int, err error) {
	for _, n := range list {
		if n < 1 {
			return out, &RuleError{rule, strconv.Itoa(n), "arguments are counted from 1"}
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// IsFlag reports whether an argument can't be the value of the flag before it:
// it begins with a dash and is no number.
func IsFlag(arg string) bool {
	if !strings.HasPrefix(arg, "-") {
		return false
	}
	// Go's syntax for numbers is wider; hexadecimal, "inf" and such are flags.
	if strings.Trim(arg, "+-.0123456789eE") != "" {
		return true
	}
	_, err := strconv.ParseFloat(arg, 64)
	return err != nil && !errors.Is(err, strconv.ErrRange)
}

// needsBoundary reports whether, after a dropped switch, this argument might
// be taken for a value of what stood before the switch. It is wider than "no
// flag", since programs differ about "-" and "-1e5".
func needsBoundary(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return true
	}
	c := arg[1]
	return c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
}

// A token is an argument and its place in the grammar of flags.
type token struct {
	arg    string
	n      int    // counted from 1
	flag   string // the name, if it is a flag without a value
	assign string // the name, if it is --NAME=V, -NAME=V or NAME=V
	ended  bool   // it stands after a "--": it is no flag, whatever it looks like
	ends   bool   // a list ends before it: it is a flag, or the "--"
	owner  string // the flag whose value it may be …
	nth    int    // … and its place among that flag's values, from 0
}

// hint is the flag of ours that would ignore the argument.
func (t token) hint() string {
	switch {
	case t.assign != "" && !t.ended:
		return "--ignore " + t.assign
	case t.owner != "" && t.nth == 0: // --ignore blanks the first value alone
		return "--ignore " + t.owner
	}
	return "--ignore-arg " + strconv.Itoa(t.n)
}

// value is what stands behind the "=" of an assignment.
func (t token) value() string { _, v, _ := strings.Cut(t.arg, "="); return v }

// tokenize finds the place of each argument. After a "--" nothing is a flag.
// What it returns is written over tokens.
func tokenize(tokens []token, args []string) []token {
	tokens = slices.Grow(tokens[:0], len(args))[:len(args)]
	owner, nth, ended := "", 0, false
	for i, arg := range args {
		t := token{arg: arg, n: i + 1, ended: ended}
		switch {
		case ended:
			t.assign, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
			if !strings.Contains(arg, "=") {
				t.assign = ""
			}
		case arg == "--":
			ended, owner, t.ends = true, "", true
		case IsFlag(arg):
			owner, nth, t.ends = "", 0, true
			name, _, assigns := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
			if assigns {
				t.assign = name
			} else {
				t.flag, owner = name, name
			}
		default:
			t.assign, _, _ = strings.Cut(arg, "=")
			if len(t.assign) == len(arg) {
				t.assign = ""
			}
			t.owner, t.nth = owner, nth
			nth++
		}
		tokens[i] = t
	}
	return tokens
}

// Use is how a flag is used among arguments.
type Use struct {
	Values   []string // that follow it, up to the next flag
	Assigned bool     // it is there with a "="
	Alone    bool     // … without
}

// UseOf finds how the flag of a name is used among the arguments behind COMMAND.
func UseOf(args []string, name string) (u Use) {
	for _, t := range tokenize(nil, args) {
		if t.owner == name && name != "" {
			u.Values = append(u.Values, t.arg)
		}
		u.Assigned = u.Assigned || t.assign == name && !t.ended
		u.Alone = u.Alone || t.flag == name
	}
	return u
}

// parser parses arguments, and keeps for the next parse what it works in.
type parser struct {
	hints  bool // whether parts get theirs
	tokens []token
	parts  []Part
	items  []Item
}

// parse makes parts of a command's arguments. It is pure: files are looked at
// later. Without rules it loses nothing, so two vectors that differ have parts
// that differ. matched are the rules that had a say, which count themselves.
//
// r must be normalized; contents are the arguments that count by the contents of files,
// in their order. The parts hold until the next parse.
func (w *parser) parse(r Rules, args []string, contents []content) (parts []Part, matched []string) {
	use := func(rule, name string) {
		if text := rule + " " + name; !slices.Contains(matched, text) {
			matched = append(matched, text)
		}
	}
	for _, name := range r.IgnoreSwitch {
		// Always: whether the switch is there must make no difference.
		use("ignore-switch", name)
	}
	tokens := tokenize(w.tokens, args)
	parts = w.parts[:0]
	items := slices.Grow(w.items[:0], len(args))
	defer func() { w.tokens, w.parts, w.items = tokens, parts, items }()
	list, open := "", -1 // the rule whose list of arguments this is, and its part
	for i, t := range tokens {
		items = append(items, Item{Text: t.arg})
		p := Part{Kind: PartArgument, Items: items[i : i+1 : i+1]}
		if w.hints {
			p.Hint, p.Place = t.hint(), t.n
		}
		if t.owner != "" {
			p.Flag = tokens[i-1-t.nth].arg
		}
		if t.assign != "" {
			p.Name = strings.TrimSuffix(t.arg, t.value())
			p.Items[0].Text = t.value()
		}
		var file *content
		if len(contents) > 0 && contents[0].arg == t.n {
			file, contents = &contents[0], contents[1:]
		}
		if len(r.UnorderedArg) > 0 {
			if from := strconv.Itoa(t.n) + "..."; t.ends {
				list = ""
			} else if list == "" && slices.Contains(r.UnorderedArg, from) {
				list = from
			}
		}
		owned := t.owner + "..."
		switch {
		case slices.Contains(r.IgnoreArg, t.n):
			use("ignore-arg", strconv.Itoa(t.n))
			p.Name, p.Items[0].Text = "", t.arg
			p.ignore()
		case t.flag != "" && slices.Contains(r.IgnoreSwitch, t.flag):
			if i+1 == len(tokens) || !needsBoundary(tokens[i+1].arg) {
				continue
			}
			p = Part{Kind: PartArgument, Form: FormBoundary}
		case t.owner != "" && t.nth == 0 && slices.Contains(r.Ignore, t.owner):
			use("ignore", t.owner)
			p.Name, p.Items[0].Text = "", t.arg
			p.ignore()
		case file != nil && file.at > 0 && !t.ended && slices.Contains(r.Ignore, t.assign):
			use("ignore", t.assign)
			p.ignore()
		case file != nil:
			p.Form, p.Style, p.Name, p.Hidden = FormContents, file.style, t.arg[:file.at], file.name
			p.Items = []Item{{Digest: &file.digest}}
			for _, rule := range file.rules {
				name, of, _ := strings.Cut(rule, " ")
				use(name, of)
			}
		case list != "":
			use("unordered-arg", list)
			if last := len(parts) - 1; open >= 0 && open == last {
				parts[last].Items = append(parts[last].Items, Item{Text: t.arg})
				continue
			}
			open = len(parts)
			p = Part{Kind: PartArgument, Form: FormList, Items: []Item{{Text: t.arg}}, Flag: p.Flag, Hint: p.Hint, Place: p.Place}
		case t.owner != "" && t.nth == 0 && slices.Contains(r.Unordered, t.owner):
			p.Name, p.Items[0].Text = "", t.arg
			if p.Sort() {
				use("unordered", t.owner)
			}
		case t.owner != "" && slices.Contains(r.Unordered, owned):
			use("unordered", owned)
			if last := len(parts) - 1; t.nth > 0 && parts[last].Form == FormList {
				parts[last].Items = append(parts[last].Items, Item{Text: t.arg})
				continue
			}
			p = Part{Kind: PartArgument, Form: FormList, Items: []Item{{Text: t.arg}}, Flag: p.Flag, Hint: p.Hint, Place: p.Place}
		case t.assign != "" && !t.ended && slices.Contains(r.Ignore, t.assign):
			use("ignore", t.assign)
			p.ignore()
		case t.assign != "" && !t.ended && slices.Contains(r.Unordered, t.assign):
			if p.Sort() {
				use("unordered", t.assign)
			}
		case t.flag == "" && slices.Contains(r.UnorderedArg, strconv.Itoa(t.n)):
			if p.Sort() {
				use("unordered-arg", strconv.Itoa(t.n))
			}
		}
		parts = append(parts, p)
	}
	for i := range parts {
		if parts[i].Form == FormList {
			parts[i].sortList()
		}
	}
	slices.Sort(matched)
	return parts, matched
}

// ParseArguments makes parts of the arguments behind COMMAND, as Identify does, but
// looks at no files.
func ParseArguments(r Rules, args []string) []Part {
	parts, _ := (&parser{}).parse(r, args, nil)
	return parts
}

// ignore blanks the part's value; what it was is kept for messages alone.
func (p *Part) ignore() {
	p.Form, p.Hidden, p.Items = FormIgnored, p.Items[0].Text, nil
}
