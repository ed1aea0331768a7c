package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// Origin says where the value of a setting comes from.
type Origin struct {
	Setting *Setting
	Value   string // as text; the items of a list separated by commas
	From    string // "flag --x", "environment DVLCACHE_X", a file's path, or "default"
}

// An Error is a setting that can't be used.
type Error struct {
	Where  string // a file's path, or as Origin.From, or the setting that lacks another
	Key    string // empty if it is the whole of Where
	Reason string
	Hint   string
}

func (e *Error) Error() string {
	for _, kind := range []string{"flag ", "environment "} {
		if name, ok := strings.CutPrefix(e.Where, kind); ok {
			return fmt.Sprintf("%s: %s", name, e.Reason) // which says what the key is
		}
	}
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
	settings := All()
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
	}
	environment := environ()
	var v *viper.Viper // only where there is something to choose from
	out := &Settings{}
	origins := make([]Origin, 0, len(settings))
	for _, s := range settings {
		values := texts(s, s.Default)
		from := s.origin(flags, environment, files)
		if from != byDefault {
			if v == nil {
				var err error
				if v, err = newViper(flags, files); err != nil {
					return nil, nil, err
				}
			}
			v.BindEnv(append([]string{s.Name, s.Variable()}, s.aliases...)...)
			values = texts(s, v.Get(s.Name))
		}
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
		origins[slices.IndexFunc(settings, func(s *Setting) bool { return s.Name == "dir" })].Value = out.Dir
	}
	if out.Backend == "auto" {
		out.Backend = "bolt"
		if len(out.Memcached) > 0 {
			out.Backend = "memcached"
		}
	}
	if out.Backend == "memcached" && len(out.Memcached) == 0 {
		return nil, nil, &Error{Where: "backend memcached", Reason: "no server is given", Hint: "--memcached HOST:PORT or DVLCACHE_MEMCACHED"}
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

// byDefault is the origin of what is given nowhere.
const byDefault = "default"

// origin says where the winning value comes from.
func (s *Setting) origin(flags map[string][]string, environment []string, files []*file) string {
	if _, ok := flags[s.Name]; ok {
		return "flag --" + s.Name
	}
	for _, name := range environment {
		if s.isVariable(name) {
			return "environment " + name
		}
	}
	for _, name := range s.aliases {
		if slices.Contains(environment, name) {
			return "environment " + name
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
		if _, err := os.Lstat(path); err == nil {
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
	values   map[string]any // a []string each
	programs []Program
}

// readFile reads and checks a file. nil means that there is none.
//
// It reads the YAML itself and hands texts to viper, which would fold the case
// of keys, pass over keys without a value, and make 7 of a namespace 007.
func readFile(path string) (*file, error) {
	if path == "" {
		return nil, nil
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Where: path, Reason: errors.Unwrap(err).Error()}
	}
	f := &file{path: path, values: map[string]any{}}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return f, nil
	} else if err != nil {
		return nil, f.wrong("", strings.Join(strings.Fields(err.Error()), " "))
	}
	if decoder.Decode(&second) == nil {
		return nil, f.wrong("", "it holds more than one YAML document")
	}
	root := resolve(doc.Content[0])
	if root.Tag == "!!null" {
		return f, nil
	}
	settings := All()
	err = f.each(root, "", func(key string, value *yaml.Node) error {
		if key == programsKey {
			return f.readPrograms(settings, value)
		}
		s := find(settings, key)
		if s == nil {
			return &Error{Where: f.path, Key: key, Reason: "there is no such setting", Hint: nearest(settings, key)}
		}
		values, err := f.parse(s, s.field(&Settings{}), key, value)
		f.values[key] = values
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) wrong(key, reason string) *Error {
	return &Error{Where: f.path, Key: key, Reason: reason}
}

// resolve follows a YAML alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func find(settings []*Setting, name string) *Setting {
	for _, s := range settings {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// each goes through the keys of a YAML mapping. as is its name for messages.
func (f *file) each(n *yaml.Node, as string, do func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return f.wrong(as, "it is no list of settings, one \"name: value\" a line")
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if seen[key] {
			return f.wrong(key, "it is given twice")
		}
		seen[key] = true
		if err := do(key, resolve(n.Content[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// parse reads the value of a setting into what ptr points to, and returns it as
// texts, as they stand in the file.
func (f *file) parse(s *Setting, ptr any, as string, value *yaml.Node) (values []string, err error) {
	items := []*yaml.Node{value}
	switch value.Kind {
	case yaml.SequenceNode:
		if !s.Repeated() {
			return nil, f.wrong(as, "it takes one value, not a list")
		}
		items = value.Content
	case yaml.MappingNode:
		return nil, f.wrong(as, "it takes a value, not keys of its own")
	}
	for _, item := range items {
		item = resolve(item)
		switch {
		case item.Kind != yaml.ScalarNode:
			return nil, f.wrong(as, "its list may hold plain values only")
		case item.Tag == "!!null":
			return nil, f.wrong(as, "it has no value")
		}
		text := item.Value
		if s.isPath && text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(filepath.Dir(f.path), text)
		}
		values = append(values, text)
	}
	if err := s.set(ptr, values); err != nil {
		return nil, f.wrong(as, err.Error())
	}
	return values, nil
}

// readPrograms reads the rules for single programs.
func (f *file) readPrograms(settings []*Setting, list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return &Error{Where: f.path, Key: programsKey, Reason: "it takes a list", Hint: programsHint}
	}
	for i, item := range list.Content {
		as := fmt.Sprintf("%s[%d]", programsKey, i)
		p := Program{From: f.path}
		err := f.each(resolve(item), as, func(key string, value *yaml.Node) error {
			as := as + "." + key
			if key == "name" {
				p.Name = value.Value
				return nil
			}
			s := find(settings, key)
			switch {
			case s == nil:
				return &Error{Where: f.path, Key: as, Reason: "there is no such setting", Hint: nearest(settings, key)}
			case s.program == nil:
				return f.wrong(as, "it can be set for all programs only")
			}
			_, err := f.parse(s, s.program(&p), as, value)
			return err
		})
		switch {
		case err != nil:
			return err
		case p.Name == "":
			return &Error{Where: f.path, Key: as, Reason: "it has no name", Hint: programsHint}
		case p.Name != filepath.Base(p.Name):
			return f.wrong(as+".name", fmt.Sprintf("%q: give the base name alone, %s", p.Name, filepath.Base(p.Name)))
		}
		f.programs = append(f.programs, p)
	}
	return nil
}

const programsHint = "write it as programs: [{name: train.sh, ignore: [job-id]}]"

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
