package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Command is how a call was made: what explains its key, and what is needed to
// make it again.
type Command struct {
	// Args are COMMAND and its arguments, as they were written. They are
	// nil, and the texts of Parts that come from them or from variables are
	// digests, where they are not recorded.
	Args []string
	Dir  string // the working directory
	// Paths, TrackArgs and DependsOn are those of the CallSpec; its rules
	// and variables are among the parts.
	Paths     Paths
	TrackArgs bool
	DependsOn []string
	// Parts are what the key was made of. Of digests the first 8 bytes are
	// kept.
	Parts []Part
	// Foreign says that it did not come from a call made here, but with a
	// file that was imported. It is somebody's code.
	Foreign bool
}

// shortDigest is how much of a digest a record keeps: enough to tell that
// contents differ. Whether a call is the same, its key says.
const shortDigest = 8

// Command describes the call; without its arguments and the values of variables,
// which may be secret, unless record is set.
func (c *Call) Command(record bool) *Command {
	cmd := &Command{Dir: c.dir, Paths: c.spec.Paths, TrackArgs: c.spec.TrackArgs, DependsOn: c.spec.DependsOn, Parts: c.Parts}
	if record {
		cmd.Args = c.args
	} else {
		cmd.Parts = hidden(c.Parts)
	}
	return cmd
}

// hidden puts digests in the place of what may be secret.
func hidden(parts []Part) []Part {
	parts = slices.Clone(parts)
	for i, p := range parts {
		switch p.Kind {
		case PartArgument, PartEnvironment:
			sum := sha256.Sum256(p.encode(nil))
			h := Part{Kind: p.Kind, Form: p.Form, Items: []Item{{Text: "#" + hex.EncodeToString(sum[:shortDigest])}}, Flag: p.Flag, Hint: p.Hint}
			if p.Kind == PartEnvironment {
				h.Name = p.Name
			}
			parts[i] = h
		}
	}
	return parts
}

// Rules are the rules that had a say.
func (c *Command) Rules() (r Rules) {
	for _, p := range c.Parts {
		if p.Kind != PartRule {
			continue
		}
		rule, name, _ := strings.Cut(p.Items[0].Text, " ")
		r = r.and(ruleOf(rule, name))
	}
	return r
}

// ruleOf is one rule by the name of its flag.
func ruleOf(rule, name string) (r Rules) {
	switch rule {
	case "ignore":
		r.Ignore = []string{name}
	case "ignore-arg":
		n, _ := strconv.Atoi(name)
		r.IgnoreArg = []int{n}
	case "ignore-switch":
		r.IgnoreSwitch = []string{name}
	case "unordered":
		r.Unordered = []string{name}
	}
	return r
}

// Env returns the variables that count, and their values; nil for one that
// wasn't set.
func (c *Command) Env() map[string]*string {
	env := map[string]*string{}
	for _, p := range c.Parts {
		if p.Kind == PartEnvironment {
			env[p.Name] = nil
			if p.Form != FormUnset {
				env[p.Name] = &p.Items[0].Text
			}
		}
	}
	return env
}

// Stdin reports whether what stdin held counts.
func (c *Command) Stdin() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.Kind == PartStdin })
}

// Program is the place of the program, as it counts.
func (c *Command) Program() string {
	for _, p := range c.Parts {
		if p.Kind == PartProgram {
			return p.Items[0].Text
		}
	}
	return ""
}

// Command is how the call was made whose number was stored last, or nil if that
// isn't known. It may be called concurrently.
func (e *Entry) Command() *Command {
	if len(e.command) == 0 {
		return nil
	}
	c, err := parseCommand(e.command)
	if err != nil {
		return nil // its checksum was right: it is of a later version
	}
	return c
}

// Args is Command().Args, and costs less.
func (e *Entry) Args() []string {
	r := commandReader{reader: reader{rest: e.command}}
	if len(e.command) == 0 || r.flags(commandFlags)&commandHasArgs == 0 {
		return nil
	}
	args := r.texts()
	if r.bad {
		return nil
	}
	return args
}

// SetCommand notes how the call was made.
func (e *Entry) SetCommand(c *Command) {
	if e.command = nil; c != nil {
		e.command = c.encode()
	}
}

// CommandMentions reports whether the text occurs in what is kept of the
// command. It costs less than to decode it.
func (e *Entry) CommandMentions(text string) bool {
	return bytes.Contains(e.command, []byte(text))
}

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

func (w *commandWriter) digest(d *Digest) { w.b = append(w.b, d[:shortDigest]...) }

func (c *Command) encode() []byte {
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
		place := byte(it.Place)
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
	reader
	seen []string
}

func (r *commandReader) text() string {
	n := r.uvarint()
	if n&1 == 1 {
		if n >>= 1; n >= uint64(len(r.seen)) {
			r.bad = true
			return ""
		}
		return r.seen[n]
	}
	if n >>= 1; n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := string(r.take(int(n)))
	r.seen = append(r.seen, s)
	return s
}

func (r *commandReader) texts() []string {
	list := make([]string, r.count(1))
	for i := range list {
		list[i] = r.text()
	}
	return list
}

func (r *commandReader) digest() *Digest {
	d := &Digest{}
	copy(d[:], r.take(shortDigest))
	return d
}

func parseCommand(b []byte) (*Command, error) {
	r := commandReader{reader: reader{rest: b}}
	flags := r.flags(commandFlags)
	c := &Command{Foreign: flags&commandForeign != 0, TrackArgs: flags&commandTracks != 0}
	if flags&commandHasArgs != 0 {
		c.Args = r.texts()
	}
	c.Dir = r.text()
	c.Paths = Paths(r.text())
	c.DependsOn = r.texts()
	c.Parts = make([]Part, r.count(4))
	for i := range c.Parts {
		r.part(&c.Parts[i])
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errPayload
	}
	return c, nil
}

func (r *commandReader) part(p *Part) {
	p.Kind, p.Form = PartKind(r.byte()), Form(r.byte())
	flags := r.flags(partFlags)
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
		r.bad = !p.sort() || r.bad
		return
	}
	if n := r.count(2); n > 0 {
		p.Items = make([]Item, n)
	}
	for i := range p.Items {
		it := &p.Items[i]
		place := r.byte()
		it.Place = Place(place &^ 0x80)
		it.Text = r.text()
		if place&0x80 != 0 {
			it.Digest = r.digest()
		}
	}
}
