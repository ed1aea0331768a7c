package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/bmatcuk/doublestar/v4"
)

// Parse checks a text as a value of the setting.
func (s *Setting) Parse(text string) error {
	if err := s.single([]string{text}, fromFlag); err != nil {
		return err
	}
	return s.set(s.field(&Settings{}), []string{text})
}

// set parses values into the field that ptr points to. A list takes them all,
// anything else the last.
func (s *Setting) set(ptr any, values []string) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	if s.choices != nil && !slices.Contains(s.choices, last) {
		return fmt.Errorf("%q is none of %s", last, strings.Join(s.choices, ", "))
	}
	switch p := ptr.(type) {
	case *string:
		*p = last
	case *[]string:
		for _, item := range values {
			if s.check == nil {
				break
			}
			if err := s.check(item); err != nil {
				return err
			}
		}
		*p = values
	case *bool:
		v, err := strconv.ParseBool(last)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", last)
		}
		*p = v
	case *int:
		v, err := strconv.Atoi(last)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is no whole number from 0 on", last)
		}
		*p = v
	case *float64:
		v, err := strconv.ParseFloat(last, 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is no number from 0 on", last)
		}
		*p = v
	case *Repeat:
		v, err := parseRepeat(last)
		if err != nil {
			return err
		}
		*p = v
	case *[]int:
		*p = nil
		for _, text := range values {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is no whole number", text)
			}
			*p = append(*p, n)
		}
	case *time.Duration:
		v, err := ParseDuration(last)
		if err != nil {
			return err
		}
		*p = v
	case *Bytes:
		v, err := ParseBytes(last)
		if err != nil {
			return err
		}
		*p = v
	default:
		panic(fmt.Sprintf("config: setting %s has a field of type %T", s.Name, ptr))
	}
	return nil
}

// single refuses, in a list of names, a text that is more than one, and says how several
// are written where it stands.
func (s *Setting) single(values []string, from string) error {
	if !s.names {
		return nil
	}
	separates := func(r rune) bool { return r == ',' || unicode.IsSpace(r) }
	for _, text := range values {
		if !strings.ContainsFunc(text, separates) {
			continue
		}
		names := strings.FieldsFunc(strings.Join(values, ","), separates)
		if len(names) == 0 {
			return fmt.Errorf("%q is no name", text)
		}
		form := fmt.Sprintf("%s: [%s]", s.Name, strings.Join(names, ", "))
		switch {
		case strings.HasPrefix(from, fromFlag):
			form = "--" + s.Name + " " + strings.Join(names, " --"+s.Name+" ")
		case strings.HasPrefix(from, fromEnvironment):
			form = s.Variable() + "=" + strings.Join(names, ",")
		}
		return fmt.Errorf("%q is not one name: a comma or a blank is in it; write %s", text, form)
	}
	return nil
}

// checkVariable refuses what can't be the name of an environment variable.
func checkVariable(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("%q is no name of a variable", name)
	}
	return nil
}

func checkPath(path string) error {
	if path == "" {
		return errors.New("it names no file or folder")
	}
	return nil
}

func checkPattern(pattern string) error {
	switch {
	case strings.Trim(pattern, "/.") == "":
		return errors.New("it names nothing")
	case slices.Contains(strings.Split(pattern, "/"), ".."):
		return fmt.Errorf("%q has a .. in it; a pattern may begin with the name of any folder, or with /", pattern)
	case !doublestar.ValidatePattern(pattern):
		return fmt.Errorf("%q is no pattern: a bracket, a brace or a backslash lacks its other half", pattern)
	}
	return nil
}

// ParseDuration reads a time in Go's form (90s, 1h30m) or in plain seconds.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		var seconds float64
		if seconds, err = strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e9 {
			d = time.Duration(seconds * float64(time.Second))
		} else {
			return 0, fmt.Errorf("%q is no time; give it as 90s, 5m or 1h30m", text)
		}
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is less than no time", text)
	}
	return d, nil
}

// parseRepeat reads a number of samples, true or false.
func parseRepeat(text string) (Repeat, error) {
	switch text {
	case "true":
		return Repeat{On: true}, nil
	case "false":
		return Repeat{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return Repeat{}, fmt.Errorf("%q is no number of samples from 1 on", text)
	}
	return Repeat{On: true, Samples: n}, nil
}

// ParseBytes reads a size: a whole number of bytes, KiB (or K, KB) or MiB, up to
// 1 MiB.
func ParseBytes(text string) (Bytes, error) {
	digits := strings.TrimRight(text, "KMIBkmib ")
	n, err := strconv.Atoi(digits)
	unit := 1
	switch strings.ToUpper(strings.TrimSpace(text[len(digits):])) {
	case "", "B":
	case "K", "KB", "KIB":
		unit = 1 << 10
	case "M", "MB", "MIB":
		unit = 1 << 20
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || n < 0 || n > (1<<20)/unit {
		return 0, fmt.Errorf("%q is no size from 0 to 1MiB; give it as 2048 or 2KiB", text)
	}
	return Bytes(n * unit), nil
}
