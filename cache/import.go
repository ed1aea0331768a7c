package cache

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"dvlcache/cache/key"
)

// Conflict says what becomes of an entry that is imported where there is one.
type Conflict string

// What becomes of an entry that is imported where there is one.
const (
	ConflictKeep    Conflict = "keep"    // nothing
	ConflictReplace Conflict = "replace" // it takes the other's place
	ConflictMerge   Conflict = "merge"   // averaged samples are joined; a single number stays
)

// Transfer is an entry on its way into a store.
type Transfer struct {
	ID    ID
	Entry *Entry
}

// Transferred counts what came of transfers.
type Transferred struct {
	Added, Changed int
	Same           int // there is nothing new in it, or what was there is kept
	TooLarge       int // for the server
	Refused        int // the namespace was cleared, or the entry refreshed, meanwhile
	Partial        int // those, of Changed and Same, of which something was left out
}

// Add adds other counts.
func (n *Transferred) Add(o Transferred) {
	n.Added += o.Added
	n.Changed += o.Changed
	n.Same += o.Same
	n.TooLarge += o.TooLarge
	n.Refused += o.Refused
	n.Partial += o.Partial
}

// Import puts entries into a store. The same ones a second time change nothing,
// whatever conflict is. Its error is the store's that is out of order; what was
// imported before that is counted.
func Import(ctx context.Context, s Store, entries []Transfer, conflict Conflict) (n Transferred, err error) {
	ids := make([]ID, len(entries))
	for i := range entries {
		ids[i] = entries[i].ID
	}
	changes, outcomes, partial := make([]Change, len(entries)), make([]int, len(entries)), make([]bool, len(entries))
	for i, got := range GetAll(ctx, s, ids) {
		var bad *RecordError
		if got.Err != nil && !errors.As(got.Err, &bad) {
			return n, got.Err
		}
		changes[i] = Change{ids[i], got.Gen, func(old *Entry) (e *Entry) {
			e, outcomes[i] = entries[i].Entry.into(old, conflict)
			stored := e
			if e == nil {
				stored = old
			}
			partial[i] = stored.lacks(entries[i].Entry)
			return e
		}}
	}
	errs := UpdateAll(ctx, s, changes)
	for i := range changes {
		list := entries[i].Entry.List != nil && (errs == nil || errs[i] == nil)
		switch {
		case list: // it is no entry of a call
		case errs != nil && errors.Is(errs[i], ErrSuperseded):
			n.Refused++
		case errs != nil && errors.Is(errs[i], ErrTooLarge):
			n.TooLarge++
		case errs != nil && errs[i] != nil:
			err = errs[i]
		case outcomes[i] == added:
			n.Added++
		case outcomes[i] == altered:
			n.Changed++
		default:
			n.Same++
		}
		if partial[i] && !list && (errs == nil || errs[i] == nil) {
			n.Partial++
		}
	}
	return n, err
}

// lacks reports whether a stored entry could answer less than an imported one, or
// something else: it lacks inputs, numbers or samples, or a single number is another.
func (e *Entry) lacks(from *Entry) bool {
	for _, theirs := range from.Variants() {
		mine := e.Under(theirs.Inputs)
		if mine == nil || theirs.Output != nil && mine.Output == nil {
			return true
		}
		for i := range theirs.Series {
			t := &theirs.Series[i]
			s := mine.Find(t.Extraction)
			switch {
			case s == nil:
				return true
			case !s.Repeated && !t.Repeated:
				if s.Text != t.Text || !s.Moments.is(t.Moments) {
					return true
				}
			default:
				for _, o := range t.Origins {
					if at, ok := s.origin(o.ID); !ok || s.Origins[at].Count < o.Count {
						return true
					}
				}
			}
		}
	}
	return false
}

// What into makes of an entry.
const (
	unaltered = iota
	altered
	added
)

// into returns what to store of an imported entry where old, which may be nil,
// is stored, and nil for nothing.
func (e *Entry) into(old *Entry, conflict Conflict) (stored *Entry, outcome int) {
	switch {
	case old == nil:
		return e.clone(), added
	case conflict == ConflictKeep:
		return nil, unaltered
	case conflict == ConflictReplace:
		if bytes.Equal(e.content(), old.content()) {
			return nil, unaltered
		}
		fresh := e.clone()
		fresh.Token = NewToken() // what is under way belongs to the other
		return fresh, altered
	}
	changed := false
	for _, from := range e.Variants() {
		switch mine := old.Under(from.Inputs); {
		case mine != nil:
			changed = mine.join(from) || changed
		case len(old.Earlier) < MaxVariants-1 && old.List == nil:
			old.Earlier = append(old.Earlier, from.clone())
			changed = true
		}
	}
	if !changed {
		return nil, unaltered
	}
	return old, altered
}

// join adds what another variant under the same inputs has, and reports whether it had
// anything new.
func (v *Variant) join(o *Variant) (changed bool) {
	for i := range o.Series {
		from := &o.Series[i]
		switch s := v.Find(from.Extraction); {
		case s == nil:
			v.Series = append(v.Series, *from)
			changed = true
		case s.Repeated || from.Repeated:
			changed = s.Merge(from) || changed
		}
	}
	if v.Output == nil && o.Output != nil {
		v.Output, v.command = o.Output, o.command
		changed = true
	}
	return changed
}

// content is an entry encoded without what is a place's own.
func (e *Entry) content() []byte {
	c := e.clone()
	c.Token = Token{}
	for _, v := range c.Variants() {
		for i := range v.Series {
			v.Series[i].Own = 0
		}
		v.command = slices.Clone(v.command)
		key.Disown(v.command)
	}
	return appendEntry(nil, c)
}
