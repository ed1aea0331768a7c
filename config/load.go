package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Origin says where the value of a setting comes from.
type Origin struct {
	Setting *Setting
	Value   string // as text; the items of a list separated by commas
	From    string // "flag --x", "environment DVLCACHE_X", a file's path, or "default"; of For, "PATH, for NAME"
}

// An Error is a setting that can't be used.
type Error struct {
	Where  string // a file's path, or as Origin.From, or the setting that lacks another
	Key    string // empty if it is the whole of Where
	Reason string
	Hint   string
}

func (e *Error) Error() string {
	for _, kind := range []string{fromFlag, fromEnvironment} {
		if name, ok := strings.CutPrefix(e.Where, kind); ok {
			return fmt.Sprintf("%s: %s", name, e.Reason) // which says what the key is
		}
	}
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Where, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.Where, e.Key, e.Reason)
}

// Load finds the settings. flags holds the values of the flags that were
// given, a list each. Its error is an *Error.
func Load(flags map[string][]string) (*Settings, []Origin, error) {
	settings := All()
	environment := environ()
	out := &Settings{}
	files, err := out.readFiles(flags, environment)
	if err != nil {
		return nil, nil, err
	}
	var v *viper.Viper // only where there is something to choose from
	origins := make([]Origin, 0, len(settings))
	for _, s := range settings {
		values := texts(s, s.Default)
		from := s.origin(flags, environment, files)
		if from != byDefault {
			if v == nil {
				if v, err = newViper(flags, files); err != nil {
					return nil, nil, err
				}
			}
			v.BindEnv(append([]string{s.Name, s.Variable()}, s.aliases...)...)
			if values, err = s.expand(texts(s, v.Get(s.Name))); err != nil {
				return nil, nil, &Error{Where: from, Key: s.Name, Reason: err.Error()}
			}
		}
		err := s.single(values, from)
		if err == nil {
			err = s.set(s.field(out), values)
		}
		if err != nil {
			return nil, nil, &Error{Where: from, Key: s.Name, Reason: err.Error()}
		}
		if n := len(values); n > 1 && !s.Repeated() { // a flag that is given twice
			values = values[n-1:]
		}
		origins = append(origins, Origin{s, strings.Join(values, ","), from})
	}
	shown := func(name string) *Origin {
		return &origins[slices.IndexFunc(settings, func(s *Setting) bool { return s.Name == name })]
	}
	for _, f := range files {
		if _, ok := f.values["dir"]; ok && !f.user && shown("dir").From == f.path {
			out.DirByProject = true
		}
		if _, ok := f.values["folder"]; ok && !f.user && shown("folder").From == f.path {
			out.FolderByProject = true
		}
		out.Programs = append(out.Programs, f.programs...)
	}
	for i, place := range out.SafeDirectory {
		if place != everywhere {
			if out.SafeDirectory[i], err = filepath.Abs(place); err != nil {
				return nil, nil, &Error{Where: "safe-directory", Reason: err.Error()}
			}
		}
	}
	if out.Dir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			out.Dir = filepath.Join(dir, "dvlcache")
		}
		shown("dir").Value, shown("dir").From = out.Dir, byDefault // an empty name is none
	}
	if out.Backend == "auto" {
		switch {
		case len(out.Memcached) > 0 && out.Folder != "":
			return nil, nil, &Error{Where: "backend auto", Reason: "memcached servers are given, and a folder", Hint: "--backend memcached or --backend folder says which"}
		case len(out.Memcached) > 0:
			out.Backend = "memcached"
		case out.Folder != "":
			out.Backend = "folder"
		default:
			out.Backend = "bolt"
		}
		shown("backend").Value = out.Backend
	}
	if out.Backend == "memcached" && len(out.Memcached) == 0 {
		return nil, nil, &Error{Where: "backend memcached", Reason: "no server is given", Hint: "--memcached HOST:PORT or DVLCACHE_MEMCACHED"}
	}
	if out.Backend == "folder" && out.Folder == "" {
		return nil, nil, &Error{Where: "backend folder", Reason: "no folder is given", Hint: "--folder DIR or DVLCACHE_FOLDER"}
	}
	return out, origins, nil
}

// newViper returns a viper that knows the flags and, the last first, the files.
func newViper(flags map[string][]string, files []*file) (*viper.Viper, error) {
	v := viper.New()
	for _, f := range files {
		if err := v.MergeConfigMap(f.values); err != nil {
			return nil, &Error{Where: f.path, Reason: err.Error()}
		}
	}
	for name, values := range flags {
		v.Set(name, values)
	}
	return v, nil
}

// environ returns the names of our variables that have a value.
func environ() (names []string) {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix) && value != "" {
			names = append(names, name)
		}
	}
	return names
}

// byDefault is the origin of what is given nowhere.
const byDefault = "default"

// How the origins of what the caller gives begin.
const (
	fromFlag        = "flag "
	fromEnvironment = "environment "
)

// origin says where the winning value comes from.
func (s *Setting) origin(flags map[string][]string, environment []string, files []*file) string {
	if _, ok := flags[s.Name]; ok {
		return fromFlag + "--" + s.Name
	}
	for _, name := range environment {
		if s.isVariable(name) {
			return fromEnvironment + name
		}
	}
	for _, name := range s.aliases {
		if slices.Contains(environment, name) {
			return fromEnvironment + name
		}
	}
	for _, f := range slices.Backward(files) {
		if _, ok := f.values[s.Name]; ok {
			return f.path
		}
	}
	return byDefault
}

// texts makes texts of a value that viper holds. A list in the environment is
// separated by commas.
func texts(s *Setting, v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case string:
		switch {
		case !s.Repeated():
			return []string{v}
		case v == "":
			return nil
		}
		return slices.DeleteFunc(strings.Split(v, ","), func(t string) bool { return t == "" })
	}
	return nil
}
