package cache

import "slices"

// Report is what a look at the whole of a store found.
type Report struct {
	Entries int           // that can be read
	Damage  error         // of what they lie in: some entries can't be got at; nil if there is none
	Bad     []RecordError // records that are no entries, of a newer version included
}

// Sound reports whether nothing is wrong.
func (r *Report) Sound() bool { return r.Damage == nil && len(r.Bad) == 0 }

// Newer reports whether all records that are bad are of a newer version.
func (r *Report) Newer() bool {
	return !slices.ContainsFunc(r.Bad, func(e RecordError) bool { return !e.Newer })
}

// Salvaged says what a salvage did.
type Salvaged struct {
	Entries int      // that are in the store now
	Lost    []string // what can't be read, and why; an entry or many each
	Aside   []string // where the old files are now
}

// Lose notes what can't be read; the salvage goes on without it.
func (s *Salvaged) Lose(err error) error {
	s.Lost = append(s.Lost, err.Error())
	return nil
}
