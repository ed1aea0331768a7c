package key

import (
	"slices"
	"strings"
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
