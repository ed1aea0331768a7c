package key

import (
	"encoding/binary"
	"errors"

	"dvlcache/cache/internal/wire"
)

// An encoded command is, behind flags, a sequence of texts and parts. A text
// that was there before is a reference, since most of what the parts hold are
// arguments.
const (
	commandForeign = 1 << iota
	commandTracks
	commandHasArgs
	commandFlags = commandForeign | commandTracks | commandHasArgs
)

// Flags of a part, for what most parts don't have.
const (
	partName = 1 << iota
	partStyle
	partFile
	partSorted // of FormSorted: Whole stands for the items
	partFlags  = partName | partStyle | partFile | partSorted
)

type commandWriter struct {
	b    []byte
	seen map[string]int
}

func (w *commandWriter) text(s string) {
	if n, ok := w.seen[s]; ok {
		w.b = binary.AppendUvarint(w.b, uint64(n)<<1|1)
		return
	}
	w.seen[s] = len(w.seen)
	w.b = binary.AppendUvarint(w.b, uint64(len(s))<<1)
	w.b = append(w.b, s...)
}

func (w *commandWriter) texts(list []string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *commandWriter) digest(d *Digest) { w.b = append(w.b, d[:ShortDigest]...) }

// Encode writes a command as records keep it. parseCommand reads it.
func (c *Command) Encode() []byte {
	w := &commandWriter{b: make([]byte, 0, 256), seen: map[string]int{}}
	var flags byte
	if c.Foreign {
		flags |= commandForeign
	}
	if c.TrackArgs {
		flags |= commandTracks
	}
	if c.Args != nil {
		flags |= commandHasArgs
	}
	w.b = append(w.b, flags)
	if c.Args != nil {
		w.texts(c.Args)
	}
	w.text(c.Dir)
	w.text(string(c.Paths))
	w.texts(c.DependsOn)
	w.b = binary.AppendUvarint(w.b, uint64(len(c.Parts)))
	for i := range c.Parts {
		w.part(&c.Parts[i])
	}
	return w.b
}

func (w *commandWriter) part(p *Part) {
	var flags byte
	if p.Name != "" {
		flags |= partName
	}
	if p.Form == FormSorted && p.Whole != "" {
		flags |= partSorted
	} else if p.Style != "" {
		flags |= partStyle
	}
	if p.File != nil {
		flags |= partFile
	}
	w.b = append(w.b, byte(p.Kind), byte(p.Form), flags)
	if flags&partName != 0 {
		w.text(p.Name)
	}
	if flags&partStyle != 0 {
		w.text(p.Style)
	}
	if flags&partFile != 0 {
		w.digest(p.File)
	}
	if flags&partSorted != 0 {
		w.text(p.Whole)
		return
	}
	w.b = binary.AppendUvarint(w.b, uint64(len(p.Items)))
	for i := range p.Items {
		it := &p.Items[i]
		place := byte(it.Path)
		if it.Digest != nil {
			place |= 0x80
		}
		w.b = append(w.b, place)
		w.text(it.Text)
		if it.Digest != nil {
			w.digest(it.Digest)
		}
	}
}

type commandReader struct {
	wire.Reader
	seen []string
}

func (r *commandReader) text() string {
	n := r.Uvarint()
	if n&1 == 1 {
		if n >>= 1; n >= uint64(len(r.seen)) {
			r.Bad = true
			return ""
		}
		return r.seen[n]
	}
	if n >>= 1; n > uint64(len(r.Rest)) {
		r.Bad = true
		return ""
	}
	s := string(r.Take(int(n)))
	r.seen = append(r.seen, s)
	return s
}

func (r *commandReader) texts() []string {
	list := make([]string, r.Count(1))
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r *commandReader) digest() *Digest {
	d := &Digest{}
	copy(d[:], r.Take(ShortDigest))
	return d
}

// ParseCommand reads what encode wrote.
func ParseCommand(b []byte) (*Command, error) {
	r := commandReader{Reader: wire.Reader{Rest: b}}
	flags := r.Flags(commandFlags)
	c := &Command{Foreign: flags&commandForeign != 0, TrackArgs: flags&commandTracks != 0}
	if flags&commandHasArgs != 0 {
		c.Args = r.texts()
	}
	c.Dir = r.text()
	c.Paths = Paths(r.text())
	c.DependsOn = r.texts()
	c.Parts = make([]Part, r.Count(4))
	for i := range c.Parts {
		r.part(&c.Parts[i])
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errCommand
	}
	return c, nil
}

func (r *commandReader) part(p *Part) {
	p.Kind, p.Form = PartKind(r.Byte()), Form(r.Byte())
	flags := r.Flags(partFlags)
	if flags&partName != 0 {
		p.Name = r.text()
	}
	if flags&partStyle != 0 {
		p.Style = r.text()
	}
	if flags&partFile != 0 {
		p.File = r.digest()
	}
	if flags&partSorted != 0 {
		p.Items = []Item{{Text: r.text()}}
		r.Bad = !p.Sort() || r.Bad
		return
	}
	if n := r.Count(2); n > 0 {
		p.Items = make([]Item, n)
	}
	for i := range p.Items {
		it := &p.Items[i]
		place := r.Byte()
		it.Path = PathForm(place &^ 0x80)
		it.Text = r.text()
		if place&0x80 != 0 {
			it.Digest = r.digest()
		}
	}
}

var errCommand = errors.New("it is no command")

// EncodedArgs are the Args of an encoded command, at less cost than all of it.
func EncodedArgs(b []byte) []string {
	r := commandReader{Reader: wire.Reader{Rest: b}}
	if len(b) == 0 || r.Flags(commandFlags)&commandHasArgs == 0 {
		return nil
	}
	args := r.texts()
	if r.Bad {
		return nil
	}
	return args
}

// Disown takes the mark of a foreign command off an encoded one, in place.
func Disown(encoded []byte) {
	if len(encoded) > 0 {
		encoded[0] &^= commandForeign
	}
}
