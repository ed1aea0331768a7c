package cache

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"dvlcache/cache/key"
)

type lineCommand struct {
	Args      []text     `json:"args,omitempty"`
	Files     []lineFile `json:"files,omitempty"`
	Directory text       `json:"directory"`
	Paths     text       `json:"paths"`
	Track     bool       `json:"track"`
	DependsOn []text     `json:"depends_on,omitempty"`
	Parts     []linePart `json:"parts"`
	TooLong   *lineSum   `json:"too_long,omitempty"`
}

// lineSum is a key.TooLong.
type lineSum struct {
	Args   int    `json:"args"`
	Bytes  int    `json:"bytes"`
	Digest string `json:"digest"`
}

type lineFile struct {
	Arg    int    `json:"arg"`
	At     int    `json:"at,omitempty"`
	Lines  int    `json:"lines"`
	Digest string `json:"digest"`
	Text   *text  `json:"text,omitempty"` // not there: it was too long to be recorded
}

type linePart struct {
	Kind   string     `json:"kind"`
	Form   int        `json:"form,omitempty"`
	Name   text       `json:"name,omitempty"`
	Style  text       `json:"style,omitempty"`
	Whole  text       `json:"whole,omitempty"`
	Digest string     `json:"digest,omitempty"`
	Items  []lineItem `json:"items,omitempty"`
}

type lineItem struct {
	Text   text   `json:"text"`
	Place  int    `json:"place,omitempty"`
	Digest string `json:"digest,omitempty"`
}

func exportCommand(c *key.Command) *lineCommand {
	l := &lineCommand{Args: texts(c.Args), Directory: text(c.Dir), Paths: text(c.Paths), Track: c.TrackArgs, DependsOn: texts(c.DependsOn), Parts: []linePart{}}
	for _, f := range c.Files {
		lf := lineFile{Arg: f.Arg, At: f.At, Lines: f.Lines, Digest: hex.EncodeToString(f.Digest[:])}
		if s, ok := f.Text(); ok {
			lf.Text = (*text)(&s)
		}
		l.Files = append(l.Files, lf)
	}
	for _, p := range c.Parts {
		lp := linePart{Kind: string(rune(p.Kind)), Form: int(p.Form), Name: text(p.Name), Digest: digestText(p.File)}
		if p.Form == key.FormSorted && p.Whole != "" {
			lp.Whole = text(p.Whole) // the rest follows from it
		} else {
			lp.Style = text(p.Style)
			for _, it := range p.Items {
				lp.Items = append(lp.Items, lineItem{text(it.Text), int(it.Path), digestText(it.Digest)})
			}
		}
		l.Parts = append(l.Parts, lp)
	}
	if t := c.TooLong; t != nil {
		l.TooLong = &lineSum{t.Args, t.Bytes, digestText(&t.Sum)}
	}
	return l
}

func (l *lineCommand) command() (*key.Command, error) {
	c := &key.Command{Args: strs(l.Args), Dir: string(l.Directory), Paths: key.Paths(l.Paths), TrackArgs: l.Track, DependsOn: strs(l.DependsOn), Foreign: true}
	for _, lf := range l.Files {
		f := key.File{Arg: lf.Arg, At: lf.At, Lines: lf.Lines}
		if lf.Text != nil {
			f = key.NewFile(lf.Arg, lf.At, string(*lf.Text))
		}
		if b, err := hex.DecodeString(lf.Digest); err != nil || len(b) != len(f.Digest) || lf.Text != nil && !bytes.Equal(b, f.Digest[:]) {
			return nil, fmt.Errorf("%q is not the digest of a file", lf.Digest)
		} else {
			copy(f.Digest[:], b)
		}
		if !f.Fits(c.Args) {
			return nil, fmt.Errorf("there is no argument %d for a file", lf.Arg)
		}
		c.Files = append(c.Files, f)
	}
	for _, lp := range l.Parts {
		p := key.Part{Form: key.Form(lp.Form), Name: string(lp.Name), Style: string(lp.Style)}
		var err error
		if len(lp.Kind) != 1 || lp.Form < 0 || lp.Form > 0xff {
			return nil, fmt.Errorf("%q is no kind of a part", lp.Kind)
		}
		p.Kind = key.PartKind(lp.Kind[0])
		if p.File, err = parseDigest(lp.Digest); err != nil {
			return nil, err
		}
		for _, li := range lp.Items {
			it := key.Item{Text: string(li.Text), Path: key.PathForm(li.Place)}
			if it.Digest, err = parseDigest(li.Digest); err != nil {
				return nil, err
			}
			if li.Place < 0 || li.Place > 0x7f {
				return nil, fmt.Errorf("%d is no place", li.Place)
			}
			p.Items = append(p.Items, it)
		}
		if lp.Whole != "" {
			p.Items = []key.Item{{Text: string(lp.Whole)}}
			if p.Form != key.FormSorted || !p.Sort() {
				return nil, fmt.Errorf("%q can't be sorted", lp.Whole)
			}
		}
		if len(p.Items) == 0 && (p.Kind == key.PartArgument && (p.Form == key.FormKept || p.Form == key.FormContents || p.Form == key.FormSorted || p.Form == key.FormList) || p.Kind == key.PartProgram || p.Kind == key.PartInterpreter || p.Kind == key.PartDirectory || p.Kind == key.PartDependency || p.Kind == key.PartRule || p.Kind == key.PartEnvironment && p.Form != key.FormUnset) {
			return nil, fmt.Errorf("a part of kind %q is empty", lp.Kind)
		}
		c.Parts = append(c.Parts, p)
	}
	if t := l.TooLong; t != nil {
		sum, err := parseDigest(t.Digest)
		if err != nil || sum == nil || t.Args < 0 || t.Bytes < 0 || c.Args != nil {
			return nil, errors.New("too_long: that is no sum of arguments")
		}
		c.TooLong = &key.TooLong{Args: t.Args, Bytes: t.Bytes, Sum: *sum}
	}
	return c, nil
}

func digestText(d *key.Digest) string {
	if d == nil {
		return ""
	}
	return hex.EncodeToString(d[:key.ShortDigest])
}

func parseDigest(s string) (*key.Digest, error) {
	if s == "" {
		return nil, nil
	}
	d := &key.Digest{}
	if b, err := hex.DecodeString(s); err != nil || len(b) != key.ShortDigest {
		return nil, fmt.Errorf("%q is not the beginning of a digest", s)
	}
	hex.Decode(d[:], []byte(s))
	return d, nil
}
