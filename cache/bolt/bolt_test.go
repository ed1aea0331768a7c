package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

func TestBolt(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t *testing.T) cache.Store {
		return New(dir, time.Minute, func(text string) { t.Error(text) })
	})
}

// TestBoltDamaged: whatever is in the file's place, entries may be lost, but
// the store works on, and the file is kept.
func TestBoltDamaged(t *testing.T) {
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	for _, tt := range []struct {
		name   string
		damage func(file []byte) []byte
		aside  bool
	}{
		{"empty", func([]byte) []byte { return nil }, false},
		{"garbage", func([]byte) []byte { return bytes.Repeat([]byte("garbage "), 5000) }, true},
		{"short garbage", func([]byte) []byte { return []byte("hello") }, true},
		{"both meta pages", func(b []byte) []byte { clear(b[:8192]); return b }, true},
		{"cut in the middle", func(b []byte) []byte { return b[:len(b)/2] }, true},
		{"cut to its meta pages", func(b []byte) []byte { return b[:8192] }, true},
		{"all data pages", func(b []byte) []byte {
			for i := 8192; i < len(b); i++ {
				b[i] = 0xff
			}
			return b
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			var notices []string
			s := New(dir, time.Second, func(text string) { notices = append(notices, text) })
			storetest.Put(t, s, id, 0.5)
			file, err := os.ReadFile(s.Path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.Path(), tt.damage(file), 0o600); err != nil {
				t.Fatal(err)
			}
			e, _, err := s.Get(context.Background(), id)
			var bad *cache.RecordError
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("Get: %v", err)
			}
			if e != nil && e.Find("last").Mean != 0.5 {
				t.Fatalf("a wrong number: %+v", e)
			}
			storetest.Put(t, s, id, 0.7)
			if e, _, err := s.Get(context.Background(), id); err != nil || e.Find("last").Mean != 0.7 {
				t.Errorf("after the damage: %+v, %v", e, err)
			}
			kept, _ := filepath.Glob(s.Path() + ".broken-*")
			if tt.aside != (len(kept) == 1) || tt.aside != (len(notices) == 1) {
				t.Errorf("kept %q, notices %q", kept, notices)
			}
		})
	}
}

func TestBoltLeavesNewerAndForbiddenFilesAlone(t *testing.T) {
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	s := New(t.TempDir(), time.Second, func(text string) { t.Error(text) })
	storetest.Put(t, s, id, 0.5)
	if err := s.update(context.Background(), func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(layoutKey, []byte{layoutVersion + 1})
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(context.Background(), id); !errors.Is(err, cache.ErrNewer) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Update(context.Background(), id, cache.Generation{}, nil); !errors.Is(err, cache.ErrNewer) {
		t.Errorf("Update: %v", err)
	}
}

// TestBoltRecordThatIsDamaged: a flipped bit in a record is a miss, and the
// next result replaces it.
func TestBoltRecordThatIsDamaged(t *testing.T) {
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	s := New(t.TempDir(), time.Second, nil)
	storetest.Put(t, s, id, 0.5)
	if err := s.update(context.Background(), func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketName("n"))
		rec := slices.Clone(b.Get(id.Key[:]))
		rec[len(rec)-20] ^= 4
		return b.Put(id.Key[:], rec)
	}); err != nil {
		t.Fatal(err)
	}
	e, gen, err := s.Get(context.Background(), id)
	var bad *cache.RecordError
	if e != nil || !errors.As(err, &bad) || gen.Namespace == (cache.Token{}) {
		t.Fatalf("%+v, %+v, %v", e, gen, err)
	}
	err = s.Update(context.Background(), id, gen, func(old *cache.Entry) *cache.Entry {
		if old != nil {
			t.Errorf("the damaged record is handed on: %+v", old)
		}
		return &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: []byte("x")}}}
	})
	if e, _, getErr := s.Get(context.Background(), id); err != nil || getErr != nil || e.Output == nil {
		t.Errorf("%+v, %v, %v", e, err, getErr)
	}
}

// TestBoltClearGivesSpaceBack: so that a full disk can be mended by a clear.
func TestBoltClearGivesSpaceBack(t *testing.T) {
	s := New(t.TempDir(), time.Second, nil)
	ctx := context.Background()
	_, gen, err := s.Get(ctx, cache.ID{Namespace: "big", Key: key.Key{}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		id := cache.ID{Namespace: "big", Key: key.Key{byte(i)}}
		if err := s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
			return &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: make([]byte, 100<<10)}}}
		}); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Put(t, s, cache.ID{Namespace: "small", Key: key.Key{}}, 0.5)
	before, _ := s.Usage(ctx, nil)
	n, err := s.Clear(ctx, "big")
	after, _ := s.Usage(ctx, nil)
	if err != nil || n != 20 || after.Entries != 1 || after.Bytes > before.Bytes/10 {
		t.Errorf("%d entries cleared, %v; before %+v, after %+v", n, err, before, after)
	}
}

func TestSession(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t *testing.T) cache.Store {
		return NewSession(dir, time.Minute, func(text string) { t.Error(text) })
	})
}

// TestClearSweepsLeases: those of holders that died go, those in use stay.
func TestClearSweepsLeases(t *testing.T) {
	ctx := context.Background()
	s := New(t.TempDir(), time.Minute, nil)
	if err := storetest.PutNumbered(s, "n", 0, 1); err != nil {
		t.Fatal(err)
	}
	var leases [2]*cache.Lease
	for i := range leases {
		var err error
		if leases[i], err = s.Lease(ctx, cache.ID{Namespace: "n", Key: storetest.Numbered(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	leases[0].Abandon() // as if it had died
	if _, err := s.Clear(ctx, "n"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(s.leases.dir)
	if err != nil || len(left) != 1 || left[0].Name() != (cache.ID{Namespace: "n", Key: storetest.Numbered(1)}).String() {
		t.Errorf("left are %v, %v", left, err)
	}
	leases[1].Release()
}

// TestForgetLists: prune and compact forget the lists of inputs that no entry shares.
func TestForgetLists(t *testing.T) {
	ctx := context.Background()
	s := New(t.TempDir(), time.Minute, nil)
	put := func(k byte, e cache.Entry) cache.ID {
		t.Helper()
		id := cache.ID{Namespace: "n", Key: key.Key{k}}
		_, gen, err := s.Get(ctx, id)
		if err == nil {
			err = s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry { return &e })
		}
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	there := func() (keys string) {
		t.Helper()
		err := s.Each(ctx, cache.Range{Lists: true}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
			keys += fmt.Sprint(id.Key[0], " ")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	sharing := func(k byte) cache.Entry {
		e := cache.Entry{}
		e.Begin(cache.Inputs{Shared: []key.Key{{k}}})
		e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 1}, "1")
		return e
	}
	for k := byte(1); k <= 3; k++ {
		put(k, cache.Entry{List: []byte("names")})
	}
	earlier := sharing(1)
	earlier.Begin(cache.Inputs{})
	earlier.FindOrAdd("last").Add(cache.Sample{ID: 2, Value: 2}, "2")
	put(11, earlier)
	two := put(12, sharing(2))
	if err := s.Compact(ctx); err != nil || there() != "1 2 11 12 " {
		t.Errorf("after compact: %s, %v", there(), err)
	}
	if n, err := s.Drop(ctx, []cache.ID{two}, func(cache.ID, *cache.Entry) bool { return true }); n != 1 || err != nil || there() != "1 11 " {
		t.Errorf("after prune: %s, %d, %v", there(), n, err)
	}
}
