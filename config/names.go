package config

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Strays are the variables that are named as ours are and that no setting has,
// nor known.
func Strays(known []string) (strays []*Error) {
	all := All()
	for _, name := range environ() {
		if slices.Contains(known, name) || slices.ContainsFunc(all, func(s *Setting) bool { return s.isVariable(name) || slices.Contains(s.aliases, name) }) {
			continue
		}
		x := &Error{Where: name, Reason: "there is no such setting", Hint: "'dvlcache config' lists the settings"}
		if s := nearestSetting(all, strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-"))); s != nil {
			x.Hint = "did you mean " + s.Variable() + "?"
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

// nearest suggests a name for one that doesn't exist.
func nearest(settings []*Setting, name string) string {
	if s := nearestSetting(settings, name); s != nil {
		return "did you mean " + s.Name + "?"
	}
	return "'dvlcache config' lists the settings"
}

func nearestSetting(settings []*Setting, name string) (best *Setting) {
	least := len(name)/2 + 1
	for _, s := range settings {
		if d := levenshtein.ComputeDistance(name, s.Name); d < least {
			best, least = s, d
		}
	}
	return best
}
