package key

import (
	"encoding/binary"
	"slices"
	"strings"

	"dvlcache/cache/internal/wire"
)

// An encoded command is, behind flags, a sequence of texts and parts. A text
// that was there before is a reference, and what follows from the arguments is left out
// of the parts. A long command is compressed, the numbers in its arguments written as
// differences.
const (
	commandForeign = 1 << iota
	commandTracks
	commandHasArgs
	commandPacked
	commandTooLong // a sum stands for the arguments
	commandHasFiles
	commandFlags = commandForeign | commandTracks | commandHasArgs | commandPacked | commandTooLong | commandHasFiles
)

// Flags of a part, for what most parts don't have.
const (
	partName = 1 << iota
	partStyle
	partFile
	partSorted // of FormSorted: Whole stands for the items
	partOfArgs // the next arguments are its items
	partFlags  = partName | partStyle | partFile | partSorted | partOfArgs
)

const (
	// longCommand is from about how many bytes on a command is packed.
	longCommand = 1 << 10
	// MostCommand is how many bytes an encoded command has at most, if it is the
	// arguments that make it long: of a longer one they are kept as a sum. Eight of them,
	// one for each variant, and their outputs go into what memcached takes, a megabyte.
	MostCommand = 64 << 10
)

type commandWriter struct {
	b    []byte
	seen map[string]int
	args []string
	at   int // of args: those before are in parts already
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

// Encode writes a command as records keep it. ParseCommand reads it.
func (c *Command) Encode() []byte {
	b := c.encode()
	if len(b) > MostCommand && len(c.Files) > 0 {
		lost := *c
		lost.Files = slices.Clone(c.Files)
		for i := range lost.Files {
			lost.Files[i].text = "" // the digest stays
		}
		b = lost.encode()
	}
	if len(b) > MostCommand && c.Args != nil {
		return c.summed().encode()
	}
	return b
}

func (c *Command) encode() []byte {
	w := &commandWriter{b: make([]byte, 0, 256), seen: map[string]int{}, args: c.Args}
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
	if c.TooLong != nil {
		flags |= commandTooLong
	}
	if len(c.Files) > 0 {
		flags |= commandHasFiles
	}
	packed := c.long()
	if packed {
		flags |= commandPacked
	} else {
		w.b = append(w.b, flags)
	}
	if c.Args != nil {
		if packed {
			w.packedTexts(c.Args)
		} else {
			w.texts(c.Args)
		}
	}
	if c.TooLong != nil {
		w.b = binary.AppendUvarint(w.b, uint64(c.TooLong.Args))
		w.b = binary.AppendUvarint(w.b, uint64(c.TooLong.Bytes))
		w.digest(&c.TooLong.Sum)
	}
	if len(c.Files) > 0 {
		w.files(c.Files)
	}
	w.text(c.Dir)
	w.text(string(c.Paths))
	w.texts(c.DependsOn)
	w.b = binary.AppendUvarint(w.b, uint64(len(c.Parts)))
	for i := range c.Parts {
		w.part(&c.Parts[i])
	}
	if packed {
		return wire.Deflate([]byte{flags}, w.b)
	}
	return w.b
}

// long reports whether packing the command is worth the time.
func (c *Command) long() bool {
	n := 8 * len(c.Parts)
	for _, arg := range c.Args {
		n += len(arg) + 1
	}
	for i := range c.Files {
		n += len(c.Files[i].text)
	}
	return n > longCommand
}

func (w *commandWriter) files(list []File) {
	w.b = binary.AppendUvarint(w.b, uint64(len(list)))
	for i := range list {
		f := &list[i]
		for _, n := range []int{f.Arg, f.At, f.Lines} {
			w.b = binary.AppendUvarint(w.b, uint64(n))
		}
		w.b = append(w.b, f.Digest[:]...)
		w.b = wire.AppendNumbers(w.b, f.text)
	}
}

// packedTexts writes texts of which each stands for itself.
func (w *commandWriter) packedTexts(list []string) {
	joined := strings.Join(list, "\x00")
	if strings.Count(joined, "\x00") != len(list)-1 { // no program could be called so
		w.b = binary.AppendUvarint(w.b, uint64(len(list))<<1)
		for _, s := range list {
			w.b = wire.AppendBytes(w.b, s)
		}
		return
	}
	w.b = binary.AppendUvarint(w.b, uint64(len(list))<<1|1)
	w.b = wire.AppendNumbers(w.b, joined)
}

func (w *commandWriter) part(p *Part) {
	var flags byte
	if p.Name != "" {
		flags |= partName
	}
	skip, ofArgs := w.ofArgs(p)
	sorted := p.Form == FormSorted && p.Whole != ""
	switch {
	case ofArgs:
		flags |= partOfArgs
	case sorted:
		flags |= partSorted
	}
	if !sorted && p.Style != "" {
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
	if ofArgs {
		w.b = binary.AppendUvarint(w.b, uint64(skip))
	} else if sorted {
		w.text(p.Whole)
	}
	if sorted {
		return
	}
	if !ofArgs || p.Form == FormList {
		w.b = binary.AppendUvarint(w.b, uint64(len(p.Items)))
	}
	if ofArgs && p.Form == FormList {
		return
	}
	for i := range p.Items {
		it := &p.Items[i]
		place := byte(it.Path)
		if it.Digest != nil {
			place |= 0x80
		}
		w.b = append(w.b, place)
		if !ofArgs {
			w.text(it.Text)
		}
		if it.Digest != nil {
			w.digest(it.Digest)
		}
	}
}

// mostSkipped is behind how many arguments that are in no part the next one is looked
// for.
const mostSkipped = 16

// ofArgs finds the arguments that a part was made of, and returns how many stand before
// them that no part was made of: dropped switches.
func (w *commandWriter) ofArgs(p *Part) (skip int, ok bool) {
	n := len(p.Items)
	var is func(at int) bool
	switch {
	case p.Kind != PartArgument || n == 0:
		return 0, false
	case p.Form == FormSorted && p.Whole != "":
		n = 1
		is = func(at int) bool { return isBehind(w.args[at], p.Name, p.Whole) }
	case p.Form == FormKept && n == 1:
		is = func(at int) bool { return isBehind(w.args[at], p.Name, p.Items[0].Text) }
	case p.Form == FormList:
		is = func(at int) bool { return isListOf(w.args[at:at+n], p.Items) }
	default:
		return 0, false
	}
	for at := w.at; at < w.at+mostSkipped && at+n <= len(w.args); at++ {
		if is(at) {
			skip, w.at = at-w.at, at+n
			return skip, true
		}
	}
	return 0, false
}

// isListOf reports whether a list of these arguments has these items, and no files.
func isListOf(args []string, items []Item) bool {
	length := 0
	for i := range items {
		if items[i].Digest != nil || items[i].Path != PathAsIs {
			return false
		}
		length += len(args[i]) - len(items[i].Text)
	}
	return length == 0 && slices.Equal(listOf(args).Items, items)
}

// listOf is the part that a list of arguments makes.
func listOf(args []string) *Part {
	p := &Part{Form: FormList, Items: make([]Item, len(args))}
	for i, arg := range args {
		p.Items[i].Text = arg
	}
	p.sortList()
	return p
}

// isBehind reports whether an argument is a name with a text behind it.
func isBehind(arg, name, text string) bool {
	return len(arg) == len(name)+len(text) && strings.HasPrefix(arg, name) && strings.HasSuffix(arg, text)
}
