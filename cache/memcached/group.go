package memcached

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"dvlcache/cache"
)

// GetAll implements Grouper, several at a time.
func (m *Store) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	all := make([]cache.Got, len(ids))
	together(len(ids), func(i int) error {
		got := &all[i]
		got.Entry, got.Gen, got.Err = m.Get(ctx, ids[i])
		var bad *cache.RecordError
		if errors.As(got.Err, &bad) {
			return nil
		}
		return got.Err
	}, func(i int, err error) { all[i] = cache.Got{Err: err} })
	return all
}

// UpdateAll implements Grouper, several at a time. Two changes of one entry are
// made in any order.
func (m *Store) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	errs := make([]error, len(changes))
	var failed atomic.Bool
	together(len(changes), func(i int) error {
		c := &changes[i]
		errs[i] = m.Update(ctx, c.ID, c.Gen, c.Change)
		if errs[i] != nil {
			failed.Store(true)
		}
		if errors.Is(errs[i], cache.ErrSuperseded) || errors.Is(errs[i], cache.ErrNewer) || errors.Is(errs[i], cache.ErrTooLarge) {
			return nil
		}
		return errs[i]
	}, func(i int, err error) { errs[i] = err })
	if !failed.Load() {
		return nil
	}
	return errs
}

// together does n things, several at a time. An error of one means that the
// servers are out of order: the others that are not begun get it at once, by
// instead, since each would take its time.
func together(n int, do func(i int) error, instead func(i int, err error)) {
	var next atomic.Int64
	var outage atomic.Pointer[error]
	var wg sync.WaitGroup
	for range min(n, atOnce) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := outage.Load(); err != nil {
					instead(i, *err)
				} else if err := do(i); err != nil {
					outage.Store(&err)
				}
			}
		})
	}
	wg.Wait()
}
