package cache

import (
	"bytes"
	"slices"
	"time"

	"dvlcache/cache/key"
)

// MaxVariants is how many variants an entry keeps, so that a change of branch there and
// back finds both.
const MaxVariants = 8

// Variant is what is remembered of a call under one set of inputs.
type Variant struct {
	Inputs Inputs
	Output *Output // of the latest evaluation; nil if none is kept
	Series []Series

	command []byte // of the latest evaluation, encoded; see Command
}

// Inputs are what evaluations were seen to use: package inputs reads them. The zero
// value says that nobody watched.
type Inputs struct {
	// Shared are the keys, in the namespace of the entry, of entries that hold a List.
	Shared []key.Key
	// Own is an encoded set that no other entry has, or nil.
	Own []byte
}

// Watched reports whether there are any.
func (in Inputs) Watched() bool { return len(in.Shared) > 0 || in.Own != nil }

// Equal reports whether both are the same.
func (in Inputs) Equal(o Inputs) bool {
	return slices.Equal(in.Shared, o.Shared) && bytes.Equal(in.Own, o.Own) && in.Watched() == o.Watched()
}

// Variants are those of an entry, the latest first. They point into e.
func (e *Entry) Variants() []*Variant {
	if e == nil || e.Empty() || e.List != nil {
		return nil
	}
	all := make([]*Variant, 0, 1+len(e.Earlier))
	all = append(all, &e.Variant)
	for i := range e.Earlier {
		all = append(all, &e.Earlier[i])
	}
	return all
}

// Under returns the variant with these inputs, or nil. It points into e.
func (e *Entry) Under(in Inputs) *Variant {
	for _, v := range e.Variants() {
		if v.Inputs.Equal(in) {
			return v
		}
	}
	return nil
}

// Begin makes the variant with these inputs the latest; if there is none, an empty
// one. The oldest beyond MaxVariants goes.
func (e *Entry) Begin(in Inputs) {
	if e.Empty() {
		e.Variant = Variant{Inputs: in}
		return
	}
	if e.Inputs.Equal(in) {
		return
	}
	now := Variant{Inputs: in}
	if i := slices.IndexFunc(e.Earlier, func(v Variant) bool { return v.Inputs.Equal(in) }); i >= 0 {
		now = e.Earlier[i]
		e.Earlier = slices.Delete(e.Earlier, i, i+1)
	}
	e.Earlier = slices.Insert(e.Earlier, 0, e.Variant)
	e.Earlier = e.Earlier[:min(len(e.Earlier), MaxVariants-1)]
	e.Variant = now
}

// Find returns the series of an extraction, or nil. It points into v.
func (v *Variant) Find(extraction string) *Series {
	if v == nil {
		return nil
	}
	for i := range v.Series {
		if v.Series[i].Extraction == extraction {
			return &v.Series[i]
		}
	}
	return nil
}

// Find is Variant.Find of what was evaluated last. e may be nil.
func (e *Entry) Find(extraction string) *Series {
	if e == nil {
		return nil
	}
	return e.Variant.Find(extraction)
}

// FindOrAdd returns the series of an extraction, which it begins if need be.
func (v *Variant) FindOrAdd(extraction string) *Series {
	if s := v.Find(extraction); s != nil {
		return s
	}
	v.Series = append(v.Series, Series{Extraction: extraction})
	return &v.Series[len(v.Series)-1]
}

// clone returns a copy that shares no memory with e that either may change. e
// may be nil.
func (e *Entry) clone() *Entry {
	if e == nil {
		return nil
	}
	c := *e
	c.Variant = e.Variant.clone()
	c.Earlier = slices.Clone(e.Earlier)
	for i := range c.Earlier {
		c.Earlier[i] = c.Earlier[i].clone()
	}
	return &c
}

func (v Variant) clone() Variant {
	v.Series = slices.Clone(v.Series)
	for i := range v.Series {
		v.Series[i].Samples = slices.Clone(v.Series[i].Samples)
		v.Series[i].Origins = slices.Clone(v.Series[i].Origins)
	}
	return v
}

// Latest is when the latest of its evaluations ended that are still known.
func (e *Entry) Latest() time.Time {
	latest := e.Created
	for _, v := range e.Variants() {
		if v.Output != nil && v.Output.Time.After(latest) {
			latest = v.Output.Time
		}
		for i := range v.Series {
			if n := len(v.Series[i].Samples); n > 0 && v.Series[i].Samples[n-1].Time.After(latest) {
				latest = v.Series[i].Samples[n-1].Time
			}
		}
	}
	return latest
}

// Command is how the call was made whose number was stored last, or nil if that
// isn't known. It may be called concurrently.
func (v *Variant) Command() *key.Command {
	if len(v.command) == 0 {
		return nil
	}
	c, err := key.ParseCommand(v.command)
	if err != nil {
		return nil // its checksum was right: it is of a later version
	}
	return c
}

// Args is Command().Args, and costs less.
func (v *Variant) Args() []string { return key.EncodedArgs(v.command) }

// SetCommand notes how the call was made.
func (v *Variant) SetCommand(c *key.Command) {
	if v.command = nil; c != nil {
		v.command = c.Encode()
	}
}

// CommandMentions reports whether the text may occur in what is kept of the
// command. It costs less than to decode it.
func (v *Variant) CommandMentions(text string) bool { return key.Mentions(v.command, text) }
