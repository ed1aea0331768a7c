package folder

import (
	"context"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
)

// TestSeize: a lease that was given up goes to one of two who want it, whenever the second
// comes upon it, and is not absent for a moment, which tells who waits that its holder ended.
func TestSeize(t *testing.T) {
	for _, noLinks := range []bool{false, true} {
		for step, more := 0, true; more; step++ {
			more = seizeAt(t, step, noLinks)
		}
	}
}

// seizeAt has a second store ask for the lease before an operation of the first, and reports
// whether that came to so many.
func seizeAt(t *testing.T, step int, noLinks bool) (more bool) {
	ctx := context.Background()
	l := newLiar(1)
	l.honest, l.noLinks = true, noLinks
	holder, one, two := newStore("", l.client()), newStore("", l.client()), newStore("", l.client())
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	first, err := holder.Lease(ctx, id, 0)
	if err != nil || first.State != cache.LeaseHeld {
		t.Fatalf("%+v, %v", first, err)
	}
	p, err := holder.current(ctx, id.Namespace, false)
	if err != nil {
		t.Fatal(err)
	}
	name := p.at("/lease/" + id.Key.String())
	first.Abandon()
	var second *cache.Lease
	n, inside := 0, false
	l.before = func(*client) {
		if l.find(name) == nil {
			t.Errorf("before operation %d the lease is absent, the second at %d", n, step)
		}
		if !inside && n == step {
			inside = true
			if second, err = two.Lease(ctx, id, 5*time.Millisecond); err != nil {
				t.Error(err)
			}
			inside = false
		}
		if !inside {
			n++
		}
	}
	third, err := one.Lease(ctx, id, 20*time.Millisecond)
	l.before = nil
	if err != nil {
		t.Fatal(err)
	}
	if second == nil {
		return false
	}
	if (second.State == cache.LeaseHeld) == (third.State == cache.LeaseHeld) {
		t.Errorf("the second at operation %d: they are told %v and %v", step, second.State, third.State)
	}
	for _, l := range []*cache.Lease{second, third} {
		l.Release()
	}
	return true
}
