package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/storetest"
)

// headsAt returns where the newer and the older head of a file begin.
func headsAt(file []byte) (newer, older int) {
	size := os.Getpagesize()
	if words.Uint64(file[size+16+48:]) > words.Uint64(file[16+48:]) {
		return size, 0
	}
	return 0, size
}

// refreshed is a file of 50 entries, of which number 1 was refreshed to 7 in the last
// change, and the generation under which that was done before.
func refreshed(t *testing.T) (file []byte, before cache.Generation) {
	t.Helper()
	s := NewSession(t.TempDir(), time.Minute, nil)
	if err := storetest.PutNumbered(s, "n", 0, 50); err != nil {
		t.Fatal(err)
	}
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	_, before, err := s.Get(ctx, id)
	if err == nil {
		err = s.Update(ctx, id, before, func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{Token: cache.NewToken()}
			e.FindOrAdd("last").Add(cache.Sample{ID: 7, Value: 7}, "7")
			return e
		})
	}
	if err == nil {
		file, err = os.ReadFile(s.Path())
	}
	if err != nil {
		t.Fatal(err)
	}
	return file, before
}

// TestSalvageOfHeads: one wrong byte in either head, wherever it is, or one in each,
// costs nothing and brings nothing back. A head that is worse costs the last change
// at most, which is said, and nothing that was begun before is merged then.
func TestSalvageOfHeads(t *testing.T) {
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	sound, before := refreshed(t)
	newer, older := headsAt(sound)
	type trial struct {
		name   string
		injure func(file []byte)
		exact  bool // nothing is lost
		back   bool // the last change may be undone
	}
	trials := []trial{
		{"the newer one is zero", func(file []byte) { clear(file[newer:][:os.Getpagesize()]) }, false, true},
		{"the older one is zero", func(file []byte) { clear(file[older:][:os.Getpagesize()]) }, false, false},
		{"two bytes of the newer one", func(file []byte) { file[newer+16+17] ^= 5; file[newer+16+50] ^= 7 }, false, true},
		{"two bytes of the older one", func(file []byte) { file[older+16+17] ^= 5; file[older+16+50] ^= 7 }, false, false},
		{"a byte of the older one, and the newer one", func(file []byte) { file[older+16+17] ^= 5; clear(file[newer:][:os.Getpagesize()]) }, false, true},
	}
	for at := 0; at < 64; at += 7 { // each of them: package pages
		flip := byte(at*37%255 + 1)
		trials = append(trials,
			trial{"a byte of the newer one", func(file []byte) { file[newer+16+at] ^= flip }, true, false},
			trial{"a byte of the older one", func(file []byte) { file[older+16+at] ^= flip }, true, false},
			trial{"a byte of each", func(file []byte) { file[newer+16+at] ^= flip; file[older+16+63-at] ^= flip }, true, false})
	}
	for i, tt := range trials {
		file := bytes.Clone(sound)
		tt.injure(file)
		for _, own := range []bool{true, false} { // the cache's file, or one that was set aside
			notices := 0
			s := NewSession(t.TempDir(), time.Minute, func(string) { notices++ })
			path := s.Path()
			if !own {
				path = filepath.Join(t.TempDir(), "aside")
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			salvage := func() (cache.Salvaged, error) {
				if own {
					return s.Salvage(ctx)
				}
				return s.SalvageFrom(ctx, path)
			}
			got, err := salvage()
			if err != nil || got.Entries != 50 || tt.exact != (len(got.Lost) == 0) {
				t.Errorf("trial %d, %s: %+v, %v", i, tt.name, got, err)
				continue
			}
			e, gen, err := s.Get(ctx, id)
			if err != nil || e == nil || e.Find("last").Text != "7" && !(tt.back && e.Find("last").Text == "1") {
				t.Errorf("trial %d, %s: %+v, %v", i, tt.name, e, err)
			}
			if !tt.exact && gen.Namespace == before.Namespace {
				t.Errorf("trial %d, %s: the generation is the old one", i, tt.name)
			}
			if err := s.Update(ctx, id, before, func(e *cache.Entry) *cache.Entry { return e }); !errors.Is(err, cache.ErrSuperseded) {
				t.Errorf("trial %d, %s: what was begun before the refresh is stored: %v", i, tt.name, err)
			}
			if notices != 0 {
				t.Errorf("trial %d, %s: a file was set aside", i, tt.name)
			}
			if r, err := s.Check(ctx); err != nil || !r.Sound() {
				t.Errorf("trial %d, %s: %+v, %v", i, tt.name, r, err)
			}
		}
	}
}

// TestNoSalvageByItself: no head is given up but by who asks for it; the file is set
// aside, and what is taken over of it later stands back behind what is there.
func TestNoSalvageByItself(t *testing.T) {
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	file, _ := refreshed(t)
	newer, _ := headsAt(file)
	clear(file[newer:][:os.Getpagesize()])
	s := NewSession(t.TempDir(), time.Minute, nil)
	if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, _, err := s.Get(ctx, id); e != nil || err != nil {
		t.Fatalf("%+v, %v", e, err)
	}
	aside := s.SetAside()
	if len(aside) != 1 {
		t.Fatalf("set aside: %q", aside)
	}
	storetest.Put(t, s, id, 9)
	if got, err := s.SalvageFrom(ctx, aside[0]); err != nil || got.Entries != 50 || len(got.Lost) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if e, _, err := s.Get(ctx, id); err != nil || e.Find("last").Mean != 9 {
		t.Errorf("what was there is not kept: %+v, %v", e, err)
	}
}

// TestEitherHeadAfterRewrite: a file that was just rewritten has lost nothing where
// one of its heads is beyond mending, and what was cleared is not in it.
func TestEitherHeadAfterRewrite(t *testing.T) {
	ctx := context.Background()
	for name, rewrite := range map[string]func(s *Store) error{
		"clear":   func(s *Store) error { _, err := s.Clear(ctx, "m"); return err },
		"compact": func(s *Store) error { return s.Compact(ctx) },
		"salvage": func(s *Store) error { _, err := s.Salvage(ctx); return err },
	} {
		for head := range 2 {
			s := NewSession(t.TempDir(), time.Minute, nil)
			if err := errors.Join(storetest.PutNumbered(s, "n", 0, 50), storetest.PutNumbered(s, "m", 0, 1), rewrite(s)); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(s.Path())
			if err != nil {
				t.Fatal(err)
			}
			clear(file[head*os.Getpagesize():][:os.Getpagesize()])
			if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
				t.Fatal(err)
			}
			want := 51
			if name == "clear" {
				want = 50
			}
			if got, err := s.Salvage(ctx); err != nil || got.Entries != want {
				t.Errorf("%s, head %d: %+v, %v", name, head, got, err)
			}
		}
	}
}

// TestSalvageWithoutList: where the list of free pages is damaged all can be
// salvaged if every page is sound, and nothing if one isn't.
func TestSalvageWithoutList(t *testing.T) {
	ctx := context.Background()
	for _, sound := range []bool{true, false} {
		s := NewSession(t.TempDir(), time.Minute, nil)
		if err := storetest.PutNumbered(s, "n", 0, 500); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		data := bytes.Clone(file)
		tree, err := pages.New(data)
		if err != nil {
			t.Fatal(err)
		}
		size, newer := os.Getpagesize(), 0
		if words.Uint64(file[size+16+48:]) > words.Uint64(file[16+48:]) {
			newer = size
		}
		freelist := int(words.Uint64(file[newer+16+32:]))
		file[freelist*size+8] ^= 1 // no list any more
		if !sound {
			bucket, err := tree.Bucket(bucketName("n"))
			if err != nil {
				t.Fatal(err)
			}
			key := storetest.Numbered(1)
			value, err := bucket.Get(key[:])
			if err != nil {
				t.Fatal(err)
			}
			at := cap(data) - cap(value) // where it lies in the file
			file[at/size*size] ^= 1      // another page
		}
		if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
			t.Fatal(err)
		}
		salvaged, err := s.Salvage(ctx)
		if sound && (err != nil || salvaged.Entries != 500 || salvaged.Lost != nil) || !sound && err == nil {
			t.Errorf("sound: %v; salvaged: %+v, %v", sound, salvaged, err)
		}
	}
}
