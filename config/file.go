package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// programsKey holds what is said for single programs. They are a list, since
// viper takes dots in keys for levels and folds their case.
const programsKey = "programs"

// file is a file of settings.
type file struct {
	path     string
	user     bool           // it is the user's own
	values   map[string]any // a []string each
	programs []Program
}

// parseFile checks what a file holds.
//
// It parses the YAML itself and hands texts to viper, which would fold the case
// of keys, pass over keys without a value, and make 7 of a namespace 007.
func parseFile(path string, data []byte, user bool) (*file, error) {
	f := &file{path: path, user: user, values: map[string]any{}}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return f, nil
	}
	if err == nil {
		err = decoder.Decode(&second) // also finds what is wrong behind the first
		if err == nil {
			return nil, f.wrong("", "it holds more than one YAML document")
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, f.wrong("", strings.Join(strings.Fields(err.Error()), " "))
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
			return f.unknown(key, key, settings, programsKey)
		}
		if s.byUser && !f.user {
			return f.wrong(key, "it counts in your own file, the environment and flags alone")
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

// below is the name of a key for messages, as that of what it stands in.
func below(as, key string) string {
	if as == "" {
		return key
	}
	return as + "." + key
}

// each goes through the keys of a YAML mapping. as is its name for messages.
func (f *file) each(n *yaml.Node, as string, do func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return f.wrong(as, "it is no list of settings, one \"name: value\" a line")
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode { // an alias has a text too, and another meaning
			return f.wrong(as, fmt.Sprintf("a setting's name is expected in line %d", n.Content[i].Line))
		}
		key := n.Content[i].Value
		if seen[key] {
			return f.wrong(below(as, key), "it is given twice")
		}
		seen[key] = true
		if err := do(key, resolve(n.Content[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// plain returns the texts of a value, as they stand in the file.
func (f *file) plain(as string, value *yaml.Node, list bool) (texts []string, err error) {
	items := []*yaml.Node{value}
	switch value.Kind {
	case yaml.SequenceNode:
		if !list {
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
		texts = append(texts, item.Value)
	}
	return texts, nil
}

// parse reads the value of a setting into what ptr points to, and returns it as
// texts.
func (f *file) parse(s *Setting, ptr any, as string, value *yaml.Node) ([]string, error) {
	values, err := f.plain(as, value, s.Repeated())
	if err != nil {
		return nil, err
	}
	if values, err = s.expand(values); err != nil {
		return nil, f.wrong(as, err.Error())
	}
	if s.isPath {
		for i, path := range values {
			if path != "" && path != everywhere && !filepath.IsAbs(path) {
				values[i] = filepath.Join(filepath.Dir(f.path), path)
			}
		}
	}
	if err := s.single(values, f.path); err != nil {
		return nil, f.wrong(as, err.Error())
	}
	if err := s.set(ptr, values); err != nil {
		return nil, f.wrong(as, err.Error())
	}
	return values, nil
}

// readPrograms reads what is said for single programs.
func (f *file) readPrograms(settings []*Setting, list *yaml.Node) error {
	if list.Kind != yaml.SequenceNode {
		return &Error{Where: f.path, Key: programsKey, Reason: "it takes a list", Hint: programsHint}
	}
	for i, item := range list.Content {
		as := fmt.Sprintf("%s[%d]", programsKey, i)
		p := Program{From: f.path, values: map[string][]string{}}
		err := f.each(resolve(item), as, func(key string, value *yaml.Node) error {
			as := below(as, key)
			if key == "name" {
				values, err := f.plain(as, value, false)
				p.Name = strings.Join(values, "")
				return err
			}
			s := find(settings, key)
			switch {
			case s == nil:
				return f.unknown(as, key, slices.DeleteFunc(slices.Clone(settings), func(s *Setting) bool { return !s.ofRun() }), "name")
			case !s.ofRun():
				return f.wrong(as, "it can be set for all programs only")
			}
			values, err := f.parse(s, s.field(&Settings{}), as, value)
			p.values[s.Name] = values
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
