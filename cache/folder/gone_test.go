package folder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

// TestFoldersGone: where somebody removes empty folders, one of a period, or the store's,
// or puts another in its place, a store that is open goes on, and so does the next.
func TestFoldersGone(t *testing.T) {
	for _, c := range []struct {
		name  string
		keeps bool // what was stored before
		do    func(t *testing.T, dir, period string)
	}{
		{"empty folders", true, func(t *testing.T, dir, period string) {
			for _, at := range []string{"obj/*", "obj", "pack", "lease"} {
				names, _ := filepath.Glob(filepath.Join(period, at))
				for _, name := range names {
					os.Remove(name) // if it is empty
				}
			}
		}},
		{"the period", false, func(t *testing.T, dir, period string) { remove(t, period) }},
		{"the namespace", false, func(t *testing.T, dir, period string) { remove(t, filepath.Dir(period)) }},
		{"the store", false, func(t *testing.T, dir, period string) { remove(t, dir) }},
		{"renamed", false, func(t *testing.T, dir, period string) { move(t, dir) }},
		{"replaced", false, func(t *testing.T, dir, period string) {
			move(t, dir)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			s := New(dir)
			defer s.Close()
			before := cache.ID{Namespace: "default", Key: key.Key{0x10}}
			put(t, s, before, 1)
			p := mustCurrent(t, s, "default")
			c.do(t, dir, filepath.Join(dir, filepath.FromSlash(p.at(""))))
			// The first to come may find out only then.
			first := cache.ID{Namespace: "default", Key: key.Key{0x40}}
			s.Update(context.Background(), first, cache.Generation{Namespace: p.token}, func(*cache.Entry) *cache.Entry { return &cache.Entry{} })
			ids := []cache.ID{{Namespace: "default", Key: key.Key{0x20}}, {Namespace: "default", Key: key.Key{0x30}}}
			for i, id := range ids {
				put(t, s, id, float64(i+2))
			}
			if err := storetest.PutNumbered(s, "default", 0, 10); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, cache.ID{Namespace: "default", Key: storetest.Numbered(5)})
			next := New(dir)
			defer next.Close()
			if _, ok := number(t, next, before); ok != c.keeps {
				t.Errorf("what was there before is found: %v", ok)
			}
			for i, id := range ids {
				if v, ok := number(t, next, id); !ok || v != []float64{2, 3, 5}[i] {
					t.Errorf("%v is %v, %v", id, v, ok)
				}
			}
			if lease, err := next.Lease(context.Background(), ids[0], 0); err != nil || lease.State != cache.LeaseHeld {
				t.Errorf("a lease: %v, %v", lease, err)
			} else {
				lease.Release()
			}
		})
	}
}

func remove(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
}

// TestClearedStaysGone: who had begun to store when a namespace was cleared makes nothing of
// it again.
func TestClearedStaysGone(t *testing.T) {
	dir := t.TempDir()
	s, other := New(dir), New(dir)
	defer s.Close()
	defer other.Close()
	ctx, id := context.Background(), cache.ID{Namespace: "default"}
	if _, _, err := s.Get(ctx, id); err != nil { // begins it
		t.Fatal(err)
	}
	p := mustCurrent(t, s, "default")
	if _, err := other.Clear(ctx, "default"); err != nil {
		t.Fatal(err)
	}
	s.lookAnew() // as who had looked at nothing in it yet
	if err := s.add(p, p.packDir(), packName(s.newRecordID()), func(disk.File) error { return nil }); err == nil {
		t.Error("something was added to a period that is over")
	}
	if names, err := s.list(p.at("")); len(names) > 0 || err != nil {
		t.Errorf("there is %q again, %v", names, err)
	}
}

// TestBeginTogether: many that begin namespaces at once don't hinder each other.
func TestBeginTogether(t *testing.T) {
	s := newQuick(t.TempDir())
	defer s.Close()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 8 {
				id := cache.ID{Namespace: fmt.Sprint(i%4, j), Key: key.Key{byte(i)}}
				_, gen, err := s.Get(context.Background(), id)
				if err == nil {
					err = s.Update(context.Background(), id, gen, func(*cache.Entry) *cache.Entry {
						e := &cache.Entry{}
						e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 1}, "")
						return e
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// listing is a disk on which something happens before a folder is listed.
type listing struct {
	quick
	dir    string
	before func()
}

func (l *listing) List(dir string) ([]string, error) {
	if dir == l.dir && l.before != nil {
		l.before()
	}
	return l.quick.List(dir)
}

// TestClearSparesWhatBegins: where a clear found no CURRENT, and another machine has begun the
// namespace since and stored a number, that stays.
func TestClearSparesWhatBegins(t *testing.T) {
	dir, id := t.TempDir(), cache.ID{Namespace: "default"}
	other := newQuick(dir)
	defer other.Close()
	for name, clear := range map[string]func(*Store) error{
		"one": func(s *Store) error { _, err := s.Clear(context.Background(), "default"); return err },
		"all": func(s *Store) error { _, err := s.ClearAll(context.Background()); return err },
	} {
		slow := &listing{quick: quick{disk.New(dir)}, dir: folderOf("default")}
		s := newStore(dir, slow)
		defer s.Close()
		put(t, other, id, 1)
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(folderOf("default")), currentName)); err != nil {
			t.Fatal(err)
		}
		listed := 0
		slow.before = func() {
			if listed++; listed == 1 {
				put(t, other, id, 2)
			}
		}
		if err := clear(s); err != nil {
			t.Fatal(err)
		}
		if v, ok := number(t, other, id); !ok || v != 2 || listed == 0 {
			t.Errorf("%s: %v, %v is left of what was stored meanwhile", name, v, ok)
		}
	}
}
