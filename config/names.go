package config

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// listHint is for a name that resembles no setting's.
const listHint = "'dvlcache config' lists the settings"

// Nearest is the one of names that name may be meant to be, or empty: at most two
// letters are wrong, and fewer than half.
func Nearest(name string, names []string) (nearest string) {
	least := min(3, (len(name)+1)/2)
	for _, n := range names {
		if d := levenshtein.ComputeDistance(name, n); d < least {
			nearest, least = n, d
		}
	}
	return nearest
}

// Strays are the variables that are named as ours are and that no setting has,
// nor known.
func Strays(known []string) (strays []*Error) {
	all := All()
	for _, name := range environ() {
		if slices.Contains(known, name) || slices.ContainsFunc(all, func(s *Setting) bool { return s.isVariable(name) || slices.Contains(s.aliases, name) }) {
			continue
		}
		x := &Error{Where: name, Reason: "there is no such setting", Hint: listHint}
		variables := slices.Clone(known)
		for _, s := range all {
			variables = append(append(variables, s.Variable()), s.aliases...)
		}
		for i := range variables {
			variables[i] = strings.TrimPrefix(variables[i], prefix)
		}
		if like := Nearest(strings.ToUpper(strings.TrimPrefix(name, prefix)), variables); like != "" {
			x.Hint = "did you mean " + prefix + like + "?"
		}
		strays = append(strays, x)
	}
	return strays
}

func find(settings []*Setting, name string) *Setting {
	for _, s := range settings {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// unknown is the error of a key, shown as as, that is none of settings, nor other.
func (f *file) unknown(as, key string, settings []*Setting, other string) *Error {
	names := []string{other}
	for _, s := range settings {
		names = append(names, s.Name)
	}
	x := &Error{Where: f.path, Key: as, Reason: "there is no such setting", Hint: listHint}
	if like := Nearest(strings.ToLower(key), names); like != "" {
		x.Hint = "did you mean " + like + "?"
	}
	return x
}
