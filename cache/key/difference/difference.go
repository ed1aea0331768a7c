// Package difference says how a call differs from a stored one, for people.
package difference

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"dvlcache/cache/key"
	"dvlcache/cache/key/launch"
)

// Difference is one respect in which a call differs from a stored one.
type Difference struct {
	// What differs, as a user would name it: "--job-id", "argument 3",
	// "train.py", "the working directory".
	What string `json:"what"`
	// Now and Stored are its values; both are empty where the file What
	// has other contents.
	Now    string `json:"now,omitempty"`
	Stored string `json:"stored,omitempty"`
	// How says it in a phrase.
	How string `json:"how"`
	// Hint is the flag of ours, if there is one, with which the two would
	// be the same call.
	Hint string `json:"hint,omitempty"`
	// Weight is how far apart it puts the calls, from 1, the same arguments
	// in another order, on.
	Weight int `json:"-"`
	// Items is in how many of its items a list differs.
	Items int `json:"-"`

	values bool // How is Now and Stored
	rule   bool // Hint is a rule for arguments, see Try
	all    bool // … which is of use only if no argument differs with it
}

// Weights of differences. Of what differs, an argument is the most likely to be
// meant.
const (
	weightOrder     = 1
	weightOther     = 3
	weightArgument  = 4
	weightArguments = 12 // many, or more or less of them
)

func (d Difference) String() string { return d.What + " " + d.How }

// Compare orders what differs between calls by how far they are apart.
func Compare(a, b []Difference) int {
	weight := func(all []Difference) (weight, items int) {
		for _, d := range all {
			weight, items = weight+d.Weight, items+d.Items
		}
		return weight, items
	}
	m, i := weight(a)
	n, j := weight(b)
	return cmp.Or(cmp.Compare(m, n), cmp.Compare(i, j))
}

// Sentence says it where there is no other difference.
func (d Difference) Sentence() string {
	if d.values {
		return fmt.Sprintf("differs in %s only: %s", d.What, d.How)
	}
	return d.String()
}

// Widths of what is shown of values, in characters. Longer ones are whole in Now and
// Stored.
const (
	listsWidth = 40 // of two lists
	oneWidth   = 72 // of another value
)

// long reports whether lists are too long to be shown whole.
func (d *Difference) long() bool {
	return utf8.RuneCountInString(d.Now)+utf8.RuneCountInString(d.Stored) > listsWidth
}

// brief is what is shown of a long text.
func brief(text string) string {
	if utf8.RuneCountInString(text) <= oneWidth {
		return text
	}
	return string([]rune(text)[:oneWidth-1]) + "…"
}

// Between says in what a call that is made now differs from one that is
// stored. It looks at when files were changed, and runs nothing. most bounds
// how many are told apart: arguments in which there are more count as one.
func Between(c *key.Call, stored *key.Command, most int) []Difference {
	d := &differ{now: c.Parts, stored: stored.Parts, most: most, call: c, own: c.Own(), storedArgs: stored.Args}
	if stored.Args == nil {
		d.now = key.Hidden(c.Parts)
	}
	d.programs()
	if c.Spec().Paths != stored.Paths {
		d.add(Difference{What: "--paths", Now: string(c.Spec().Paths), Stored: string(stored.Paths), Hint: "--paths " + string(stored.Paths)})
	}
	if c.Spec().TrackArgs != stored.TrackArgs {
		track := map[bool]string{true: "args", false: "none"}
		d.add(Difference{What: "--track", Now: track[c.Spec().TrackArgs], Stored: track[stored.TrackArgs], Hint: "--track " + track[stored.TrackArgs]})
	}
	d.rules()
	d.arguments()
	d.directories()
	d.dependencies()
	d.environment()
	d.stdin()
	d.descriptors()
	return d.differences
}

// Try takes the hints off differences with a stored call that would not do what
// they say: rules for arguments with which as many arguments would differ, since
// what stands there in the stored call is no value of that flag, say. Where the
// stored arguments aren't recorded it leaves the hints as they are.
func Try(c *key.Call, stored *key.Command, differences []Difference) {
	if len(stored.Args) == 0 {
		return
	}
	both := c.Spec().Rules.And(stored.Rules())
	apart := func(r key.Rules) (n int) {
		now := key.ParseArguments(r, c.Args()[1:])
		then := key.ParseArguments(r, stored.Args[1:])
		if len(now) != len(then) {
			return max(len(now), len(then))
		}
		for i := range now {
			if now[i].Counting() != then[i].Counting() {
				n++
			}
		}
		return n
	}
	before := apart(both)
	for i := range differences {
		d := &differences[i]
		if !d.rule || d.Hint == "" {
			continue
		}
		flag, _, _ := strings.Cut(strings.TrimPrefix(d.Hint, "--"), ",")
		rule, name, _ := strings.Cut(flag, " ")
		rules, err := both.And(key.RuleOf(rule, name)).Normalize()
		if err != nil {
			d.Hint = ""
		} else if after := apart(rules); after >= before || d.all && after > 0 {
			d.Hint = ""
		}
	}
}

type differ struct {
	call        *key.Call
	now, stored []key.Part
	most        int
	own         int      // arguments that are a launcher's own: there is no rule for them
	storedArgs  []string // nil: not recorded
	differences []Difference
}

func (d *differ) add(x Difference) {
	switch {
	case x.How != "":
	case x.Now == "":
		x.How = "is missing, stored " + x.Stored
	case x.Stored == "":
		x.How = x.Now + " is new"
	default:
		x.How, x.values = x.Now+", stored "+x.Stored, true
	}
	if x.Weight == 0 {
		x.Weight = weightOther
	}
	d.differences = append(d.differences, x)
}

func ofKind(parts []key.Part, kinds ...key.PartKind) (out []key.Part) {
	for _, p := range parts {
		if slices.Contains(kinds, p.Kind) {
			out = append(out, p)
		}
	}
	return out
}

// same reports whether two digests, of which one may be short, are of the same
// contents.
func same(a, b *key.Digest) bool {
	if a == nil || b == nil {
		return a == b
	}
	return string(a[:key.ShortDigest]) == string(b[:key.ShortDigest])
}

// changed says that a file's contents differ.
func (d *differ) changed(path string) {
	how := "changed since"
	if info, err := os.Stat(path); err == nil {
		how += info.ModTime().Format(" (2006-01-02 15:04)")
	}
	d.add(Difference{What: path, How: how})
}

func (d *differ) programs() {
	now, stored := ofKind(d.now, key.PartProgram, key.PartInterpreter), ofKind(d.stored, key.PartProgram, key.PartInterpreter)
	what := "the program"
	for len(now) > 0 || len(stored) > 0 {
		d.program(what, now[:min(1, len(now))], stored[:min(1, len(stored))])
		now, stored = now[min(1, len(now)):], stored[min(1, len(stored)):]
		if what != "the interpreter" {
			now, stored = d.others(now, stored)
		}
		what = "the interpreter"
	}
}

// others compares the interpreters that both calls have, and returns those which
// only one has, without those that an argument names which the other call doesn't
// have: that is a difference of its own.
func (d *differ) others(now, stored []key.Part) (a, b []key.Part) {
	for i := range now {
		it := now[i].Items[0]
		at := slices.IndexFunc(stored, func(p key.Part) bool { return p.Items[0].Text == it.Text })
		switch {
		case at >= 0 && !same(it.Digest, stored[at].Items[0].Digest):
			d.changed(it.Text)
		case at < 0 && !named(it.Text, d.call.Args(), d.storedArgs):
			a = append(a, now[i])
		}
	}
	for i := range stored {
		text := stored[i].Items[0].Text
		if !slices.ContainsFunc(now, func(p key.Part) bool { return p.Items[0].Text == text }) && !named(text, d.storedArgs, d.call.Args()) {
			b = append(b, stored[i])
		}
	}
	return a, b
}

// named reports whether arguments name a program that others don't.
func named(path string, args, others []string) bool {
	names := func(arg string) bool { return launch.Word(arg) == filepath.Base(path) }
	return slices.ContainsFunc(args, names) && !slices.ContainsFunc(others, names)
}

// program compares one program, or none, of each call.
func (d *differ) program(what string, now, stored []key.Part) {
	switch {
	case len(now) == 0:
		d.add(Difference{What: what, Stored: stored[0].Items[0].Text})
		return
	case len(stored) == 0:
		d.add(Difference{What: what, Now: now[0].Items[0].Text})
		return
	}
	switch a, b := now[0].Items[0], stored[0].Items[0]; {
	case a.Text != b.Text:
		x := Difference{What: what, Now: a.Text, Stored: b.Text}
		if same(a.Digest, b.Digest) && filepath.Base(a.Text) == filepath.Base(b.Text) {
			x.Hint = "--paths project, or none"
		}
		d.add(x)
	case !same(a.Digest, b.Digest):
		d.changed(a.Text)
	}
}

func (d *differ) rules() {
	texts := func(parts []key.Part) (list []string) {
		for _, p := range ofKind(parts, key.PartRule) {
			list = append(list, "--"+p.Items[0].Text)
		}
		return list
	}
	now, stored := texts(d.now), texts(d.stored)
	for _, rule := range stored {
		if !slices.Contains(now, rule) {
			d.add(Difference{What: "the rule " + rule, Stored: rule, How: "held for the stored call", Hint: rule})
		}
	}
	for _, rule := range now {
		if !slices.Contains(stored, rule) {
			d.add(Difference{What: "the rule " + rule, Now: rule, How: "did not hold for the stored call"})
		}
	}
}

func (d *differ) directories() {
	now, stored := written(ofKind(d.now, key.PartDirectory)), written(ofKind(d.stored, key.PartDirectory))
	if now != stored {
		d.add(Difference{What: "the working directory", Now: now, Stored: stored, Hint: "--paths project, or none"})
	}
}

func (d *differ) dependencies() {
	now, stored := ofKind(d.now, key.PartDependency), ofKind(d.stored, key.PartDependency)
	find := func(parts []key.Part, text string) *key.Part {
		for i := range parts {
			if parts[i].Items[0].Text == text {
				return &parts[i]
			}
		}
		return nil
	}
	for _, p := range now {
		it := p.Items[0]
		switch old := find(stored, it.Text); {
		case old == nil:
			d.add(Difference{What: "--depends-on", Now: it.Text})
		case !same(it.Digest, old.Items[0].Digest):
			d.changed(d.call.Youngest(it.Text))
		}
	}
	for _, p := range stored {
		if it := p.Items[0]; find(now, it.Text) == nil {
			d.add(Difference{What: "--depends-on", Stored: it.Text, Hint: "--depends-on " + it.Text})
		}
	}
}

func (d *differ) environment() {
	value := func(parts []key.Part, name string) (text string, form key.Form, counts bool) {
		for _, p := range ofKind(parts, key.PartEnvironment) {
			switch {
			case p.Name != name:
			case p.Form == key.FormUnset:
				return "(unset)", p.Form, true
			default:
				return shown(p.Items[0].Text), p.Form, true
			}
		}
		return "", key.FormKept, false
	}
	var names []string
	for _, p := range ofKind(slices.Concat(d.now, d.stored), key.PartEnvironment) {
		names = append(names, p.Name)
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		now, form, counts := value(d.now, name)
		stored, storedForm, counted := value(d.stored, name)
		if now == stored && form == storedForm && counts == counted {
			continue
		}
		x := Difference{What: "the variable " + name, Now: now, Stored: stored}
		switch {
		case !counts:
			x.How, x.Hint = fmt.Sprintf("doesn't count, and did in the stored call (%s)", stored), "--env "+name
		case !counted:
			x.How = fmt.Sprintf("counts (%s), and did not in the stored call", now)
		}
		d.add(x)
	}
}

func (d *differ) stdin() {
	now, stored := ofKind(d.now, key.PartStdin), ofKind(d.stored, key.PartStdin)
	switch {
	case len(now) > len(stored):
		d.add(Difference{What: "stdin", How: "counts, and did not in the stored call"})
	case len(now) < len(stored):
		d.add(Difference{What: "stdin", How: "doesn't count, and did in the stored call", Hint: "--stdin"})
	case len(now) == 1 && !same(now[0].File, stored[0].File):
		d.add(Difference{What: "stdin", How: "holds something else"})
	}
}

func (d *differ) descriptors() {
	now, stored := ofKind(d.now, key.PartDescriptor), ofKind(d.stored, key.PartDescriptor)
	for i := range max(len(now), len(stored)) {
		switch {
		case i >= len(now):
			d.add(Difference{What: "a descriptor", How: "was left open for the stored call: " + stored[i].Items[0].Text})
		case i >= len(stored):
			d.add(Difference{What: "a descriptor", How: "is left open for it: " + now[i].Items[0].Text})
		case now[i].Items[0].Text != stored[i].Items[0].Text:
			d.add(Difference{What: "a descriptor", Now: now[i].Items[0].Text, Stored: stored[i].Items[0].Text})
		case !same(now[i].Items[0].Digest, stored[i].Items[0].Digest):
			d.add(Difference{What: "descriptor " + now[i].Items[0].Text, How: "holds something else"})
		}
	}
}
