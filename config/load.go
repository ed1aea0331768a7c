package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cast"
	"github.com/spf13/viper"
)

// Origin says where the value of a setting comes from.
type Origin struct {
	Setting *Setting
	Value   string // as text; the items of a list separated by commas
	From    string // "flag --x", "environment DVLCACHE_X", a file's path, or "default"
}

// An Error is a setting that can't be used.
type Error struct {
	Where  string // a file's path, or "environment"
	Key    string // empty if it is the whole file
	Reason string
	Hint   string
}

func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s: %s", e.Where, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.Where, e.Key, e.Reason)
}

// programsKey holds the rules for single programs. They are a list, since
// viper takes dots in keys for levels and folds their case.
const programsKey = "programs"

// Load finds the settings. flags holds the values of the flags that were
// given, a list each. Its error is an *Error.
func Load(flags map[string][]string) (*Settings, []Origin, error) {
	v := viper.New()
	settings := All()
	for _, s := range settings {
		v.SetDefault(s.Name, s.Default)
		v.BindEnv(append([]string{s.Name, s.Variable()}, s.aliases...)...)
	}
	var files []*file
	for _, path := range []string{userFile(), projectFile()} {
		f, err := readFile(path)
		if err != nil {
			return nil, nil, err
		}
		if f == nil {
			continue
		}
		files = append(files, f)
		if err := v.MergeConfigMap(f.values); err != nil {
			return nil, nil, &Error{Where: path, Reason: err.Error()}
		}
	}
	for name, values := range flags {
		v.Set(name, values)
	}
	out := &Settings{}
	origins := make([]Origin, 0, len(settings))
	for _, s := range settings {
		values := texts(s, v.Get(s.Name))
		from := s.origin(flags, files)
		if err := s.set(s.field(out), values); err != nil {
			return nil, nil, &Error{Where: from, Key: s.Name, Reason: err.Error()}
		}
		origins = append(origins, Origin{s, strings.Join(values, ","), from})
	}
	for _, f := range files {
		out.Programs = append(out.Programs, f.programs...)
	}
	if out.Dir == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			out.Dir = filepath.Join(dir, "dvlcache")
		}
		origins[slices.Index(settings, StoreSettings[0])].Value = out.Dir
	}
	return out, origins, nil
}

// origin says where the winning value comes from.
func (s *Setting) origin(flags map[string][]string, files []*file) string {
	if _, ok := flags[s.Name]; ok {
		return "flag --" + s.Name
	}
	for _, name := range append([]string{s.Variable()}, s.aliases...) {
		if os.Getenv(name) != "" {
			return "environment " + name
		}
	}
	for _, f := range slices.Backward(files) {
		if _, ok := f.values[s.Name]; ok {
			return f.path
		}
	}
	return "default"
}

// texts makes texts of a value that viper found. A list in the environment is
// separated by commas.
func texts(s *Setting, v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if s.Repeated() {
			return slices.DeleteFunc(strings.Split(v, ","), func(t string) bool { return t == "" })
		}
		return []string{v}
	case []string:
		return v
	case []any:
		list := make([]string, len(v))
		for i := range v {
			list[i] = cast.ToString(v[i])
		}
		return list
	default:
		return []string{cast.ToString(v)}
	}
}

// userFile is the user's own file, or "".
func userFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "dvlcache", "config.yaml")
}

// projectFile is the nearest dvlcache.yaml, in this folder or above, or "".
func projectFile() string {
	dir, err := os.Getwd()
	for err == nil {
		path := filepath.Join(dir, "dvlcache.yaml")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	return ""
}

// file is a file of settings.
type file struct {
	path     string
	values   map[string]any
	programs []Program
}

// readFile reads and checks a file. nil means that there is none.
func readFile(path string) (*file, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	v := viper.New()
	v.SetConfigFile(path)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		reason := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "While parsing config: ")), " ")
		return nil, &Error{Where: path, Reason: reason}
	}
	f := &file{path: path, values: v.AllSettings()}
	if err := f.checkPrograms(); err != nil {
		return nil, err
	}
	delete(f.values, programsKey)
	settings := All()
	for key, value := range f.values {
		if err := f.check(settings, key, key, value, func(s *Setting) any { return s.field(&Settings{}) }); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// check makes texts of one value in place and parses it into what field
// returns. as is the key for messages.
func (f *file) check(settings []*Setting, key, as string, value any, field func(*Setting) any) error {
	i := slices.IndexFunc(settings, func(s *Setting) bool { return s.Name == key })
	if i < 0 {
		return &Error{Where: f.path, Key: as, Reason: "there is no such setting", Hint: nearest(settings, key)}
	}
	s := settings[i]
	switch v := value.(type) {
	case map[string]any:
		return &Error{Where: f.path, Key: as, Reason: "it takes a value, not keys of its own"}
	case nil:
		return &Error{Where: f.path, Key: as, Reason: "it has no value"}
	case []any:
		if !s.Repeated() {
			return &Error{Where: f.path, Key: as, Reason: "it takes one value, not a list"}
		}
		for _, item := range v {
			if _, err := cast.ToStringE(item); err != nil || item == nil {
				return &Error{Where: f.path, Key: as, Reason: "its list may hold plain values only"}
			}
		}
	case string:
		if s.Repeated() {
			value = []any{v} // one value, commas and all
		}
	}
	values := texts(s, value)
	if s.isPath {
		for i, p := range values {
			if p != "" && !filepath.IsAbs(p) {
				values[i] = filepath.Join(filepath.Dir(f.path), p)
			}
		}
	}
	if err := s.set(field(s), values); err != nil {
		return &Error{Where: f.path, Key: as, Reason: err.Error()}
	}
	f.values[key] = values
	return nil
}

func (f *file) checkPrograms() error {
	list, ok := f.values[programsKey].([]any)
	if !ok && f.values[programsKey] != nil {
		return &Error{Where: f.path, Key: programsKey, Reason: "it takes a list", Hint: programsHint}
	}
	settings := slices.DeleteFunc(All(), func(s *Setting) bool { return s.program == nil })
	for i, item := range list {
		as := fmt.Sprintf("%s[%d]", programsKey, i)
		values, ok := item.(map[string]any)
		name := cast.ToString(values["name"])
		if !ok || name == "" {
			return &Error{Where: f.path, Key: as, Reason: "it has no name", Hint: programsHint}
		}
		p := Program{Name: name, From: f.path}
		// checked like a file of its own
		one := &file{path: f.path, values: map[string]any{}}
		for key, value := range values {
			if key == "name" {
				continue
			}
			if err := one.check(settings, key, as+"."+key, value, func(s *Setting) any { return s.program(&p) }); err != nil {
				return err
			}
		}
		f.programs = append(f.programs, p)
	}
	return nil
}

const programsHint = "write it as programs: [{name: train.sh, ignore: [job-id]}]"

// nearest suggests a name for one that doesn't exist, or is empty.
func nearest(settings []*Setting, name string) string {
	best, least := "", len(name)/2+1
	for _, s := range settings {
		if d := levenshtein.ComputeDistance(name, s.Name); d < least {
			best, least = s.Name, d
		}
	}
	if best == "" {
		return "'dvlcache config' lists the settings"
	}
	return "did you mean " + best + "?"
}
