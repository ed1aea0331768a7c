package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Program is what a file says for one program.
type Program struct {
	Name string // base name of COMMAND, or of the script behind it
	From string // the file's path

	values map[string][]string // of settings, by their names, as texts
}

// InProgram returns what is said for a program of the setting, as texts.
func (s *Setting) InProgram(p *Program) []string { return p.values[s.Name] }

// ofRun reports whether the setting is one of a run, which may be another one for each
// program: those of the store are not.
func (s *Setting) ofRun() bool { return !slices.Contains(StoreSettings, s) }

// byCaller reports whether a value comes from a flag or the environment, before which
// nothing goes that a file says.
func (o *Origin) byCaller() bool {
	return strings.HasPrefix(o.From, fromFlag) || strings.HasPrefix(o.From, fromEnvironment)
}

// For returns the settings for a program, and where they come from. names are the base
// names that it goes by, as launch.ProgramNames has them. Of several that say something
// the script goes before what starts it, a nearer file before another, and what stands
// below before what stands above. Lists are added to those for all, whoever gives these;
// any other setting takes the place of what a file says for all.
func (s *Settings) For(origins []Origin, names ...string) (*Settings, []Origin) {
	t, origins := *s, slices.Clone(origins)
	type match struct {
		*Program
		file, name int
	}
	var matches []match
	for i := range s.Programs {
		p := &s.Programs[i]
		if at := slices.Index(names, p.Name); at >= 0 {
			m := match{p, 0, at}
			if n := len(matches); n > 0 {
				if m.file = matches[n-1].file; matches[n-1].From != p.From {
					m.file++
				}
			}
			matches = append(matches, m)
		}
	}
	ranked := slices.Clone(matches)
	slices.SortStableFunc(ranked, func(a, b match) int { return cmp.Or(a.file-b.file, a.name-b.name) })
	for i := range origins {
		o := &origins[i]
		list, order := o.Setting.Repeated(), ranked
		if list {
			order = matches
		}
		for _, m := range order {
			values, said := m.values[o.Setting.Name]
			if !said || !list && o.byCaller() {
				continue
			}
			from := fmt.Sprintf("%s, for %s", m.From, m.Name)
			if list {
				o.Setting.extend(&t, values)
				if o.Value != "" {
					values, from = append([]string{o.Value}, values...), o.From+"; "+from
				}
			} else if err := o.Setting.set(o.Setting.field(&t), values); err != nil {
				panic(err) // it was checked when the file was read
			}
			o.Value, o.From = strings.Join(values, ","), from
		}
	}
	return &t, origins
}

// extend adds values to a list of the settings, and leaves what others hold of it.
func (s *Setting) extend(t *Settings, values []string) {
	var more Settings
	if err := s.set(s.field(&more), values); err != nil {
		panic(err) // as above
	}
	switch list := s.field(t).(type) {
	case *[]string:
		*list = slices.Concat(*list, *s.field(&more).(*[]string))
	case *[]int:
		*list = slices.Concat(*list, *s.field(&more).(*[]int))
	}
}
