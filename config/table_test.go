package config

import (
	"reflect"
	"regexp"
	"testing"
)

// The table has a row for each field of Settings, and a name for each that viper
// can hold: without dots, which it takes for levels, and in lower case.
func TestTable(t *testing.T) {
	var settings Settings
	names, variables, fields := map[string]bool{}, map[string]bool{}, map[uintptr]bool{}
	for _, s := range All() {
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(s.Name) {
			t.Errorf("%q can't be a name", s.Name)
		}
		for _, name := range append([]string{s.Variable()}, s.aliases...) {
			if variables[name] {
				t.Errorf("%s is two settings", name)
			}
			variables[name] = true
		}
		if names[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		names[s.Name] = true
		field := reflect.ValueOf(s.field(&settings)).Pointer()
		if fields[field] {
			t.Errorf("%s has the field of another", s.Name)
		}
		fields[field] = true
		if s.Usage == "" || s.Switch() && s.Default != "false" {
			t.Errorf("%s has no help, or is on by default", s.Name)
		}
	}
	if want := reflect.TypeFor[Settings]().NumField() - 4; len(fields) != want { // all but DirByProject, FolderByProject, Warnings and Programs
		t.Errorf("%d of %d fields have a setting", len(fields), want)
	}
	if names[programsKey] || names["name"] {
		t.Error("a setting is named as what a file holds besides")
	}
}
