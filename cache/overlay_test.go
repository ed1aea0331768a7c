package cache

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	testStore(t, func(t *testing.T) Store {
		notice := func(text string) { t.Error(text) }
		return NewOverlay(NewSession(dir, time.Minute, notice), NewBolt(filepath.Join(dir, "base"), time.Minute, notice))
	})
}

// TestOverlaySave: a session begins with what is there, goes on from it, saves
// what is new once, and obeys the clears of the base.
func TestOverlaySave(t *testing.T) {
	ctx := context.Background()
	base := NewBolt(filepath.Join(t.TempDir(), "base"), time.Second, nil)
	o := NewOverlay(NewSession(t.TempDir(), time.Second, nil), base)
	add := func(s Store, id ID, samples ...uint64) {
		t.Helper()
		_, gen, err := s.Get(ctx, id)
		for _, n := range samples {
			if err == nil {
				err = s.Update(ctx, id, gen, func(e *Entry) *Entry {
					if e == nil {
						e = &Entry{}
					}
					l := e.FindOrAdd("last")
					l.Repeated = l.Add(Sample{ID: n, Value: float64(n)}, fmt.Sprint(n))
					return e
				})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	series := func(s Store, id ID) string {
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
	check := func(what string, s Store, id ID, want string) {
		t.Helper()
		if got := series(s, id); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	repeated, single, cleared, deleted, refreshed := ID{"a", Key{1}}, ID{"a", Key{2}}, ID{"b", Key{3}}, ID{"a", Key{4}}, ID{"a", Key{5}}
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
	if err := o.Update(ctx, refreshed, gen, func(*Entry) *Entry {
		e := &Entry{Token: NewToken()}
		e.FindOrAdd("last").Add(Sample{ID: 21, Value: 21}, "21")
		return e
	}); err != nil {
		t.Fatal(err)
	}
	check("refreshed", o, refreshed, "1 21 21")
	// A number that isn't to be averaged, found on both sides: each keeps
	// its own, and the base's is the one that stays.
	plain := ID{"a", Key{6}}
	testEntry(t, o, plain, 1.5)
	testEntry(t, base, plain, 2.5)
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
		if _, _, err := o.Save(ctx); err != nil {
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
	base := NewBolt(filepath.Join(t.TempDir(), "base"), time.Second, nil)
	o := NewOverlay(NewSession(t.TempDir(), time.Second, nil), base)
	id := ID{"a", Key{1}}
	add := func(s Store, token Token, sample uint64) {
		t.Helper()
		_, gen, err := s.Get(ctx, id)
		if err == nil {
			err = s.Update(ctx, id, gen, func(e *Entry) *Entry {
				if e == nil || token != (Token{}) {
					e = &Entry{Token: token}
				}
				l := e.FindOrAdd("last")
				l.Repeated = l.Add(Sample{ID: sample, Value: float64(sample)}, "")
				return e
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add(base, Token{}, 1)
	add(base, NewToken(), 2)
	add(o, Token{}, 3)
	add(base, Token{}, 4)
	add(o, Token{}, 5)
	if _, refused, err := o.Save(ctx); err != nil || refused > 0 {
		t.Fatal(refused, err)
	}
	e, _, err := base.Get(ctx, id)
	if err != nil || e.Find("last").Count != 4 || e.Find("last").Mean != 3.5 {
		t.Errorf("%+v, %v", e.Find("last"), err)
	}
}

func TestMemory(t *testing.T) {
	m := NewMemory()
	testStore(t, func(*testing.T) Store { return m })
}

// TestUsage: what a deletion leaves behind is no entry.
func TestUsage(t *testing.T) {
	ctx := context.Background()
	for name, s := range map[string]interface {
		Store
		Clearer
		Measurer
	}{"bolt": NewBolt(t.TempDir(), time.Minute, nil), "memory": NewMemory()} {
		defer s.Close()
		for i, namespace := range []string{"a", "a", "b"} {
			testEntry(t, s, ID{namespace, Key{byte(i)}}, 1)
		}
		if _, err := s.Delete(ctx, ID{"a", Key{0}}); err != nil {
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
