package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// Overlay is a session's store over the one that it saves to: what is in the
// base is seen through it, what is new lies in the session until Save.
//
// The session keeps a call's entry in a drawer that is named after the call's
// namespace and the base's generation, so that what the base has cleared,
// deleted or refreshed is not found in the session either. That entry holds the
// new samples alone, or, with a token, an entry in place of the base's.
type Overlay struct {
	session *Bolt
	base    Store
}

var (
	_ Store   = (*Overlay)(nil)
	_ Clearer = (*Overlay)(nil)
	_ Leaser  = (*Overlay)(nil)
)

// NewOverlay returns the store of a session over base.
func NewOverlay(session *Bolt, base Store) *Overlay { return &Overlay{session, base} }

// drawer is the session's address of an id.
func drawer(id ID, base Generation) ID {
	return ID{id.Namespace + "\x00" + hex.EncodeToString(base.Namespace[:]) + hex.EncodeToString(base.Entry[:]), id.Key}
}

// fromDrawer takes a session's address apart.
func fromDrawer(at ID) (id ID, base Generation, ok bool) {
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
	below, gen, err := o.base.Get(ctx, id)
	var bad *RecordError
	if err != nil && !errors.As(err, &bad) {
		return nil, Generation{}, err
	}
	above, now, aboveErr := o.session.Get(ctx, drawer(id, gen))
	if aboveErr != nil {
		return nil, now, aboveErr
	}
	e := through(above, below)
	if e == nil && bad != nil {
		return nil, now, bad
	}
	return e, now, nil
}

// through is what is seen of both entries, each of which may be nil. It may
// share memory with them.
func through(above, below *Entry) *Entry {
	if below == nil || above != nil && above.Token != (Token{}) {
		return above
	}
	if above == nil {
		return below
	}
	e := below.clone()
	e.add(above, true)
	return e
}

// add merges what a session holds of an entry. Of two numbers that aren't to be
// averaged one answers: the session's, if it is to be preferred.
func (e *Entry) add(session *Entry, prefer bool) {
	if session.Output != nil {
		e.Output = session.Output
	}
	for i := range session.Series {
		from := &session.Series[i]
		s := e.FindOrAdd(from.Extraction)
		switch {
		case s.Count == 0, !from.Repeated && prefer:
			*s = *from
		case from.Repeated:
			s.merge(from)
		}
	}
}

// Update implements Store.
func (o *Overlay) Update(ctx context.Context, id ID, gen Generation, change func(*Entry) *Entry) error {
	below, base, err := o.base.Get(ctx, id)
	var bad *RecordError
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	// Where the base has begun a new period, the drawer is another one, and
	// refuses the generation.
	return o.session.Update(ctx, drawer(id, base), gen, func(above *Entry) *Entry {
		e := change(through(above.clone(), below.clone()))
		if e == nil || e.Token != (Token{}) || below == nil {
			return e
		}
		fresh := above
		if fresh == nil {
			fresh = &Entry{Created: time.Now()}
		}
		if e.Output != nil && (below.Output == nil || e.Output.ID != below.Output.ID) {
			fresh.Output = e.Output
		}
		for i := range e.Series {
			s := &e.Series[i]
			known := below.Find(s.Extraction)
			for _, x := range s.Samples {
				if !known.has(x.ID) {
					own := fresh.FindOrAdd(s.Extraction)
					own.Add(x, s.Text)
					own.Repeated = s.Repeated
				}
			}
		}
		return fresh
	})
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
	o.session.each(ctx, func(at ID, _ *Entry) {
		id, gen, ok := fromDrawer(at)
		if !ok || namespace != nil && *namespace != id.Namespace {
			return
		}
		if below, now, err := o.base.Get(ctx, id); err == nil && below == nil && now == gen {
			n++
		}
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

// Save merges what is new into the base, except what the base has cleared or
// refreshed meanwhile, and counts both. It gives up where the base is out of
// order. Saving twice does no harm.
func (o *Overlay) Save(ctx context.Context) (saved, refused int, err error) {
	const group = 1000
	var changes []Change
	flush := func() {
		if err != nil {
			return
		}
		errs := UpdateAll(ctx, o.base, changes)
		for i := range changes {
			switch {
			case errs == nil || errs[i] == nil:
				saved++
			case errors.Is(errs[i], ErrSuperseded):
				refused++
			case err == nil:
				err = errs[i]
			}
		}
		changes = changes[:0]
	}
	eachErr := o.session.each(ctx, func(at ID, above *Entry) {
		id, gen, ok := fromDrawer(at)
		if !ok {
			return
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
	})
	flush()
	return saved, refused, errors.Join(err, eachErr)
}
