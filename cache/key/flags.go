package key

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/key/launch"
)

// Flag is a flag among a command's arguments, and its values as they were written:
// none of one that stands alone, several of one that takes a list or is there twice.
type Flag struct {
	Name   string // without dashes
	Values []string
}

// Flags takes arguments apart, as the rules do: into flags (--NAME, --NAME V..., --NAME=V,
// NAME=V), each once, in the order in which they begin, and the rest. What a NAME=V
// says is its own, and no value of a flag before it. After a "--" nothing is a flag.
func Flags(args []string) (flags []Flag, rest []string) {
	flag := func(name string) *Flag {
		at := slices.IndexFunc(flags, func(f Flag) bool { return f.Name == name })
		if at < 0 {
			flags = append(flags, Flag{Name: name})
			at = len(flags) - 1
		}
		return &flags[at]
	}
	for _, t := range tokenize(nil, args) {
		switch {
		case t.ended:
			rest = append(rest, t.arg)
		case t.arg == "--":
		case isName(t.flag):
			flag(t.flag)
		case isName(t.assign):
			f := flag(t.assign)
			f.Values = append(f.Values, t.value())
		case isName(t.owner):
			f := flag(t.owner)
			f.Values = append(f.Values, t.arg)
		default:
			rest = append(rest, t.arg)
		}
	}
	return flags, rest
}

// longestName is how long the name of a flag may be, in bytes.
const longestName = 64

// isName reports whether a flag may have this name: "http://a?b" of http://a?b=c is none.
func isName(name string) bool {
	return name != "" && len(name) <= longestName && strings.Trim(name, nameSigns) == ""
}

const nameSigns = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+~/@"

// Utility is the program whose number it is, as far as the call is recorded: COMMAND,
// or what a launcher starts, by its base name. digest is that of its contents, nil where
// they didn't count; at is its place in Args.
func (c *Command) Utility() (name string, digest *Digest, at int) {
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Kind == PartProgram && len(p.Items) > 0 {
			name, digest = filepath.Base(p.Items[0].Text), p.Items[0].Digest
			break
		}
	}
	if len(c.Args) == 0 || !launch.IsLauncher(name) {
		return name, digest, 0
	}
	named, started := map[string]*Digest{}, map[string]*Digest{} // by base name, since paths may count as less
	for i := range c.Parts {
		p := &c.Parts[i]
		for _, it := range p.Items {
			switch base := filepath.Base(it.Text); {
			case it.Digest == nil:
			case p.Kind == PartInterpreter:
				started[base] = it.Digest
			case p.Kind == PartArgument && p.Name == "":
				named[base] = it.Digest
			}
		}
	}
	of := func(by map[string]*Digest) func(string) bool {
		return func(arg string) bool { return by[filepath.Base(arg)] != nil }
	}
	names, own := launch.Walk(append([]string{name}, c.Args[1:]...), of(named), of(started))
	last := names[len(names)-1]
	for at = own; at > 0; at-- {
		if filepath.Base(c.Args[at]) == last && len(names) > 1 {
			return last, cmp.Or(named[last], started[last]), at
		}
	}
	return name, digest, 0
}
