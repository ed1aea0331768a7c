// Package number reads the number in what a program printed.
package number

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxNumber is how long a number may be, in bytes: longer than any float64
// written out in full.
const maxNumber = 2048

// Parse reads what C's strtod takes in decimal, blanks around it
// allowed, and returns its value and its text without those blanks. nonfinite
// admits NaN and infinities by name. A number beyond the range of a float64 is
// refused in either case.
func Parse(s string, nonfinite bool) (value float64, text string, err error) {
	text = strings.Trim(s, " \t\r\n\v\f")
	if len(text) > maxNumber {
		return 0, "", fmt.Errorf("%s is not a number, with its %d characters", quote(text), len(text))
	}
	if !isDecimal(text) {
		if special(text) {
			if !nonfinite {
				return 0, "", fmt.Errorf("%q is not finite (--allow-nonfinite admits it)", text)
			}
			value, err = strconv.ParseFloat(text, 64)
			return value, text, err
		}
		return 0, "", fmt.Errorf("%s is not a number", quote(text))
	}
	value, err = strconv.ParseFloat(text, 64)
	if math.IsInf(value, 0) {
		return 0, "", fmt.Errorf("%s is too large for a float64", quote(text))
	}
	// What is too small is 0, as with strtod.
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, "", err
	}
	return value, text, nil
}

// isDecimal reports whether s is [+-] digits [. digits] [e [+-] digits], with
// at least one digit before or after the point.
func isDecimal(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	sign := func() {
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
	}
	sign()
	some := digits()
	if s != "" && s[0] == '.' {
		s = s[1:]
		some = digits() || some
	}
	if !some {
		return false
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		sign()
		if !digits() {
			return false
		}
	}
	return s == ""
}

func special(s string) bool {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "nan", "inf", "infinity":
		_, err := strconv.ParseFloat(s, 64)
		return err == nil
	}
	return false
}

// Format returns the shortest decimal that reads back as v.
func Format(v float64) string {
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e16) {
		format = 'e'
	}
	return strconv.FormatFloat(v, format, -1, 64)
}

// Extraction finds the number in the output of a program. Make one with
// ParseExtraction.
type Extraction struct {
	given     string
	kind      string // last, only, regex, json
	re        *regexp.Regexp
	path      string
	nonfinite bool
}

// String returns the name under which entries keep the extraction's series.
// Those that admit NaN and infinities are apart from those that don't, so that
// neither can answer the other.
func (x Extraction) String() string {
	if x.nonfinite {
		return "nonfinite:" + x.given
	}
	return x.given
}

// ParseExtraction reads "last", "only", "regex:RE" or "json:PATH". RE has Go's
// syntax (RE2) and at least one group; PATH is keys and indices separated by dots
// ("acc", "folds.0.acc"), a backslash before a character of a key that means
// something else. nonfinite admits NaN and infinities.
func ParseExtraction(s string, nonfinite bool) (Extraction, error) {
	kind, arg, _ := strings.Cut(s, ":")
	x := Extraction{given: s, kind: kind, nonfinite: nonfinite}
	switch {
	case s == "last" || s == "only":
		return x, nil
	case kind == "regex" && arg != "":
		re, err := regexp.Compile(arg)
		if err != nil {
			return x, fmt.Errorf("%q: %w", s, err)
		}
		if re.NumSubexp() < 1 {
			return x, fmt.Errorf("%q: put a group around the number, as in regex:acc=(.*)", s)
		}
		x.re = re
		return x, nil
	case kind == "json" && arg != "":
		// The library's paths can also search, compute and quote. What is
		// found then may be another number tomorrow.
		plain := regexp.MustCompile(`\\.`).ReplaceAllString(arg, "")
		if i := strings.IndexAny(plain, pathSigns); i >= 0 {
			return x, fmt.Errorf("%q: give keys and indices separated by dots, as in json:folds.0.acc; a %c in a key needs a \\ before it", s, plain[i])
		}
		x.path = arg
		return x, nil
	}
	return x, fmt.Errorf("%q: give last, only, regex:RE or json:PATH", s)
}

// pathSigns are the characters of a path that need a backslash before them, besides the
// dot and the backslash.
const pathSigns = "*?#|@!{}[]()"

// Error says that an output holds no acceptable number.
type Error struct {
	Extraction string
	Reason     string
	Hint       string // the --extract that finds one, if any does
}

func (e *Error) Error() string {
	return fmt.Sprintf("no number on stdout (--extract %s): %s", e.Extraction, e.Reason)
}

// Missing says why there is no number.
func (x Extraction) Missing(reason string) *Error { return &Error{Extraction: x.given, Reason: reason} }

// ErrCut means that lines which are not there any more may decide.
var ErrCut = errors.New("too much of it is missing")

// Find reads the number from an output, whose lines are taken as a terminal shows
// them. cut says that it is only the end of one, as Lines returns it: then Find
// gives the number that the whole output would have given, or ErrCut where that
// can't be known, or the error that the whole would have given as well. Other
// errors are *Error.
func (x Extraction) Find(out []byte, cut bool) (value float64, text string, err error) {
	found, err := x.locate(out, cut)
	if err == nil {
		value, text, err = Parse(found, x.nonfinite)
	}
	if err != nil && !errors.Is(err, ErrCut) {
		missing := x.Missing(err.Error())
		missing.Hint = x.hint(out, cut)
		err = missing
	}
	return value, text, err
}

var errEmpty = errors.New("it is empty")

func (x Extraction) locate(out []byte, cut bool) (string, error) {
	switch x.kind {
	case "only":
		if cut {
			return "", ErrCut
		}
		all := bytes.Trim(whole(out), blanks)
		if len(all) == 0 {
			return "", errEmpty
		}
		return string(all), nil
	case "regex":
		return x.lastMatch(out, cut)
	case "json":
		return x.inDocument(out, cut)
	default:
		last, ok := lastLine(out, cut)
		switch {
		case last.cut || !ok && cut:
			return "", ErrCut
		case !ok:
			return "", errEmpty
		}
		return string(last.text), nil
	}
}
