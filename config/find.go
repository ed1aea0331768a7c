package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dvlcache/cache/trust"
)

// A file of settings has one of these endings.
var endings = []string{".yaml", ".yml"}

// everywhere is the folder of safe-directory that is all of them.
const everywhere = "*"

// readFiles reads the user's file and the project's, as far as they are there and are
// to be obeyed.
func (out *Settings) readFiles(flags map[string][]string, environment []string) (files []*file, err error) {
	user, err := out.readUserFile()
	if err != nil {
		return nil, err
	}
	if user != nil {
		files = append(files, user)
	}
	dir, err := os.Getwd()
	if err != nil {
		return files, nil
	}
	var safe trust.Places // found when there is a doubt
	for {
		var obeyed []string
		for _, path := range candidates(dir, "dvlcache") {
			doubt := trust.Places(nil).File(path)
			if doubt != nil && safe == nil {
				if safe, err = safePlaces(flags, environment, files); err != nil {
					return nil, err
				}
			}
			if doubt == nil || safe.File(path) == nil {
				obeyed = append(obeyed, path)
			} else {
				out.doubt(path, doubt)
			}
		}
		switch len(obeyed) {
		case 1:
			data, err := read(obeyed[0])
			if err != nil {
				return nil, &Error{Where: obeyed[0], Reason: err.Error()}
			}
			f, err := parseFile(obeyed[0], data, false)
			return append(files, f), err
		case 2:
			return nil, twice(obeyed)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return files, nil
		}
		dir = up
	}
}

// doubt tells of a file that isn't obeyed.
func (out *Settings) doubt(path string, d *trust.Doubt) {
	reason := d.Error()
	if d.Path == path {
		reason = "it " + d.Reason
	}
	out.Warnings = append(out.Warnings, &Error{Where: path, Reason: "it is not obeyed, since " + reason,
		Hint: "if what is there may be trusted, DVLCACHE_SAFE_DIRECTORY=" + filepath.Dir(path) + " or safe-directory in your own file"})
}

// candidates are the files of settings of this name in a folder.
func candidates(dir, name string) (paths []string) {
	for _, ending := range endings {
		path := filepath.Join(dir, name+ending)
		if _, err := os.Lstat(path); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// twice is the error of two files of which one would be passed over.
func twice(paths []string) *Error {
	return &Error{Where: paths[0], Reason: filepath.Base(paths[1]) + " is there, too", Hint: "put all into one of them"}
}

// read reads a file that has an end: a pipe's would be waited for.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return nil, errors.New("it is no file")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, plain(err)
	}
	return data, nil
}

// safePlaces are the settings of safe-directory that count, without those of the
// project's file, which it is about.
func safePlaces(flags map[string][]string, environment []string, files []*file) (trust.Places, error) {
	s := find(All(), "safe-directory")
	from := s.origin(flags, environment, files)
	var values []string
	switch {
	case from == byDefault:
		return trust.Places{}, nil
	case strings.HasPrefix(from, "flag "):
		values = flags[s.Name]
	case strings.HasPrefix(from, "environment "):
		values = texts(s, os.Getenv(s.Variable()))
	default:
		values = texts(s, files[0].values[s.Name])
	}
	values, err := s.expand(values)
	if err != nil {
		return nil, &Error{Where: from, Key: s.Name, Reason: err.Error()}
	}
	for i, v := range values {
		if v != everywhere {
			if values[i], err = filepath.Abs(v); err != nil {
				return nil, &Error{Where: from, Key: s.Name, Reason: err.Error()}
			}
		}
	}
	return values, nil
}

// userFile is the user's own file, or "".
func userFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "dvlcache", "config.yaml")
}

// readUserFile reads the user's file. One that can't be had, as on a home that fails,
// is passed over, and told of: the cache never stops the experiment.
func (out *Settings) readUserFile() (*file, error) {
	path := userFile()
	if path == "" {
		return nil, nil
	}
	passOver := func(err error) {
		out.Warnings = append(out.Warnings, &Error{Where: path, Reason: "it can't be read, so what it says doesn't count: " + plain(err).Error()})
	}
	paths := candidates(filepath.Dir(path), "config")
	switch len(paths) {
	case 0:
		_, err := os.Lstat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			passOver(err)
		}
		return nil, nil
	case 2:
		return nil, twice(paths)
	}
	path = paths[0]
	data, err := read(path)
	if err != nil {
		passOver(err)
		return nil, nil
	}
	return parseFile(path, data, true)
}

// plain is what happened to a file, without its name.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// expand puts the user's home folder in the place of a ~ before a path, which a shell
// leaves as it is in --dir=~/x and in a variable that is given in quotes, as does YAML.
func (s *Setting) expand(values []string) ([]string, error) {
	if !s.isPath && s.Name != "memcached" {
		return values, nil
	}
	var out []string
	for _, value := range values {
		expanded, err := ExpandHome(value)
		if err != nil {
			return nil, err
		}
		out = append(out, expanded)
	}
	return out, nil
}

// ExpandHome puts the user's home folder in the place of a ~ before a path.
func ExpandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	if name, _, _ := strings.Cut(rest, "/"); name != "" {
		return "", fmt.Errorf("%q: ~%s is not looked up; write the folder out, or ./%s if that is its name", path, name, path)
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", fmt.Errorf("%q: HOME is no absolute path", path)
	}
	return filepath.Join(home, rest), nil
}
