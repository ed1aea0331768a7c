// Package observe makes sets of inputs of what evaluations were seen to use, and keeps
// them in a store.
package observe

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
)

// Observer sees to it that what evaluations use counts: it makes sets of inputs of
// traces, and looks whether they hold. It may be used by many goroutines.
type Observer struct {
	// Options are those of all calls; the ignored values are each call's own.
	Options inputs.Options
	// StdinWaits reports whether our stdin holds something that nobody has read; it
	// may be nil.
	StdinWaits func() bool

	mu    sync.Mutex
	lists map[key.Key]inputs.Set // they never change
	// stored are the lists that are known to be stored, since the namespace was
	// cleared last: each under that period.
	stored map[storedList]time.Time
}

// listKey is the key under which a shared list lies.
func listKey(list []byte) key.Key {
	h := sha256.New()
	h.Write([]byte("dvlcache list of inputs 1\n"))
	h.Write(list)
	return key.Key(h.Sum(nil))
}

// Load gets the set that a variant's inputs are. It reports false if a part of it isn't
// there, or can't be read. Its error is the context's.
func (o *Observer) Load(ctx context.Context, s cache.Store, namespace string, in cache.Inputs) (set inputs.Set, ok bool, err error) {
	parts, ok, err := o.Parts(ctx, s, namespace, in)
	if ok {
		set, ok = Unite(parts)
	}
	return set, ok, err
}

// Parts is Load of the parts, the variant's own first. They stay apart: what many
// entries share is checked once for all of them.
func (o *Observer) Parts(ctx context.Context, s cache.Store, namespace string, in cache.Inputs) (parts []inputs.Set, ok bool, err error) {
	if in.Own != nil {
		own, err := inputs.Parse(in.Own)
		if err != nil {
			return nil, false, nil
		}
		parts = append(parts, own)
	}
	var missing []cache.ID
	o.mu.Lock()
	for _, k := range in.Shared {
		if list, ok := o.lists[k]; ok {
			parts = append(parts, list)
		} else {
			missing = append(missing, cache.ID{Namespace: namespace, Key: k})
		}
	}
	o.mu.Unlock()
	if len(missing) == 0 {
		return parts, true, nil
	}
	for i, got := range getAll(ctx, s, missing) {
		if ctx.Err() != nil {
			return nil, false, context.Cause(ctx)
		}
		list, ok := o.take(missing[i].Key, got)
		if !ok {
			return nil, false, nil
		}
		parts = append(parts, list)
	}
	return parts, true, nil
}

// take keeps the list that was got under a key. It reports false if it isn't there, or
// can't be read.
func (o *Observer) take(k key.Key, got cache.Got) (list inputs.Set, ok bool) {
	if got.Entry == nil || got.Entry.List == nil || listKey(got.Entry.List) != k {
		return list, false
	}
	list, err := inputs.Parse(got.Entry.List)
	if err != nil {
		return list, false
	}
	o.keep(k, list)
	return list, true
}

// Unite is what the parts of a set say together. It reports false if they disagree.
func Unite(parts []inputs.Set) (set inputs.Set, ok bool) {
	for _, part := range parts {
		if set, ok = inputs.Unite(set, part); !ok {
			return set, false
		}
	}
	return set, true
}

// getAll is cache.GetAll, without a trace where the store can be read so.
func getAll(ctx context.Context, s cache.Store, ids []cache.ID) []cache.Got {
	if l, ok := s.(cache.Lister); ok {
		return l.PeekAll(ctx, ids)
	}
	return cache.GetAll(ctx, s, ids)
}

func (o *Observer) keep(k key.Key, list inputs.Set) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lists == nil {
		o.lists = map[key.Key]inputs.Set{}
	}
	o.lists[k] = list
}

// storedList is a list as it lies in a store.
type storedList struct {
	id     cache.ID
	period cache.Token
}

// storedFor is how long a list that was seen in the store is taken to be there: it goes
// with the last entry that shares it, which somebody may prune.
const storedFor = time.Second

// isStored reports whether a list is known to be stored.
func (o *Observer) isStored(l storedList) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen, ok := o.stored[l]
	return ok && time.Since(seen) < storedFor
}

func (o *Observer) keepStored(l storedList) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stored == nil {
		o.stored = map[storedList]time.Time{}
	}
	o.stored[l] = time.Now()
}

// mostOwn is how many observations of a part of a set lie in the record of one entry,
// beside those that it has in common with others.
const mostOwn = 16

// kind is what those have alike that may have a list in common: the programs.
func (o *Observer) kind(namespace, place string, part inputs.Set) string {
	return fmt.Sprintf("%q", append(part.Programs(), namespace, place, o.Options.Places.Dir))
}

// getCommon gets what common will ask for, by one look into the store, and notes what is
// stored.
func (o *Observer) getCommon(ctx context.Context, s cache.Store, namespace string, period cache.Token, parts map[string]inputs.Set) {
	var ids []cache.ID
	for place, part := range parts {
		if part.Len() < 2 {
			continue
		}
		if k, ok := o.Options.Marks.Common(o.kind(namespace, place, part)); ok {
			if id := (cache.ID{Namespace: namespace, Key: k}); !o.isStored(storedList{id, period}) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return
	}
	for i, got := range getAll(ctx, s, ids) {
		if _, ok := o.take(ids[i].Key, got); ok && got.Gen.Namespace == period {
			o.keepStored(storedList{ids[i], period})
		}
	}
}

// common parts a part of a set in what earlier entries of the same programs have, too,
// and the rest. What the last one had and this one hasn't is common to none.
func (o *Observer) common(ctx context.Context, s cache.Store, namespace, place string, part inputs.Set) (list, rest inputs.Set) {
	if part.Len() < 2 {
		return list, part
	}
	kind := o.kind(namespace, place, part)
	marks := o.Options.Marks
	list = part
	if k, ok := marks.Common(kind); ok {
		if last, ok, _ := o.Parts(ctx, s, namespace, cache.Inputs{Shared: []key.Key{k}}); ok {
			common, more := part.Part(last[0])
			switch {
			case more.Len() <= mostOwn && common.Len() == last[0].Len():
				return last[0], more
			case more.Len() <= min(mostOwn, common.Len()):
				list, rest = common, more
			case part.Len() <= mostOwn:
				return inputs.Set{}, part // it would be a list for each entry
			}
		}
	}
	marks.KeepCommon(kind, listKey(list.Encode(nil)))
	return list, rest
}

// Store makes the inputs of a set, and stores what is to be shared of it. period is the
// namespace's under which the evaluation was begun. Its error is the store's.
func (o *Observer) Store(ctx context.Context, s cache.Store, namespace string, period cache.Token, set inputs.Set) (in cache.Inputs, err error) {
	shared, own := set.Split(o.Options.Places)
	parts := map[key.Key]inputs.Set{}
	var rest inputs.Set
	places := map[string]inputs.Set{"shared": shared, "own": own}
	o.getCommon(ctx, s, namespace, period, places)
	for place, part := range places {
		list, more := o.common(ctx, s, namespace, place, part)
		if list.Len() > 0 {
			parts[listKey(list.Encode(nil))] = list
		}
		rest, _ = inputs.Unite(rest, more) // parts of one set agree
	}
	in.Own = rest.Encode([]byte{})
	for k := range parts {
		in.Shared = append(in.Shared, k)
	}
	slices.SortFunc(in.Shared, func(a, b key.Key) int { return slices.Compare(a[:], b[:]) })
	var ids []cache.ID
	for _, k := range in.Shared {
		if id := (cache.ID{Namespace: namespace, Key: k}); !o.isStored(storedList{id, period}) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return in, nil
	}
	for i, got := range cache.GetAll(ctx, s, ids) {
		var bad *cache.RecordError
		if got.Err != nil && !errors.As(got.Err, &bad) {
			return in, got.Err
		}
		list := parts[ids[i].Key]
		if got.Entry == nil {
			err := s.Update(ctx, ids[i], got.Gen, func(old *cache.Entry) *cache.Entry {
				if old != nil {
					return nil
				}
				return &cache.Entry{List: list.Encode(nil)}
			})
			if err != nil {
				return in, err
			}
		}
		o.keep(ids[i].Key, list)
		if got.Gen.Namespace == period {
			o.keepStored(storedList{ids[i], period})
		}
	}
	return in, nil
}
