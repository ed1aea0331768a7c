package cache_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t *testing.T) cache.Store {
		notice := func(text string) { t.Error(text) }
		return cache.NewOverlay(bolt.NewSession(dir, time.Minute, notice), bolt.New(filepath.Join(dir, "base"), time.Minute, notice))
	})
}

// TestOverlaySave: a session begins with what is there, goes on from it, saves
// what is new once, and obeys the clears of the base.
func TestOverlaySave(t *testing.T) {
	ctx := context.Background()
	base := bolt.New(filepath.Join(t.TempDir(), "base"), time.Second, nil)
	o := cache.NewOverlay(bolt.NewSession(t.TempDir(), time.Second, nil), base)
	add := func(s cache.Store, id cache.ID, samples ...uint64) {
		t.Helper()
		_, gen, err := s.Get(ctx, id)
		for _, n := range samples {
			if err == nil {
				err = s.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
					if e == nil {
						e = &cache.Entry{}
					}
					l := e.FindOrAdd("last")
					l.Repeated = l.Add(cache.Sample{ID: n, Value: float64(n)}, fmt.Sprint(n))
					return e
				})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	series := func(s cache.Store, id cache.ID) string {
		t.Helper()
		e, _, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return "-"
		}
		l := e.Find("last")
		return fmt.Sprintf("%d %.10g %s", l.Count, l.Mean, l.Text)
	}
	check := func(what string, s cache.Store, id cache.ID, want string) {
		t.Helper()
		if got := series(s, id); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	repeated, single, cleared, deleted, refreshed := cache.ID{"a", key.Key{1}}, cache.ID{"a", key.Key{2}}, cache.ID{"b", key.Key{3}}, cache.ID{"a", key.Key{4}}, cache.ID{"a", key.Key{5}}
	add(base, repeated, 1, 2, 3)
	check("read through", o, repeated, "3 2 ")
	add(o, repeated, 10, 14)
	check("goes on", o, repeated, "5 6 ")
	check("not saved yet", base, repeated, "3 2 ")
	add(base, repeated, 4) // another process meanwhile
	check("both go on", o, repeated, "6 5.666666667 ")
	add(o, single, 7)
	add(o, cleared, 8)
	add(o, deleted, 9)
	add(base, refreshed, 20)
	_, gen, _ := o.Get(ctx, refreshed)
	if err := o.Update(ctx, refreshed, gen, func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{Token: cache.NewToken()}
		e.FindOrAdd("last").Add(cache.Sample{ID: 21, Value: 21}, "21")
		return e
	}); err != nil {
		t.Fatal(err)
	}
	check("refreshed", o, refreshed, "1 21 21")
	// A number that isn't to be averaged, found on both sides: each keeps
	// its own, and the base's is the one that stays.
	plain := cache.ID{"a", key.Key{6}}
	storetest.Put(t, o, plain, 1.5)
	storetest.Put(t, base, plain, 2.5)
	check("the session's own", o, plain, "1 1.5 ")
	if _, err := base.Clear(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := base.Delete(ctx, deleted); err != nil {
		t.Fatal(err)
	}
	check("cleared in the base", o, cleared, "-")
	check("deleted in the base", o, deleted, "-")
	for range 2 {
		if _, err := o.Save(ctx); err != nil {
			t.Fatal(err)
		}
		check("saved", base, repeated, "6 5.666666667 ")
		check("saved", base, single, "1 7 7")
		check("saved", base, cleared, "-")
		check("saved", base, deleted, "-")
		check("saved", base, refreshed, "1 21 21")
		check("saved", base, plain, "1 2.5 ")
	}
}

// TestOverlayOfARefreshedEntry: it goes on as any other, and what others add to
// the base meanwhile stays.
func TestOverlayOfARefreshedEntry(t *testing.T) {
	ctx := context.Background()
	base := bolt.New(filepath.Join(t.TempDir(), "base"), time.Second, nil)
	o := cache.NewOverlay(bolt.NewSession(t.TempDir(), time.Second, nil), base)
	id := cache.ID{"a", key.Key{1}}
	add := func(s cache.Store, token cache.Token, sample uint64) {
		t.Helper()
		_, gen, err := s.Get(ctx, id)
		if err == nil {
			err = s.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
				if e == nil || token != (cache.Token{}) {
					e = &cache.Entry{Token: token}
				}
				l := e.FindOrAdd("last")
				l.Repeated = l.Add(cache.Sample{ID: sample, Value: float64(sample)}, "")
				return e
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add(base, cache.Token{}, 1)
	add(base, cache.NewToken(), 2)
	add(o, cache.Token{}, 3)
	add(base, cache.Token{}, 4)
	add(o, cache.Token{}, 5)
	if saved, err := o.Save(ctx); err != nil || saved.Refused > 0 {
		t.Fatal(saved, err)
	}
	e, _, err := base.Get(ctx, id)
	if err != nil || e.Find("last").Count != 4 || e.Find("last").Mean != 3.5 {
		t.Errorf("%+v, %v", e.Find("last"), err)
	}
}

func TestMemory(t *testing.T) {
	m := cache.NewMemory()
	storetest.Run(t, func(*testing.T) cache.Store { return m })
}

// TestUsage: what a deletion leaves behind is no entry.
func TestUsage(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]interface {
		cache.Store
		cache.Clearer
		cache.Measurer
	}{"bolt": bolt.New(t.TempDir(), time.Minute, nil), "memory": cache.NewMemory()} {
		defer s.Close()
		for i, namespace := range []string{"a", "a", "b"} {
			storetest.Put(t, s, cache.ID{namespace, key.Key{byte(i)}}, 1)
		}
		if _, err := s.Delete(ctx, cache.ID{"a", key.Key{0}}); err != nil {
			t.Fatal(err)
		}
		a := "a"
		all, err := s.Usage(ctx, nil)
		one, oneErr := s.Usage(ctx, &a)
		if err != nil || oneErr != nil || all.Entries != 2 || one.Entries != 1 || all.Bytes == 0 || one.Bytes != all.Bytes {
			t.Errorf("%s holds %+v, of which a %+v: %v, %v", name, all, one, err, oneErr)
		}
		if n, err := s.Clear(ctx, a); err != nil || n != 1 {
			t.Errorf("%s: %d cleared, %v", name, n, err)
		}
	}
}

// TestOverlayOfVariants: what a session evaluates under other inputs stands beside
// what the base has, before and after it is saved; lists of inputs are saved, too.
func TestOverlayOfVariants(t *testing.T) {
	ctx := context.Background()
	base := bolt.New(filepath.Join(t.TempDir(), "base"), time.Second, nil)
	o := cache.NewOverlay(bolt.NewSession(t.TempDir(), time.Second, nil), base)
	id, list := cache.ID{Namespace: "a", Key: key.Key{1}}, cache.ID{Namespace: "a", Key: key.Key{2}}
	put := func(s cache.Store, own string, sample uint64) {
		t.Helper()
		_, gen, err := s.Get(ctx, id)
		if err == nil {
			err = s.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
				if e == nil {
					e = &cache.Entry{}
				}
				e.Begin(cache.Inputs{Own: []byte(own)})
				l := e.FindOrAdd("last")
				l.Repeated = l.Add(cache.Sample{ID: sample, Value: float64(sample)}, "")
				return e
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, s cache.Store, want string) {
		t.Helper()
		e, _, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, v := range e.Variants() {
			got += fmt.Sprintf("%s:%d/%v ", v.Inputs.Own, v.Find("last").Count, v.Find("last").Mean)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	put(base, "x", 1)
	put(o, "y", 2)
	check("beside the base's", o, "y:1/2 x:1/1 ")
	put(o, "x", 3)
	check("added to the base's", o, "x:2/2 y:1/2 ")
	put(base, "z", 4)
	_, gen, err := o.Get(ctx, list)
	if err == nil {
		err = o.Update(ctx, list, gen, func(*cache.Entry) *cache.Entry { return &cache.Entry{List: []byte("names")} })
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if saved, err := o.Save(ctx); err != nil || saved.Refused > 0 {
			t.Fatal(saved, err)
		}
		check("saved", base, "z:1/4 y:1/2 x:2/2 ")
		if e, _, err := base.Get(ctx, list); err != nil || e == nil || string(e.List) != "names" {
			t.Errorf("the list is %+v, %v", e, err)
		}
	}
	// A list is no entry of a call.
	for name, s := range map[string]cache.Lister{"base": base, "overlay": o} {
		n, lists := 0, 0
		err := s.Each(ctx, cache.Range{}, func(cache.ID, *cache.Entry, *cache.RecordError) error { n++; return nil })
		if err == nil {
			err = s.Each(ctx, cache.Range{Lists: true}, func(cache.ID, *cache.Entry, *cache.RecordError) error { lists++; return nil })
		}
		if n != 1 || lists != 2 || err != nil {
			t.Errorf("%s lists %d, and %d with lists: %v", name, n, lists, err)
		}
	}
	if u, err := base.Usage(ctx, nil); err != nil || u.Entries != 1 {
		t.Errorf("%+v, %v", u, err)
	}
}

// alone is a store that is never asked for one entry by itself.
type alone struct {
	*cache.Memory
	groups *int
}

func (a alone) Get(context.Context, cache.ID) (*cache.Entry, cache.Generation, error) {
	return nil, cache.Generation{}, errors.New("an entry is asked for by itself")
}

func (a alone) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	*a.groups++
	return cache.GetAll(ctx, a.Memory, ids)
}

func (a alone) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	return cache.UpdateAll(ctx, a.Memory, changes)
}

// TestOverlayGroups: what is looked up and stored together is asked of both stores
// together.
func TestOverlayGroups(t *testing.T) {
	ctx := context.Background()
	groups := 0
	o := cache.NewOverlay(bolt.NewSession(t.TempDir(), time.Second, nil), alone{cache.NewMemory(), &groups})
	ids := make([]cache.ID, 1000)
	for i := range ids {
		ids[i] = cache.ID{Namespace: "n", Key: storetest.Numbered(i)}
	}
	var changes []cache.Change
	for i, got := range o.GetAll(ctx, ids) {
		changes = append(changes, cache.Change{ID: ids[i], Gen: got.Gen, Change: func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{}
			e.FindOrAdd("last").Add(cache.Sample{ID: uint64(i + 1), Value: float64(i)}, "")
			return e
		}})
	}
	if errs := o.UpdateAll(ctx, changes); errs != nil {
		t.Fatal(errs[0])
	}
	for i, got := range o.GetAll(ctx, ids) {
		if got.Err != nil || got.Entry.Find("last").Mean != float64(i) {
			t.Fatalf("%d: %+v", i, got)
		}
	}
	if groups != 3 {
		t.Errorf("%d groups", groups)
	}
}
