package cache

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"dvlcache/cache/key"
	"dvlcache/cache/stats"
)

// line is an entry as a line of an export. Times are in seconds since 1970.
// Neither tokens nor what is a place's own are part of it.
type line struct {
	Namespace text   `json:"namespace"`
	Key       string `json:"key"`
	Created   int64  `json:"created"`
	lineVariant
	Earlier []lineVariant `json:"earlier,omitempty"`
	List    []byte        `json:"list,omitempty"`
}

type lineVariant struct {
	Command *lineCommand `json:"command,omitempty"`
	Output  *lineOutput  `json:"output,omitempty"`
	Series  []lineSeries `json:"series"`
	Inputs  *lineInputs  `json:"inputs,omitempty"`
}

type lineInputs struct {
	Shared []string `json:"shared,omitempty"`
	Own    []byte   `json:"own,omitempty"`
}

type lineOutput struct {
	ID      hexID     `json:"id"`
	Text    text      `json:"text"`
	Cut     bool      `json:"cut"`
	Seconds jsonFloat `json:"seconds"`
	Time    int64     `json:"time"`
}

type lineSeries struct {
	Extraction text         `json:"extraction"`
	Repeated   bool         `json:"repeated"`
	Text       text         `json:"text,omitempty"`
	Origins    []lineOrigin `json:"origins"`
	Samples    []lineSample `json:"samples"`
}

type lineOrigin struct {
	ID    hexID     `json:"id"`
	Count int64     `json:"count"`
	Mean  jsonFloat `json:"mean"`
	M2    jsonFloat `json:"m2"`
	Min   jsonFloat `json:"min"`
	Max   jsonFloat `json:"max"`
}

type lineSample struct {
	ID      hexID     `json:"id"`
	Value   jsonFloat `json:"value"`
	Seconds jsonFloat `json:"seconds"`
	Time    int64     `json:"time"`
}

// text is a JSON string or, where it isn't valid UTF-8, {"base64": "…"}.
type text string

func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(map[string][]byte{"base64": []byte(t)})
}

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var coded struct{ Base64 *string }
	if err := json.Unmarshal(b, &coded); err != nil {
		return err
	}
	if coded.Base64 == nil {
		return errors.New(`a text is neither a string nor {"base64": "…"}`)
	}
	raw, err := base64.StdEncoding.DecodeString(*coded.Base64)
	*t = text(raw)
	return err
}

// jsonFloat is a JSON number that reads back to the same float64, or a string for
// what JSON has no number for.
type jsonFloat float64

func (n jsonFloat) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

func (n *jsonFloat) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(bytes.Trim(b, `"`)), 64)
	if err != nil {
		return fmt.Errorf("%s is not a number", b)
	}
	*n = jsonFloat(f)
	return nil
}

// hexID is the ID of a sample or an origin: 16 hexadecimal digits, since JSON's
// numbers are too small.
type hexID uint64

func (h hexID) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%016x"`, uint64(h)), nil }

func (h *hexID) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(bytes.Trim(b, `"`)), 16, 64)
	if err != nil || n == 0 {
		return fmt.Errorf("%s is not the ID of a sample", b)
	}
	*h = hexID(n)
	return nil
}

func texts(list []string) (out []text) {
	for _, s := range list {
		out = append(out, text(s))
	}
	return out
}

func strs(list []text) (out []string) {
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// Export returns an entry as a line of JSON, without a newline. All that Import
// needs is in it, and the same entry gives the same line.
func Export(id ID, e *Entry) []byte {
	l := line{Namespace: text(id.Namespace), Key: id.Key.String(), Created: unix(e.Created), List: e.List}
	l.lineVariant = exportVariant(&e.Variant)
	for i := range e.Earlier {
		l.Earlier = append(l.Earlier, exportVariant(&e.Earlier[i]))
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // there is nothing in it that can't be encoded
	}
	return EscapeControls(b)
}

func exportVariant(v *Variant) lineVariant {
	l := lineVariant{Series: []lineSeries{}}
	if o := v.Output; o != nil {
		l.Output = &lineOutput{hexID(o.ID), text(o.Text), o.Cut, jsonFloat(o.Seconds), unix(o.Time)}
	}
	for i := range v.Series {
		s := &v.Series[i]
		ls := lineSeries{Extraction: text(s.Extraction), Repeated: s.Repeated, Text: text(s.Text), Origins: []lineOrigin{}, Samples: []lineSample{}}
		for _, o := range s.Origins {
			ls.Origins = append(ls.Origins, lineOrigin{hexID(o.ID), o.Count, jsonFloat(o.Mean), jsonFloat(o.M2), jsonFloat(o.Min), jsonFloat(o.Max)})
		}
		for _, x := range s.Samples {
			ls.Samples = append(ls.Samples, lineSample{hexID(x.ID), jsonFloat(x.Value), jsonFloat(x.Seconds), unix(x.Time)})
		}
		l.Series = append(l.Series, ls)
	}
	if v.Inputs.Watched() {
		l.Inputs = &lineInputs{Own: v.Inputs.Own}
		for _, k := range v.Inputs.Shared {
			l.Inputs.Shared = append(l.Inputs.Shared, k.String())
		}
	}
	if c := v.Command(); c != nil {
		l.Command = exportCommand(c)
	}
	return l
}

// ParseExport reads a line that Export made. The command in it is foreign: see
// key.Command.
func ParseExport(b []byte) (id ID, e *Entry, err error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // of a later version, maybe: nothing is lost in silence
	if err := d.Decode(&l); err != nil {
		return id, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return id, nil, errors.New("there is more behind it")
	}
	if name := lacks(gjson.ParseBytes(b), reflect.TypeFor[line]()); name != "" {
		return id, nil, fmt.Errorf("there is no %s", name)
	}
	at, err := key.ParseKey(l.Key)
	if err != nil {
		return id, nil, fmt.Errorf("key: %w", err)
	}
	id = ID{string(l.Namespace), at}
	if len(id.Namespace) > stats.MaxNamespace {
		return id, nil, fmt.Errorf("namespace: longer than %d bytes", stats.MaxNamespace)
	}
	e = &Entry{Created: fromUnix(l.Created), List: l.List}
	if e.Variant, err = l.variant(); err != nil {
		return id, nil, err
	}
	if len(l.Earlier) >= MaxVariants {
		return id, nil, fmt.Errorf("earlier: %d are too many", len(l.Earlier))
	}
	for _, lv := range l.Earlier {
		v, err := lv.variant()
		if err != nil {
			return id, nil, fmt.Errorf("earlier: %w", err)
		}
		if v.Output == nil && len(v.Series) == 0 || e.Under(v.Inputs) != nil {
			return id, nil, errors.New("earlier: a variant is empty, or is there twice")
		}
		e.Earlier = append(e.Earlier, v)
	}
	if e.List != nil && (e.Output != nil || e.Series != nil || e.Earlier != nil) {
		return id, nil, errors.New("list: it has more than a list")
	}
	if e.Empty() || e.List == nil && e.Output == nil && e.Series == nil {
		return id, nil, errors.New("it holds neither a number nor output")
	}
	return id, e, nil
}

func (l *lineVariant) variant() (v Variant, err error) {
	if o := l.Output; o != nil {
		if err := checkSeconds(o.Seconds); err != nil {
			return v, fmt.Errorf("output: %w", err)
		}
		v.Output = &Output{Text: []byte(o.Text), Cut: o.Cut, ID: uint64(o.ID), Seconds: float64(o.Seconds), Time: fromUnix(o.Time)}
	}
	for _, ls := range l.Series {
		s, err := ls.series()
		if err != nil {
			return v, fmt.Errorf("series %s: %w", ls.Extraction, err)
		}
		if v.Find(s.Extraction) != nil {
			return v, fmt.Errorf("series %s: it is there twice", ls.Extraction)
		}
		v.Series = append(v.Series, s)
	}
	if in := l.Inputs; in != nil {
		v.Inputs.Own = in.Own
		for _, text := range in.Shared {
			k, err := key.ParseKey(text)
			if err != nil {
				return v, fmt.Errorf("inputs: %w", err)
			}
			v.Inputs.Shared = append(v.Inputs.Shared, k)
		}
		if !v.Inputs.Watched() {
			return v, errors.New("inputs: there are none")
		}
	}
	if l.Command != nil {
		c, err := l.Command.command()
		if err != nil {
			return v, fmt.Errorf("command: %w", err)
		}
		v.SetCommand(c)
	}
	return v, nil
}

// maxCount is beyond what can be evaluated, and far from an overflow.
const maxCount = 1 << 53

func (l *lineSeries) series() (s Series, err error) {
	s = Series{Extraction: string(l.Extraction), Repeated: l.Repeated, Text: string(l.Text)}
	nonfinite := strings.HasPrefix(s.Extraction, "nonfinite:")
	for _, o := range l.Origins {
		m := Moments{o.Count, float64(o.Mean), float64(o.M2), float64(o.Min), float64(o.Max)}
		if !m.possible(nonfinite) {
			return s, fmt.Errorf("origin %016x: these are no moments of numbers", uint64(o.ID))
		}
		if at, ok := s.origin(uint64(o.ID)); ok || at < len(s.Origins) {
			return s, fmt.Errorf("origin %016x: out of order", uint64(o.ID))
		}
		s.Origins = append(s.Origins, Origin{uint64(o.ID), m})
	}
	if len(s.Origins) == 0 {
		return s, errors.New("it has no samples")
	}
	if s.sum(); s.Count > maxCount {
		return s, fmt.Errorf("%d samples are too many", s.Count)
	}
	for _, x := range l.Samples {
		if err := checkSeconds(x.Seconds); err != nil {
			return s, err
		}
		if !nonfinite && !finite(float64(x.Value)) {
			return s, fmt.Errorf("sample %016x is not finite", uint64(x.ID))
		}
		s.Samples = append(s.Samples, Sample{uint64(x.ID), float64(x.Value), float64(x.Seconds), fromUnix(x.Time)})
	}
	if n := len(s.Samples); n > MaxSamples || int64(n) > s.Count {
		return s, fmt.Errorf("%d samples are too many", n)
	}
	if s.Count == 1 && len(s.Samples) == 1 && !s.Moments.is(momentsOf(s.Samples[0].Value)) {
		return s, errors.New("its sample is not its value")
	}
	if s.Text != "" && (s.Count != 1 || !writes(s.Text, s.Mean, nonfinite)) {
		return s, fmt.Errorf("the text %q is not its value", s.Text)
	}
	return s, nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func checkSeconds(s jsonFloat) error {
	if v := float64(s); !(v >= 0) || v > 1e9 {
		return fmt.Errorf("%v seconds are no time", v)
	}
	return nil
}

// possible reports whether there are numbers that have these moments.
func (m Moments) possible(nonfinite bool) bool {
	if m.Count < 1 || m.Count > maxCount {
		return false
	}
	if !finite(m.Mean) || !finite(m.M2) || !finite(m.Min) || !finite(m.Max) {
		// The squares of large ones may overflow.
		return nonfinite || finite(m.Mean) && finite(m.Min) && finite(m.Max)
	}
	slack := 1e-9 * math.Max(math.Abs(m.Min), math.Abs(m.Max)) // of rounding
	return m.M2 >= 0 && m.Min <= m.Max && m.Mean >= m.Min-slack && m.Mean <= m.Max+slack
}

// writes reports whether a text is what a program may have written for a value.
func writes(text string, value float64, nonfinite bool) bool {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return false
	}
	if strings.Trim(text, "+-.0123456789eE") != "" && (!nonfinite || finite(v)) {
		return false // hexadecimal, underscores, names
	}
	return v == value || math.IsNaN(v) && math.IsNaN(value)
}
