package exec

import (
	"context"
	"errors"
	"sync"
	"time"

	"dvlcache/cache"
)

// absence is a store that could not be looked up. It is asked again while the program
// runs, so that the number can be stored all the same. It is asked soon and often: what
// is cleared before it answers first is not known of.
type absence struct {
	stop context.CancelFunc
	mu   sync.Mutex
	got  *cache.Got    // what it answered, when it was back
	took time.Duration // the latest try that failed; 0: none has ended
}

// awaitStore asks a store that could not be looked up again until it answers, or until
// stop is called.
func (c *call) awaitStore(ctx context.Context) *absence {
	a := &absence{}
	ctx, a.stop = context.WithCancel(ctx)
	go func() {
		for pause := time.Duration(0); ; pause = min(2*pause+time.Second, 30*time.Second) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			if a.ask(ctx, c.Store, c.id) {
				return
			}
		}
	}()
	return a
}

// ask asks the store once, and reports whether it answered.
func (a *absence) ask(ctx context.Context, s cache.Store, id cache.ID) bool {
	start := time.Now()
	entry, gen, err := s.Get(ctx, id)
	var bad *cache.RecordError
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && !errors.As(err, &bad) {
		if ctx.Err() == nil {
			a.took = time.Since(start)
		}
		return false
	}
	a.got = &cache.Got{Entry: entry, Gen: gen}
	return true
}

// regain uses the store again if it has answered meanwhile, or does now. A program that
// ends sooner than the store says nothing isn't held up by that.
func (c *call) regain(ctx context.Context, ran time.Duration) error {
	a := c.away
	a.stop()
	a.mu.Lock()
	again := a.got == nil && a.took > 0 && ran > a.took
	a.mu.Unlock()
	if again {
		a.ask(ctx, c.Store, c.id)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.got == nil {
		return nil
	}
	c.away, c.missed, c.usesStore, c.gen = nil, false, true, a.got.Gen
	_, err := c.choose(ctx, a.got.Entry)
	return err
}
