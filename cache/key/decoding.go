package key

import (
	"bytes"
	"errors"
	"strings"

	"dvlcache/cache/internal/wire"
)

type commandReader struct {
	wire.Reader
	seen []string
	args []string
	at   int    // of args, see commandWriter
	room []Item // for those of parts to come
	// hasFiles says that files come next.
	hasFiles bool
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

func (r *commandReader) packedTexts() []string {
	n := r.Uvarint()
	if n&1 == 0 {
		r.Bad = r.Bad || n>>1 > uint64(len(r.Rest))
		list := make([]string, 0)
		for i := uint64(0); i < n>>1 && !r.Bad; i++ {
			list = append(list, string(r.Bytes()))
		}
		return list
	}
	list := strings.Split(wire.ReadNumbers(&r.Reader), "\x00")
	r.Bad = r.Bad || uint64(len(list)) != n>>1
	return list
}

func (r *commandReader) digest() *Digest {
	d := &Digest{}
	copy(d[:], r.Take(ShortDigest))
	return d
}

// begin reads what stands before the folder of an encoded command.
func (r *commandReader) begin() *Command {
	flags := r.Flags(commandFlags)
	c := &Command{Foreign: flags&commandForeign != 0, TrackArgs: flags&commandTracks != 0}
	if flags&commandPacked != 0 {
		r.Rest = wire.Inflate(&r.Reader)
	}
	switch {
	case flags&commandHasArgs == 0:
	case flags&commandPacked != 0:
		c.Args = r.packedTexts()
	default:
		c.Args = r.texts()
	}
	if flags&commandTooLong != 0 {
		c.TooLong = &TooLong{int(r.Uvarint()), int(r.Uvarint()), *r.digest()}
		r.Bad = r.Bad || c.Args != nil || c.TooLong.Args < 0 || c.TooLong.Bytes < 0
	}
	r.hasFiles = flags&commandHasFiles != 0
	return c
}

// ParseCommand reads what Encode wrote.
func ParseCommand(b []byte) (*Command, error) {
	r := commandReader{Reader: wire.Reader{Rest: b}}
	c := r.begin()
	r.args = c.Args
	if r.hasFiles {
		c.Files = r.files()
	}
	c.Dir = r.text()
	c.Paths = Paths(r.text())
	c.DependsOn = r.texts()
	c.Parts = make([]Part, r.Count(4))
	r.room = make([]Item, len(c.Parts)) // most have one
	for i := range c.Parts {
		r.part(&c.Parts[i])
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errCommand
	}
	return c, nil
}

func (r *commandReader) files() []File {
	list := make([]File, r.Count(5+len(Digest{})))
	for i := range list {
		f := &list[i]
		f.Arg, f.At, f.Lines = int(r.Uvarint()), int(r.Uvarint()), int(r.Uvarint())
		copy(f.Digest[:], r.Take(len(f.Digest)))
		f.text = wire.ReadNumbers(&r.Reader)
		r.Bad = r.Bad || !f.Fits(r.args)
	}
	r.Bad = r.Bad || len(list) == 0
	return list
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
	ofArgs, text := flags&partOfArgs != 0, ""
	if ofArgs {
		r.next(r.Uvarint())
		if p.Form == FormList {
			list := r.next(r.Uvarint())
			r.Bad = r.Bad || len(list) == 0
			p.Items = listOf(list).Items
			return
		}
		if arg := r.next(1); !r.Bad {
			text = strings.TrimPrefix(arg[0], p.Name)
			r.Bad = p.Form != FormKept && p.Form != FormSorted || !isBehind(arg[0], p.Name, text)
		}
	}
	if flags&partSorted != 0 || ofArgs && p.Form == FormSorted {
		if !ofArgs {
			text = r.text()
		}
		p.Items = []Item{{Text: text}}
		r.Bad = !p.Sort() || r.Bad
		return
	}
	n := 1
	if !ofArgs {
		n = r.Count(2)
	}
	if n > 0 {
		if n > len(r.room) {
			r.room = make([]Item, max(n, 8))
		}
		p.Items, r.room = r.room[:n:n], r.room[n:]
	}
	for i := range p.Items {
		it := &p.Items[i]
		place := r.Byte()
		it.Path = PathForm(place &^ 0x80)
		if it.Text = text; !ofArgs {
			it.Text = r.text()
		}
		if place&0x80 != 0 {
			it.Digest = r.digest()
		}
	}
}

// next takes the next n arguments.
func (r *commandReader) next(n uint64) []string {
	if r.Bad || n > uint64(len(r.args)-r.at) {
		r.Bad = true
		return nil
	}
	r.at += int(n)
	return r.args[r.at-int(n) : r.at]
}

var errCommand = errors.New("it is no command")

// EncodedArgs are the Args of an encoded command, at less cost than all of it.
func EncodedArgs(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	r := commandReader{Reader: wire.Reader{Rest: b}}
	if c := r.begin(); !r.Bad {
		return c.Args
	}
	return nil
}

// Mentions reports whether a text may occur in an encoded command. It costs less than
// to decode it.
func Mentions(encoded []byte, text string) bool {
	return len(encoded) > 0 && encoded[0]&commandPacked != 0 || bytes.Contains(encoded, []byte(text))
}

// Disown takes the mark of a foreign command off an encoded one, in place.
func Disown(encoded []byte) {
	if len(encoded) > 0 {
		encoded[0] &^= commandForeign
	}
}
