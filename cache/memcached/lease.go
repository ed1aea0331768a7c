package memcached

import (
	"context"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"dvlcache/cache"
)

// A lease holds the token of its holder; or, for a while after the holder
// ended, the word and its token; or the token of the holder who came upon that,
// and then of the one who ended. So those who wait can tell whether the one
// they wait for ended or died.
const leaseEnded = "ended"

// Lease implements Leaser. A lease is an item that its holder adds and renews,
// and that is gone soon after if the holder dies.
func (m *Store) Lease(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	name := leaseName(id)
	token := cache.NewToken()
	mine := string(token[:])
	start := time.Now()
	holder := "" // whom we wait for
	held := func() (*cache.Lease, error) {
		return cache.NewLease(cache.LeaseHeld, holder != "", m.hold(name, mine)), nil
	}
	if wait > cache.LifeSign {
		wait = 0
	}
	pause := time.Duration(0)
	for ; ; pause = min(2*pause+5*time.Millisecond, 100*time.Millisecond) {
		if wait > 0 && pause > 0 {
			if pause = min(pause, wait-time.Since(start)); pause <= 0 {
				return cache.NewLease(cache.LeaseTimeout, true, nil), nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		err := m.try(ctx, func() error {
			return m.client.Add(&memcache.Item{Key: name, Value: []byte(mine), Expiration: int32(leaseTime / time.Second)})
		})
		if err == nil {
			return held()
		} else if err != memcache.ErrNotStored {
			return nil, err
		}
		var item *memcache.Item
		err = m.try(ctx, func() (err error) {
			item, err = m.client.Get(name)
			return err
		})
		if err == memcache.ErrCacheMiss {
			continue // it went just now
		} else if err != nil {
			return nil, err
		}
		value := string(item.Value)
		ended, isEnded := strings.CutPrefix(value, leaseEnded)
		switch {
		case strings.HasPrefix(value, mine):
			return held() // an add whose answer was lost
		case holder != "" && strings.HasSuffix(value, holder) && value != holder:
			return cache.NewLease(cache.LeaseEnded, true, nil), nil
		case isEnded && holder == "":
			// It is ours, if we are the first to come upon it.
			item.Value, item.Expiration = []byte(mine+ended), int32(leaseTime/time.Second)
			if m.client.CompareAndSwap(item) == nil {
				return held()
			}
			continue
		case isEnded:
			// Of one who came after ours had died.
			return cache.NewLease(cache.LeaseEnded, true, nil), nil
		}
		holder = value[:min(len(value), len(token))]
	}
}

// hold renews a lease until it is released.
func (m *Store) hold(name, mine string) (release func(ended bool)) {
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(cache.LifeSign):
				m.try(context.Background(), func() error { return m.client.Touch(name, int32(leaseTime/time.Second)) })
			}
		}
	}()
	return func(ended bool) {
		close(stop)
		<-stopped
		ctx := context.Background()
		var item *memcache.Item
		err := m.try(ctx, func() (err error) {
			item, err = m.client.Get(name)
			return err
		})
		if err != nil || !strings.HasPrefix(string(item.Value), mine) {
			return // lost; it is another's now
		}
		if !ended {
			m.try(ctx, func() error { return m.client.Delete(name) })
			return
		}
		item.Value, item.Expiration = []byte(leaseEnded+mine), 2
		m.try(ctx, func() error { return m.client.CompareAndSwap(item) })
	}
}
