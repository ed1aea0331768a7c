package exec

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"dvlcache/cache"
)

// committer is a store that makes the updates of many goroutines together, so
// that they share one wait for the disk.
type committer struct {
	cache.Store
	requests chan commit
	stopped  chan struct{}
	// running is how many programs run, whose numbers will soon come; quiet is told
	// when there are none any more.
	running atomic.Int64
	quiet   chan struct{}
}

// As long as programs run, whose numbers will soon come, the committer waits for
// more: so long that a commit, which takes its time of a processor and of the disk,
// is a small part of it.
const (
	shortestGather = 4 * time.Millisecond
	longestGather  = 60 * time.Millisecond
	gatherCommits  = 10 // as long as that many commits
)

type commit struct {
	cache.Change
	done chan error
}

var (
	_ cache.Leaser  = (*committer)(nil)
	_ cache.Grouper = (*committer)(nil)
)

func newCommitter(s cache.Store) *committer {
	c := &committer{Store: s, requests: make(chan commit), stopped: make(chan struct{}), quiet: make(chan struct{}, 1)}
	go c.serve()
	return c
}

// setRunning says how many programs run.
func (c *committer) setRunning(n int) {
	if c.running.Swap(int64(n)) > 0 && n == 0 {
		select {
		case c.quiet <- struct{}{}:
		default:
		}
	}
}

func (c *committer) stop() {
	close(c.requests)
	<-c.stopped
}

func (c *committer) serve() {
	defer close(c.stopped)
	gather := shortestGather
	for first := range c.requests {
		group := []commit{first}
		wait := time.Duration(0)
		if c.running.Load() > 0 {
			wait = gather
		}
		enough := time.After(wait)
		for more := true; more; {
			select {
			case next, ok := <-c.requests:
				if more = ok; ok {
					group = append(group, next)
				}
			case <-c.quiet: // maybe of before, and then a group is smaller
				more = false
			case <-enough:
				more = false
			}
		}
		changes := make([]cache.Change, len(group))
		for i := range group {
			changes[i] = group[i].Change
		}
		start := time.Now()
		errs := cache.UpdateAll(context.Background(), c.Store, changes)
		gather = min(max(gatherCommits*time.Since(start), shortestGather), longestGather)
		for i := range group {
			if errs == nil {
				group[i].done <- nil
			} else {
				group[i].done <- errs[i]
			}
		}
	}
}

// Update implements cache.Store.
func (c *committer) Update(_ context.Context, id cache.ID, gen cache.Generation, change func(*cache.Entry) *cache.Entry) error {
	done := make(chan error, 1)
	c.requests <- commit{cache.Change{ID: id, Gen: gen, Change: change}, done}
	return <-done
}

// GetAll implements cache.Grouper.
func (c *committer) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	return cache.GetAll(ctx, c.Store, ids)
}

// UpdateAll implements cache.Grouper.
func (c *committer) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	return cache.UpdateAll(ctx, c.Store, changes)
}

// Lease implements cache.Leaser, for stores that do.
func (c *committer) Lease(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	if l, ok := c.Store.(cache.Leaser); ok {
		return l.Lease(ctx, id, wait)
	}
	return nil, errors.ErrUnsupported
}
