package cache

import (
	"context"
	"errors"
	"slices"
)

// Peek implements Reader, where the base is one.
func (o *Overlay) Peek(ctx context.Context, id ID) (*Entry, Generation, error) {
	base, ok := o.base.(Reader)
	if !ok {
		return nil, Generation{}, errors.ErrUnsupported
	}
	below, gen, err := base.Peek(ctx, id)
	var bad *RecordError
	if err != nil && !errors.As(err, &bad) {
		return nil, Generation{}, err
	}
	above, now, aboveErr := o.session.Peek(ctx, sessionID(id, gen))
	if aboveErr != nil {
		return nil, now, aboveErr
	}
	if e := through(above, below); e != nil {
		return e, now, nil
	}
	return nil, now, err
}

// PeekAll implements Lister.
func (o *Overlay) PeekAll(ctx context.Context, ids []ID) []Got {
	all := make([]Got, len(ids))
	for i, id := range ids {
		all[i].Entry, all[i].Gen, all[i].Err = o.Peek(ctx, id)
	}
	return all
}

// Each implements Lister, where the base is one. What the session holds is read
// first, and kept in memory.
func (o *Overlay) Each(ctx context.Context, r Range, f func(ID, *Entry, *RecordError) error) error {
	base, ok := o.base.(Lister)
	if !ok {
		return errors.ErrUnsupported
	}
	var ids []ID
	above := map[ID]*Entry{}
	err := o.session.Each(ctx, Range{Prefix: r.Prefix, Lists: r.Lists}, func(at ID, e *Entry, _ *RecordError) error {
		id, gen, ok := baseID(at)
		if !ok || e == nil || r.Namespace != nil && *r.Namespace != id.Namespace {
			return nil
		}
		_, now, err := base.Peek(ctx, id)
		if err == nil && now == gen {
			ids = append(ids, id)
			above[id] = e
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(ids, ID.compare)
	// until emits what lies in the session alone, and before id.
	until := func(id *ID) error {
		for len(ids) > 0 && (id == nil || ids[0].compare(*id) <= 0) {
			next := ids[0]
			ids = ids[1:]
			if id != nil && next == *id {
				break
			}
			if err := f(next, above[next], nil); err != nil {
				return err
			}
		}
		return nil
	}
	err = base.Each(ctx, r, func(id ID, below *Entry, bad *RecordError) error {
		if err := until(&id); err != nil {
			return err
		}
		e := through(above[id], below)
		if e != nil {
			bad = nil
		}
		return f(id, e, bad)
	})
	if err != nil {
		return err
	}
	return until(nil)
}

// Namespaces implements NamespaceLister, where both sides are such.
func (o *Overlay) Namespaces(ctx context.Context) ([]string, error) {
	base, ok := o.base.(NamespaceLister)
	session, sessionToo := o.session.(NamespaceLister)
	if !ok || !sessionToo {
		return nil, errors.ErrUnsupported
	}
	names, err := base.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	above, err := session.Namespaces(ctx)
	for _, name := range above {
		if id, _, ok := baseID(ID{Namespace: name}); ok {
			names = append(names, id.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// Drop implements Pruner, on both sides, where the base is one.
func (o *Overlay) Drop(ctx context.Context, ids []ID, which func(ID, *Entry) bool) (n int, err error) {
	base, ok := o.base.(interface {
		Pruner
		Reader
	})
	if !ok {
		return 0, errors.ErrUnsupported
	}
	var above []ID
	for _, id := range ids {
		_, gen, err := base.Peek(ctx, id)
		var bad *RecordError
		if err != nil && !errors.As(err, &bad) {
			return 0, err
		}
		above = append(above, sessionID(id, gen))
		if e, _, _ := o.Peek(ctx, id); e != nil && which(id, e) {
			n++
		}
	}
	if _, err := base.Drop(ctx, ids, which); err != nil {
		return 0, err
	}
	_, err = o.session.Drop(ctx, above, func(at ID, e *Entry) bool {
		id, _, ok := baseID(at)
		return ok && which(id, e)
	})
	return n, err
}
