package storetest

import (
	"context"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
)

// leases: of those who want one, one gets it, and the others are told of its end.
func leases(t *testing.T, s cache.Store) {
	ctx := context.Background()
	id := cache.ID{Namespace: t.Name(), Key: key.Key{1}}
	leaser, ok := s.(cache.Leaser)
	if !ok {
		t.Skip("no Leaser")
	}
	first, err := leaser.Lease(ctx, id, 0)
	if err != nil || first.State != cache.LeaseHeld || first.Waited {
		t.Fatalf("%+v, %v", first, err)
	}
	if l, err := leaser.Lease(ctx, id, 20*time.Millisecond); err != nil || l.State != cache.LeaseTimeout {
		t.Fatalf("%+v, %v", l, err)
	}
	if l, err := leaser.Lease(ctx, cache.ID{Namespace: t.Name(), Key: key.Key{2}}, 0); err != nil || l.State != cache.LeaseHeld {
		t.Fatalf("another key: %+v, %v", l, err)
	} else {
		l.Release()
	}
	// Those that come late may find it free: on a busy machine all of
	// them, unless they get more time.
	for pause := 50 * time.Millisecond; ; pause *= 4 {
		ended := make(chan cache.LeaseState, 8)
		for range 8 {
			go func() {
				l, err := leaser.Lease(ctx, id, 0)
				if err != nil {
					t.Error(err)
					l = &cache.Lease{State: cache.LeaseHeld}
				}
				ended <- l.State
				l.Release()
			}()
		}
		time.Sleep(pause)
		first.Release()
		first.Release()
		held := 0
		for range 8 {
			if <-ended == cache.LeaseHeld {
				held++
			}
		}
		if held < 8 {
			return
		}
		if pause > 10*time.Second {
			t.Fatal("nobody was told that the holder ended")
		}
		if first, err = leaser.Lease(ctx, id, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// livingHolder: who waits for a holder that shows life waits as long as it takes.
func livingHolder(t *testing.T, s cache.Store) {
	ctx := context.Background()
	id := cache.ID{Namespace: t.Name(), Key: key.Key{1}}
	leaser, ok := s.(cache.Leaser)
	if !ok {
		t.Skip("no Leaser")
	}
	holder, err := leaser.Lease(ctx, id, 0)
	if err != nil || holder.State != cache.LeaseHeld {
		t.Fatalf("%+v, %v", holder, err)
	}
	time.AfterFunc(2*cache.LifeSign+cache.LifeSign/2, holder.Release)
	if l, err := leaser.Lease(ctx, id, cache.LifeSign+cache.LifeSign/4); err != nil || l.State != cache.LeaseEnded {
		t.Errorf("%+v, %v", l, err)
	}
}
