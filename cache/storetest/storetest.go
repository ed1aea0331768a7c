// Package storetest is what each backend has to pass, and what tests of backends
// share.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/key"
)

// Run is what every Store has to do. open opens the same storage each
// time, as another process would.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	ctx := context.Background()
	get := func(t *testing.T, s cache.Store, id cache.ID) (*cache.Entry, cache.Generation) {
		t.Helper()
		e, gen, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return e, gen
	}
	// put adds one sample to the series "last", of which there is a mean.
	put := func(s cache.Store, id cache.ID, gen cache.Generation, sample cache.Sample) error {
		return s.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
			if e == nil {
				e = &cache.Entry{}
			}
			series := e.FindOrAdd("last")
			series.Repeated = true
			series.Add(sample, fmt.Sprint(sample.Value))
			return e
		})
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := func(t *testing.T) cache.ID { return cache.ID{Namespace: t.Name(), Key: key.Key{1}} }

	t.Run("miss, hit, reopen", func(t *testing.T) {
		s := open(t)
		e, gen := get(t, s, id(t))
		if e != nil || gen.Namespace == (cache.Token{}) {
			t.Fatalf("a miss: %+v, %+v", e, gen)
		}
		must(t, put(s, id(t), gen, cache.Sample{ID: 1, Value: 0.5}))
		must(t, s.Close())
		s = open(t)
		defer s.Close()
		e, again := get(t, s, id(t))
		if e.Find("last") == nil || e.Find("last").Mean != 0.5 || again != gen {
			t.Fatalf("a hit: %+v, %+v", e, again)
		}
		if e, _ := get(t, s, cache.ID{Namespace: id(t).Namespace, Key: key.Key{2}}); e != nil {
			t.Errorf("another key: %+v", e)
		}
		if e, _ := get(t, s, cache.ID{Namespace: id(t).Namespace + "x", Key: key.Key{1}}); e != nil {
			t.Errorf("another namespace: %+v", e)
		}
	})

	t.Run("overwrite", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		must(t, put(s, id(t), gen, cache.Sample{ID: 1, Value: 0.5}))
		fresh := cache.NewToken()
		must(t, s.Update(ctx, id(t), gen, func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{Token: fresh}
			e.FindOrAdd("last").Add(cache.Sample{ID: 2, Value: 0.7}, "0.7")
			return e
		}))
		e, now := get(t, s, id(t))
		if e.Find("last").Text != "0.7" || now.Entry != fresh {
			t.Errorf("%+v", e)
		}
		// What was begun before the refresh comes too late.
		if err := put(s, id(t), gen, cache.Sample{ID: 3, Value: 0.5}); !errors.Is(err, cache.ErrSuperseded) {
			t.Errorf("a result from before the refresh: %v", err)
		}
		must(t, put(s, id(t), now, cache.Sample{ID: 4, Value: 0.7}))
	})

	t.Run("nothing to change", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		must(t, s.Update(ctx, id(t), gen, func(*cache.Entry) *cache.Entry { return nil }))
		if e, _ := get(t, s, id(t)); e != nil {
			t.Errorf("%+v", e)
		}
	})

	t.Run("16 writers", func(t *testing.T) {
		const writers, each = 16, 10
		_, gen := get(t, open(t), id(t))
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				s := open(t)
				defer s.Close()
				for i := range each {
					if err := put(s, id(t), gen, cache.Sample{ID: uint64(1 + w*each + i), Value: float64(w)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		e, _ := get(t, open(t), id(t))
		if n := e.Find("last").Count; n != writers*each {
			t.Errorf("%d samples of %d", n, writers*each)
		}
	})

	t.Run("tried again after a lost answer", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		for range 3 {
			must(t, put(s, id(t), gen, cache.Sample{ID: 9, Value: 1}))
		}
		if e, _ := get(t, s, id(t)); e.Find("last").Count != 1 {
			t.Errorf("it counts %d times", e.Find("last").Count)
		}
	})

	t.Run("in groups", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		const n = 50
		ids := make([]cache.ID, n)
		for i := range ids {
			ids[i] = cache.ID{Namespace: id(t).Namespace, Key: Numbered(i)}
		}
		var changes []cache.Change
		for i, got := range cache.GetAll(ctx, s, ids) {
			if got.Err != nil || got.Entry != nil {
				t.Fatalf("%d: %+v", i, got)
			}
			changes = append(changes, cache.Change{ID: ids[i], Gen: got.Gen, Change: func(*cache.Entry) *cache.Entry {
				e := &cache.Entry{}
				e.FindOrAdd("last").Add(cache.Sample{ID: uint64(i) + 1, Value: float64(i)}, "")
				return e
			}})
		}
		changes[7].Gen.Namespace = cache.NewToken()
		for i, err := range cache.UpdateAll(ctx, s, changes) {
			if i != 7 && err != nil || i == 7 && !errors.Is(err, cache.ErrSuperseded) {
				t.Fatalf("%d: %v", i, err)
			}
		}
		for i, got := range cache.GetAll(ctx, s, ids) {
			if got.Err != nil || (got.Entry == nil) != (i == 7) || i != 7 && got.Entry.Find("last").Mean != float64(i) {
				t.Fatalf("%d: %+v", i, got)
			}
		}
	})

	t.Run("read without a trace", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		r, ok := s.(cache.Reader)
		if !ok {
			return
		}
		e, gen, err := r.Peek(ctx, id(t))
		if e != nil || err != nil {
			t.Fatalf("%+v, %v", e, err)
		}
		if again, gen2, err := r.Peek(ctx, id(t)); again != nil || gen2 != gen || err != nil {
			t.Fatalf("a second look: %+v, %+v, %v", again, gen2, err)
		}
		_, gen = get(t, s, id(t))
		must(t, put(s, id(t), gen, cache.Sample{ID: 1, Value: 0.5}))
		if e, now, err := r.Peek(ctx, id(t)); err != nil || e.Find("last").Mean != 0.5 || now != gen {
			t.Fatalf("%+v, %+v, %v", e, now, err)
		}
	})

	t.Run("list and drop", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		l, ok := s.(cache.Lister)
		if !ok {
			return
		}
		a, b := id(t).Namespace+"a", id(t).Namespace+"b"
		_, gen := get(t, s, cache.ID{Namespace: a, Key: key.Key{}})
		_, genB := get(t, s, cache.ID{Namespace: b, Key: key.Key{}})
		for i := range 30 {
			must(t, put(s, cache.ID{Namespace: a, Key: key.Key{byte(29 - i), 0x5f}}, gen, cache.Sample{ID: uint64(i + 1), Value: float64(29 - i)}))
		}
		must(t, put(s, cache.ID{Namespace: b, Key: key.Key{3}}, genB, cache.Sample{ID: 99, Value: 3}))
		if _, err := s.Delete(ctx, cache.ID{Namespace: a, Key: key.Key{4, 0x5f}}); err != nil {
			t.Fatal(err)
		}
		list := func(r cache.Range) (text string) {
			must(t, l.Each(ctx, r, func(id cache.ID, e *cache.Entry, bad *cache.RecordError) error {
				if bad != nil {
					return bad
				}
				if strings.HasPrefix(id.Namespace, t.Name()) {
					text += fmt.Sprintf("%s%v ", strings.TrimPrefix(id.Namespace, t.Name()), e.Find("last").Mean)
				}
				return nil
			}))
			return text
		}
		if got := list(cache.Range{Namespace: &a}); got != "a0 a1 a2 a3 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29 " {
			t.Errorf("a: %s", got)
		}
		if got := list(cache.Range{Prefix: "03"}); got != "a3 b3 " {
			t.Errorf("keys from 03: %s", got)
		}
		if got := list(cache.Range{Prefix: "035", Namespace: &b}); got != "" {
			t.Errorf("keys from 035 in b: %s", got)
		}
		if n, ok := s.(cache.NamespaceLister); ok {
			names, err := n.Namespaces(ctx)
			if err != nil || !slices.Contains(names, a) || !slices.Contains(names, b) || slices.Contains(names, a+"c") || !slices.IsSorted(names) {
				t.Errorf("namespaces: %q, %v", names, err)
			}
		}
		enough := errors.New("enough")
		if err := l.Each(ctx, cache.Range{}, func(cache.ID, *cache.Entry, *cache.RecordError) error { return enough }); err != enough {
			t.Errorf("%v", err)
		}
		p, ok := s.(cache.Pruner)
		if !ok {
			return
		}
		ids := []cache.ID{{Namespace: a, Key: key.Key{3, 0x5f}}, {Namespace: a, Key: key.Key{4, 0x5f}}, {Namespace: a, Key: key.Key{5, 0x5f}}, {Namespace: b, Key: key.Key{3}}, {Namespace: b, Key: key.Key{9}}}
		n, err := p.Drop(ctx, ids, func(id cache.ID, _ *cache.Entry) bool { return id.Namespace == a })
		if err != nil || n != 2 {
			t.Errorf("%d dropped, %v", n, err)
		}
		if got := list(cache.Range{Prefix: "03"}); got != "b3 " {
			t.Errorf("after a drop: %s", got)
		}
		// What is under way is stored again, unless the entry was deleted.
		must(t, put(s, cache.ID{Namespace: a, Key: key.Key{3, 0x5f}}, gen, cache.Sample{ID: 100, Value: 3}))
		if err := put(s, cache.ID{Namespace: a, Key: key.Key{4, 0x5f}}, gen, cache.Sample{ID: 101, Value: 4}); !errors.Is(err, cache.ErrSuperseded) {
			t.Errorf("after a deletion: %v", err)
		}
	})

	t.Run("delete", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		if had, err := s.Delete(ctx, id(t)); err != nil || had {
			t.Fatalf("nothing to delete: %v, %v", had, err)
		}
		if err := put(s, id(t), gen, cache.Sample{ID: 1, Value: 1}); !errors.Is(err, cache.ErrSuperseded) {
			t.Errorf("a result from before the deletion: %v", err)
		}
		_, gen = get(t, s, id(t))
		must(t, put(s, id(t), gen, cache.Sample{ID: 1, Value: 1}))
		if had, err := s.Delete(ctx, id(t)); err != nil || !had {
			t.Fatalf("deleted: %v, %v", had, err)
		}
		if e, _ := get(t, s, id(t)); e != nil {
			t.Errorf("after the deletion: %+v", e)
		}
	})

	t.Run("large values", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		text := bytes.Repeat([]byte("x"), 700<<10)
		must(t, s.Update(ctx, id(t), gen, func(*cache.Entry) *cache.Entry {
			return &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: text}}}
		}))
		if e, _ := get(t, s, id(t)); !bytes.Equal(e.Output.Text, text) {
			t.Error("it comes back otherwise")
		}
	})

	t.Run("long commands", func(t *testing.T) { longCommands(t, open(t)) })

	t.Run("odd namespaces", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		names := []string{"", " ", "ünï ☃", strings.Repeat("x", 300), "a/b", "a", "../..", "n", "\x00", "\n", "generation"}
		for i, name := range names {
			_, gen := get(t, s, cache.ID{Namespace: name, Key: key.Key{1}})
			must(t, put(s, cache.ID{Namespace: name, Key: key.Key{1}}, gen, cache.Sample{ID: 1, Value: float64(i)}))
		}
		for i, name := range names {
			if e, _ := get(t, s, cache.ID{Namespace: name, Key: key.Key{1}}); e.Find("last").Mean != float64(i) {
				t.Errorf("%q holds %v", name, e.Find("last").Mean)
			}
		}
	})

	t.Run("context cancelled", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		gone, cancel := context.WithCancel(ctx)
		cancel()
		// Whether it is still carried out is the store's choice; that it
		// says so is not.
		err := s.Update(gone, id(t), gen, func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{}
			e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 1}, "1")
			return e
		})
		if e, _ := get(t, s, id(t)); (e != nil) != (err == nil) {
			t.Errorf("there is %+v, and the error is %v", e, err)
		}
	})

	t.Run("clear against a run in flight", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		clearer, ok := s.(cache.Clearer)
		if !ok {
			t.Fatal("no Clearer")
		}
		a, b := cache.ID{Namespace: t.Name() + "a", Key: key.Key{1}}, cache.ID{Namespace: t.Name() + "b", Key: key.Key{1}}
		for _, clear := range []func() error{
			func() error { _, err := clearer.Clear(ctx, a.Namespace); return err },
			func() error { _, err := clearer.ClearAll(ctx); return err },
		} {
			_, genA := get(t, s, a)
			_, genB := get(t, s, b)
			must(t, put(s, b, genB, cache.Sample{ID: 1, Value: 1}))
			must(t, clear())
			if err := put(s, a, genA, cache.Sample{ID: 1, Value: 1}); !errors.Is(err, cache.ErrSuperseded) {
				t.Errorf("a result from before the clear: %v", err)
			}
			if e, _ := get(t, s, a); e != nil {
				t.Errorf("cleared: %+v", e)
			}
		}
		_, gen := get(t, s, a)
		must(t, put(s, a, gen, cache.Sample{ID: 1, Value: 1}))
		// A store that can't count says -1.
		if n, err := clearer.Clear(ctx, b.Namespace); err != nil || n > 0 {
			t.Errorf("clearing another namespace: %d, %v", n, err)
		}
		if e, _ := get(t, s, a); e == nil {
			t.Error("another namespace was cleared as well")
		}
		if n, err := clearer.Clear(ctx, a.Namespace); err != nil || n != 1 && n != -1 {
			t.Errorf("cleared %d entries, %v", n, err)
		}
	})

	t.Run("leases", func(t *testing.T) { leases(t, open(t)) })
	t.Run("a lease whose holder lives", func(t *testing.T) { livingHolder(t, open(t)) })
}
