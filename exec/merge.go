package exec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dvlcache/cache"
)

// merge adds to the entry, by an Update (see cache.Store), and makes series
// what is stored then. A series begins with what the kept output gives; without
// Repeat its first number stays, since others may have been told it, and add is
// not called. merge warns if the store is out of order.
func (c *call) merge(ctx context.Context, add func(*cache.Entry)) error {
	change, after := c.change(ctx, add)
	return after(c.Store.Update(ctx, change.ID, change.Gen, change.Change))
}

// change is merge in two halves: the update, and what has to be done after it.
func (c *call) change(ctx context.Context, add func(*cache.Entry)) (change cache.Change, after func(error) error) {
	name := c.Extraction.String()
	var token cache.Token // none: the period goes on
	if c.Refresh {
		token = cache.NewToken()
	}
	var merged *cache.Series
	change = cache.Change{ID: c.id, Gen: c.gen, Change: func(e *cache.Entry) *cache.Entry {
		if e == nil || c.Refresh {
			e = &cache.Entry{Token: token, Created: time.Now()}
		}
		if merged = e.Find(name); merged != nil && !c.Repeat.on() {
			return nil
		}
		first := c.seriesFromOutput(e)
		if merged == nil && first != nil {
			e.Series = append(e.Series, *first)
		}
		if merged != nil || first == nil || c.Repeat.on() {
			add(e)
		}
		merged = e.Find(name)
		return e
	}}
	return change, func(err error) error {
		switch {
		case err == nil:
			if c.Refresh && c.Repeat.on() {
				// Further samples belong to the new period.
				_, c.gen, _ = c.Store.Get(ctx, c.id)
			}
			c.Refresh = false
			if merged != nil {
				c.series = merged
			}
		case errors.Is(err, cache.ErrSuperseded):
			c.warn(fmt.Sprintf("%v; the number is not stored", err), "")
		default:
			c.outOfOrder(err, "the number is not stored")
			c.usesStore = false // or each further sample would take its time
		}
		return err
	}
}
