package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dvlcache/cache"
)

// errUnknownVariant says that the entry has a variant that the latest look did not
// find: whether samples belong to it is to be seen.
var errUnknownVariant = errors.New("the entry has a new variant")

// merge adds to a variant of the entry, by an Update (see cache.Store), and makes
// series what is stored then. The variants under was become one under is. A series
// begins with what the kept output gives; without Repeat its first number stays, since
// others may have been told it, and add is not called. merge warns if the store is out
// of order. Its error is errUnknownVariant, under Repeat, or the store's.
func (c *call) merge(ctx context.Context, was []cache.Inputs, is cache.Inputs, add func(*cache.Entry)) error {
	change, after := c.change(ctx, was, is, add)
	return after(c.Store.Update(ctx, change.ID, change.Gen, change.Change))
}

// saveFromOutput stores the series that was begun with the kept output.
func (c *call) saveFromOutput(ctx context.Context) (change cache.Change, after func(error) error) {
	return c.change(ctx, nil, c.under, func(*cache.Entry) {})
}

// change is merge in two halves: the update, and what has to be done after it.
func (c *call) change(ctx context.Context, was []cache.Inputs, is cache.Inputs, add func(*cache.Entry)) (change cache.Change, after func(error) error) {
	name := c.Extraction.String()
	var token cache.Token // none: the period goes on
	if c.Refresh {
		token = cache.NewToken()
	}
	var merged *cache.Series
	unknown, fromOutput := false, c.fromOutput
	change = cache.Change{ID: c.id, Gen: c.gen, Change: func(e *cache.Entry) *cache.Entry {
		if e == nil || c.Refresh {
			e = &cache.Entry{Token: token, Created: time.Now()}
		}
		if unknown = c.Repeat.on() && is.Watched() && !c.knows(e, is); unknown {
			return nil
		}
		at := slices.IndexFunc(was, func(in cache.Inputs) bool { return in.Watched() && e.Under(in) != nil })
		if e.Under(is) == nil && at >= 0 {
			e.Begin(was[at])
			e.Inputs = is
		} else {
			e.Begin(is)
		}
		if !fromOutput && c.overtaken(&e.Variant) {
			e.Variant = cache.Variant{Inputs: e.Inputs}
		}
		if s := e.Find(name); s != nil && c.Repeat.on() {
			s.Repeated = true
			for _, in := range was {
				e.Absorb(in)
			}
		}
		if merged = e.Find(name); merged != nil && !c.Repeat.on() {
			return nil
		}
		first := c.seriesFromOutput(&e.Variant)
		if merged == nil && first != nil {
			e.Series = append(e.Series, *first)
		}
		if merged != nil || first == nil || c.Repeat.on() {
			add(e)
		}
		if merged = e.Find(name); merged == nil && e.Output == nil {
			return nil // the variant that it was for is gone
		}
		return e
	}}
	return change, func(err error) error {
		switch {
		case err == nil && unknown:
			return errUnknownVariant
		case err == nil:
			if c.Refresh && c.Repeat.on() {
				// Further samples belong to the new period.
				_, c.gen, _ = c.Store.Get(ctx, c.id)
			}
			c.Refresh = false
			if merged != nil {
				c.series = merged
			}
		default:
			c.notStored(err)
		}
		return err
	}
}

// notStored tells why the store didn't take a number.
func (c *call) notStored(err error) {
	consequence := "the number is not stored"
	if errors.Is(err, cache.ErrSuperseded) {
		c.warn(fmt.Sprintf("%v; %s", err, consequence), "")
		return
	}
	if c.Refresh {
		consequence += ", and the one that --refresh was to replace, if there is any, still answers"
	}
	c.outOfOrder(err, consequence)
	c.usesStore = false // or each further sample would take its time
}

// knows reports whether the latest look found all watched variants of an entry, but the
// one that is merged into.
func (c *call) knows(e *cache.Entry, is cache.Inputs) bool {
	for _, v := range e.Variants() {
		of := func(k known) bool { return k.inputs.Equal(v.Inputs) }
		if v.Inputs.Watched() && !v.Inputs.Equal(is) && !slices.ContainsFunc(c.known, of) {
			return false
		}
	}
	return true
}

func containsInputs(list []cache.Inputs, in cache.Inputs) bool {
	return slices.ContainsFunc(list, in.Equal)
}
