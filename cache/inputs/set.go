package inputs

import (
	"crypto/sha256"
	"iter"
	"slices"
)

// Set is what one or more evaluations were seen to use: observations, sorted, each
// once. The zero Set is empty. Nobody changes a Set.
type Set struct {
	list []Observation
	// parsed is the SHA-256 of what was parsed, or zero.
	parsed [32]byte
}

// NewSet makes a set of observations, in any order. It returns false if two of them
// disagree.
func NewSet(list []Observation) (Set, bool) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, compare)
	return join(list)
}

// join makes a set of what is sorted, and may be there twice.
func join(list []Observation) (Set, bool) {
	out := list[:0]
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end].Name == list[i].Name {
			end++
		}
		first := len(out)
		for _, o := range list[i:end] {
			var ok bool
			if out, ok = addTo(out, first, o); !ok {
				return Set{}, false
			}
		}
		i = end
	}
	return Set{list: slices.Clip(out)}, true
}

// addTo appends an observation to those of its name, which begin at first.
func addTo(list []Observation, first int, o Observation) ([]Observation, bool) {
	for i := first; i < len(list); i++ {
		have := &list[i]
		if (have.Kind == Link) != (o.Kind == Link) || (have.Kind == Place) != (o.Kind == Place) || (have.Kind == Untracked) != (o.Kind == Untracked) {
			continue // a link, and what it leads to; a place, and the folder; a pattern
		}
		if have.Kind.is() != o.Kind.is() {
			return nil, false
		}
		by := min(have.By, o.By)
		switch {
		case have.Kind == o.Kind:
			same := *have
			same.By = o.By
			if same != o {
				return nil, false
			}
		case have.Kind.is() == Contents:
			continue // one evaluation looked, another read
		case o.Kind == Listing:
			*have = o // a folder that is listed is there
		}
		have.By = by
		return list, true
	}
	return append(list, o), true
}

// Unite returns what either of two sets says. It returns false if they disagree on a
// name: then no one evaluation could have seen both.
func Unite(a, b Set) (Set, bool) {
	if len(b.list) == 0 {
		return a, true
	}
	if len(a.list) == 0 {
		return b, true
	}
	list := make([]Observation, 0, len(a.list)+len(b.list))
	i, j := 0, 0
	for i < len(a.list) && j < len(b.list) {
		if compare(a.list[i], b.list[j]) <= 0 {
			list = append(list, a.list[i])
			i++
		} else {
			list = append(list, b.list[j])
			j++
		}
	}
	list = append(append(list, a.list[i:]...), b.list[j:]...)
	return join(list)
}

// Split parts a set in what many evaluations share, the system's and installed code,
// and what is the experiment's own. Together they are the set again. So entries that
// each read a data file of their own can share the one large list.
func (s Set) Split(p Places) (shared, own Set) {
	shared.list = make([]Observation, 0, len(s.list))
	for _, o := range s.list {
		if o.Kind != Search && p.owned(o.Name) {
			own.list = append(own.list, o)
		} else {
			shared.list = append(shared.list, o)
		}
	}
	return shared, own
}

// Part parts a set in what another says, too, and the rest. Together they are the set
// again. So what two entries have in common can be stored once.
func (s Set) Part(t Set) (common, rest Set) {
	for _, o := range s.list {
		at, found := slices.BinarySearchFunc(t.list, o, compare)
		if found && t.list[at] == o {
			common.list = append(common.list, o)
		} else {
			rest.list = append(rest.list, o)
		}
	}
	return common, rest
}

// Len returns how many observations there are.
func (s Set) Len() int { return len(s.list) }

// All goes over the observations in their order.
func (s Set) All() iter.Seq[Observation] { return slices.Values(s.list) }

// Untracked are the patterns that left out what was used.
func (s Set) Untracked() (patterns []string) {
	for _, o := range s.list {
		if o.Kind == Untracked {
			patterns = append(patterns, o.Name)
		}
	}
	return patterns
}

// Equal reports whether two sets say the same.
func (s Set) Equal(t Set) bool { return slices.Equal(s.list, t.list) }

// Sum identifies a set: it is the SHA-256 of its encoding, of which a set that was
// parsed needn't be made again.
func (s Set) Sum() [32]byte {
	if s.parsed == [32]byte{} {
		return sha256.Sum256(s.Encode(nil))
	}
	return s.parsed
}
