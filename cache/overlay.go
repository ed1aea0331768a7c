package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
)

// Overlay is a session's store over the one that it saves to: what is in the
// base is seen through it, what is new lies in the session until Save.
//
// The session keeps a call's entry in a namespace that is named after the call's
// own and the base's generation, so that what the base has cleared,
// deleted or refreshed is not found in the session either. That entry holds the
// new samples alone, or, with a token, an entry in place of the base's.
type Overlay struct {
	session Session
	base    Store
}

// Session is a store that can lie over another one.
type Session interface {
	Store
	Lister
	Pruner
	Leaser
}

var (
	_ Store    = (*Overlay)(nil)
	_ Clearer  = (*Overlay)(nil)
	_ Measurer = (*Overlay)(nil)
	_ Leaser   = (*Overlay)(nil)
	_ Lister   = (*Overlay)(nil)
	_ Pruner   = (*Overlay)(nil)
	_ Grouper  = (*Overlay)(nil)
)

// NewOverlay returns the store of a session over base.
func NewOverlay(session Session, base Store) *Overlay { return &Overlay{session, base} }

// sessionID is the session's address of an entry of the base.
func sessionID(id ID, base Generation) ID {
	return ID{id.Namespace + "\x00" + hex.EncodeToString(base.Namespace[:]) + hex.EncodeToString(base.Entry[:]), id.Key}
}

// baseID takes a session's address apart.
func baseID(at ID) (id ID, base Generation, ok bool) {
	i := strings.LastIndexByte(at.Namespace, 0)
	tokens, err := hex.DecodeString(at.Namespace[i+1:])
	if i < 0 || err != nil || len(tokens) != 2*len(Token{}) {
		return id, base, false
	}
	copy(base.Namespace[:], tokens)
	copy(base.Entry[:], tokens[len(Token{}):])
	return ID{at.Namespace[:i], at.Key}, base, true
}

// Get implements Store.
func (o *Overlay) Get(ctx context.Context, id ID) (*Entry, Generation, error) {
	got := o.GetAll(ctx, []ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// GetAll implements Grouper.
func (o *Overlay) GetAll(ctx context.Context, ids []ID) []Got {
	all := GetAll(ctx, o.base, ids)
	var above []ID // of what the base could say something of
	for i := range all {
		if all[i].answered() {
			above = append(above, sessionID(ids[i], all[i].Gen))
		}
	}
	session := GetAll(ctx, o.session, above)
	for i := range all {
		if below := all[i]; below.answered() {
			all[i] = below.under(session[0])
			session = session[1:]
		}
	}
	return all
}

// answered reports whether the store answered, be it that its record is bad.
func (g Got) answered() bool {
	var bad *RecordError
	return g.Err == nil || errors.As(g.Err, &bad)
}

// under is what is seen of both, with the generation of what lies above.
func (g Got) under(above Got) Got {
	if above.Err != nil {
		return Got{Gen: above.Gen, Err: above.Err}
	}
	if e := through(above.Entry, g.Entry); e != nil {
		return Got{Entry: e, Gen: above.Gen}
	}
	return Got{Gen: above.Gen, Err: g.Err}
}

// through is what is seen of both entries, each of which may be nil. It may
// change them and share memory with them.
func through(above, below *Entry) *Entry {
	if below == nil || above != nil && above.Token != (Token{}) {
		return above
	}
	e := below
	e.Token = Token{} // is the base's: the session's own begins a new period
	if above != nil {
		e.add(above, true)
	}
	for _, v := range e.Variants() {
		session := above.Under(v.Inputs)
		for i := range v.Series {
			// New samples belong to the session, and add to its share.
			s := &v.Series[i]
			s.Own = 0
			if own := session.Find(s.Extraction); own != nil {
				s.Own = own.Own
			}
		}
	}
	return e
}

// add merges what a session holds of an entry. Of two numbers that aren't to be
// averaged one answers: the session's, if it is to be preferred.
func (e *Entry) add(session *Entry, prefer bool) {
	if session.List != nil {
		e.List = session.List
	}
	for _, from := range slices.Backward(session.Variants()) { // the latest last
		mine := e.Under(from.Inputs)
		switch {
		case mine != nil && !prefer:
		case mine == nil && !prefer && !e.Empty():
			e.Earlier = slices.Insert(e.Earlier, 0, Variant{Inputs: from.Inputs})
			e.Earlier = e.Earlier[:min(len(e.Earlier), MaxVariants-1)]
			mine = &e.Earlier[0]
		default:
			e.Begin(from.Inputs)
			mine = &e.Variant
		}
		mine.add(from, prefer)
	}
}

func (v *Variant) add(session *Variant, prefer bool) {
	if session.Output != nil {
		v.Output, v.command = session.Output, session.command
	}
	for i := range session.Series {
		from := &session.Series[i]
		s := v.FindOrAdd(from.Extraction)
		switch {
		case s.Count == 0, !from.Repeated && prefer:
			*s = *from
			s.Own = 0 // it goes on growing in the session
		case from.Repeated:
			s.Merge(from)
		}
	}
}

// without returns what a series has and base, which may be nil, has not.
func (s *Series) without(base *Series) Series {
	if base == nil {
		return *s
	}
	own := *s
	own.Origins = slices.DeleteFunc(slices.Clone(s.Origins), func(o Origin) bool {
		at, ok := base.origin(o.ID)
		return ok && base.Origins[at].Count >= o.Count
	})
	own.Samples = slices.DeleteFunc(slices.Clone(s.Samples), func(x Sample) bool { return hasSample(base.Samples, x.ID) })
	own.sum()
	return own
}

// Update implements Store.
func (o *Overlay) Update(ctx context.Context, id ID, gen Generation, change func(*Entry) *Entry) error {
	if errs := o.UpdateAll(ctx, []Change{{id, gen, change}}); errs != nil {
		return errs[0]
	}
	return nil
}

// UpdateAll implements Grouper.
func (o *Overlay) UpdateAll(ctx context.Context, changes []Change) []error {
	ids := make([]ID, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	var above []Change
	all := GetAll(ctx, o.base, ids)
	for i, c := range changes {
		if below := all[i]; below.answered() {
			// Where the base has begun a new period, the namespace is another one, and
			// refuses the generation.
			above = append(above, Change{sessionID(c.ID, below.Gen), c.Gen, func(above *Entry) *Entry {
				return above.grown(below.Entry, c.Change)
			}})
		}
	}
	errs := UpdateAll(ctx, o.session, above)
	if len(above) == len(changes) {
		return errs
	}
	joined := make([]error, len(changes))
	for i := range changes {
		switch {
		case !all[i].answered():
			joined[i] = all[i].Err
		case errs != nil:
			joined[i], errs = errs[0], errs[1:]
		}
	}
	return joined
}

// grown is what a session keeps of an entry of which it keeps e, and its base below,
// both of which may be nil, after a change: what the base has not.
func (e *Entry) grown(below *Entry, change func(*Entry) *Entry) *Entry {
	now := change(through(e.clone(), below.clone()))
	if now == nil || now.Token != (Token{}) || below == nil || now.List != nil {
		return now
	}
	fresh := e
	if fresh == nil {
		fresh = &Entry{Created: time.Now()}
	}
	for _, v := range slices.Backward(now.Variants()) {
		old := below.Under(v.Inputs)
		if v.Output != nil && (old == nil || old.Output == nil || v.Output.ID != old.Output.ID) {
			fresh.Begin(v.Inputs)
			fresh.Output, fresh.command = v.Output, v.command
		}
		for i := range v.Series {
			if s := v.Series[i].without(old.Find(v.Series[i].Extraction)); s.Count > 0 {
				fresh.Begin(v.Inputs)
				*fresh.FindOrAdd(s.Extraction) = s
			}
		}
	}
	return fresh
}

// Delete implements Store, in the base: the session's entry goes with it.
func (o *Overlay) Delete(ctx context.Context, id ID) (bool, error) {
	e, _, err := o.Get(ctx, id)
	if err != nil {
		return false, err
	}
	_, err = o.base.Delete(ctx, id)
	return e != nil, err
}

// Clear implements Clearer, in the base: what the session holds goes with it.
func (o *Overlay) Clear(ctx context.Context, namespace string) (int, error) {
	above := o.unsaved(ctx, &namespace)
	n, err := o.base.(Clearer).Clear(ctx, namespace)
	if n >= 0 {
		n += above
	}
	return n, err
}

// ClearAll implements Clearer, as Clear does.
func (o *Overlay) ClearAll(ctx context.Context) (int, error) {
	above := o.unsaved(ctx, nil)
	n, err := o.base.(Clearer).ClearAll(ctx)
	if n >= 0 {
		n += above
	}
	return n, err
}

// unsaved counts the entries of a namespace, or of all, that the session alone
// holds.
func (o *Overlay) unsaved(ctx context.Context, namespace *string) (n int) {
	o.session.Each(ctx, Range{}, func(at ID, _ *Entry, _ *RecordError) error {
		id, gen, ok := baseID(at)
		if !ok || namespace != nil && *namespace != id.Namespace {
			return nil
		}
		if below, now, err := o.base.Get(ctx, id); err == nil && below == nil && now == gen {
			n++
		}
		return nil
	})
	return n
}

// Usage implements Measurer, for the base.
func (o *Overlay) Usage(ctx context.Context, namespace *string) (Usage, error) {
	if m, ok := o.base.(Measurer); ok {
		return m.Usage(ctx, namespace)
	}
	return Usage{}, nil
}

// Lease implements Leaser, among all who use the base where it can give leases.
func (o *Overlay) Lease(ctx context.Context, id ID, wait time.Duration) (*Lease, error) {
	if base, ok := o.base.(Leaser); ok {
		return base.Lease(ctx, id, wait)
	}
	return o.session.Lease(ctx, id, wait)
}

// Close closes both.
func (o *Overlay) Close() error { return errors.Join(o.session.Close(), o.base.Close()) }

// Saved counts entries of calls by what came of saving them.
type Saved struct {
	Done     int
	Refused  int // the base has cleared or refreshed them meanwhile
	TooLarge int // for the base
}

// Save merges what is new into the base, except what the base has cleared or
// refreshed meanwhile, or doesn't take. It gives up where the base is out of
// order. Saving twice does no harm.
func (o *Overlay) Save(ctx context.Context) (n Saved, err error) {
	const group = 1000
	var changes []Change
	lists := map[ID]bool{} // they are no entries of calls
	flush := func() {
		if err != nil {
			return
		}
		errs := UpdateAll(ctx, o.base, changes)
		for i := range changes {
			count := &n.Done
			switch {
			case errs == nil || errs[i] == nil:
			case errors.Is(errs[i], ErrSuperseded):
				count = &n.Refused
			case errors.Is(errs[i], ErrTooLarge):
				count = &n.TooLarge
			default:
				if err == nil {
					err = errs[i]
				}
				continue
			}
			if !lists[changes[i].ID] {
				*count++
			}
		}
		changes = changes[:0]
		clear(lists)
	}
	eachErr := o.session.Each(ctx, Range{Lists: true}, func(at ID, above *Entry, bad *RecordError) error {
		id, gen, ok := baseID(at)
		if !ok || bad != nil {
			return nil
		}
		if above.List != nil {
			lists[id] = true
		}
		changes = append(changes, Change{id, gen, func(e *Entry) *Entry {
			if above.Token != (Token{}) {
				fresh := above.clone()
				fresh.Token = NewToken()
				return fresh
			}
			if e == nil {
				e = &Entry{Created: above.Created}
			}
			e.add(above, false)
			return e
		}})
		if len(changes) == group {
			flush()
		}
		return err
	})
	flush()
	if err == nil {
		err = eachErr
	}
	return n, err
}
