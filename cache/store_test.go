package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// testStore is what every Store has to do. open opens the same storage each
// time, as another process would.
func testStore(t *testing.T, open func(t *testing.T) Store) {
	ctx := context.Background()
	get := func(t *testing.T, s Store, id ID) (*Entry, Generation) {
		t.Helper()
		e, gen, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return e, gen
	}
	// put adds one sample to the series "last".
	put := func(s Store, id ID, gen Generation, sample Sample) error {
		return s.Update(ctx, id, gen, func(e *Entry) *Entry {
			if e == nil {
				e = &Entry{}
			}
			e.FindOrAdd("last").Add(sample, fmt.Sprint(sample.Value))
			return e
		})
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := func(t *testing.T) ID { return ID{Namespace: t.Name(), Key: Key{1}} }

	t.Run("miss, hit, reopen", func(t *testing.T) {
		s := open(t)
		e, gen := get(t, s, id(t))
		if e != nil || gen.Namespace == (Token{}) {
			t.Fatalf("a miss: %+v, %+v", e, gen)
		}
		must(t, put(s, id(t), gen, Sample{ID: 1, Value: 0.5}))
		must(t, s.Close())
		s = open(t)
		defer s.Close()
		e, again := get(t, s, id(t))
		if e.Find("last") == nil || e.Find("last").Mean != 0.5 || again != gen {
			t.Fatalf("a hit: %+v, %+v", e, again)
		}
		if e, _ := get(t, s, ID{id(t).Namespace, Key{2}}); e != nil {
			t.Errorf("another key: %+v", e)
		}
		if e, _ := get(t, s, ID{id(t).Namespace + "x", Key{1}}); e != nil {
			t.Errorf("another namespace: %+v", e)
		}
	})

	t.Run("overwrite", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		must(t, put(s, id(t), gen, Sample{ID: 1, Value: 0.5}))
		fresh := NewToken()
		must(t, s.Update(ctx, id(t), gen, func(*Entry) *Entry {
			e := &Entry{Token: fresh}
			e.FindOrAdd("last").Add(Sample{ID: 2, Value: 0.7}, "0.7")
			return e
		}))
		e, now := get(t, s, id(t))
		if e.Find("last").Text != "0.7" || now.Entry != fresh {
			t.Errorf("%+v", e)
		}
		// What was begun before the refresh comes too late.
		if err := put(s, id(t), gen, Sample{ID: 3, Value: 0.5}); !errors.Is(err, ErrSuperseded) {
			t.Errorf("a result from before the refresh: %v", err)
		}
		must(t, put(s, id(t), now, Sample{ID: 4, Value: 0.7}))
	})

	t.Run("nothing to change", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		_, gen := get(t, s, id(t))
		must(t, s.Update(ctx, id(t), gen, func(*Entry) *Entry { return nil }))
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
					if err := put(s, id(t), gen, Sample{ID: uint64(1 + w*each + i), Value: float64(w)}); err != nil {
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
			must(t, put(s, id(t), gen, Sample{ID: 9, Value: 1}))
		}
		if e, _ := get(t, s, id(t)); e.Find("last").Count != 1 {
			t.Errorf("it counts %d times", e.Find("last").Count)
		}
	})

	t.Run("in groups", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		const n = 50
		ids := make([]ID, n)
		for i := range ids {
			ids[i] = ID{id(t).Namespace, numbered(i)}
		}
		var changes []Change
		for i, got := range GetAll(ctx, s, ids) {
			if got.Err != nil || got.Entry != nil {
				t.Fatalf("%d: %+v", i, got)
			}
			changes = append(changes, Change{ids[i], got.Gen, func(*Entry) *Entry {
				e := &Entry{}
				e.FindOrAdd("last").Add(Sample{ID: uint64(i) + 1, Value: float64(i)}, "")
				return e
			}})
		}
		changes[7].Gen.Namespace = NewToken()
		for i, err := range UpdateAll(ctx, s, changes) {
			if i != 7 && err != nil || i == 7 && !errors.Is(err, ErrSuperseded) {
				t.Fatalf("%d: %v", i, err)
			}
		}
		for i, got := range GetAll(ctx, s, ids) {
			if got.Err != nil || (got.Entry == nil) != (i == 7) || i != 7 && got.Entry.Find("last").Mean != float64(i) {
				t.Fatalf("%d: %+v", i, got)
			}
		}
	})

	t.Run("read without a trace", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		r, ok := s.(Reader)
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
		must(t, put(s, id(t), gen, Sample{ID: 1, Value: 0.5}))
		if e, now, err := r.Peek(ctx, id(t)); err != nil || e.Find("last").Mean != 0.5 || now != gen {
			t.Fatalf("%+v, %+v, %v", e, now, err)
		}
	})

	t.Run("list and drop", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		l, ok := s.(Lister)
		if !ok {
			return
		}
		a, b := id(t).Namespace+"a", id(t).Namespace+"b"
		_, gen := get(t, s, ID{a, Key{}})
		_, genB := get(t, s, ID{b, Key{}})
		for i := range 30 {
			must(t, put(s, ID{a, Key{byte(29 - i), 0x5f}}, gen, Sample{ID: uint64(i + 1), Value: float64(29 - i)}))
		}
		must(t, put(s, ID{b, Key{3}}, genB, Sample{ID: 99, Value: 3}))
		if _, err := s.Delete(ctx, ID{a, Key{4, 0x5f}}); err != nil {
			t.Fatal(err)
		}
		list := func(r Range) (text string) {
			must(t, l.Each(ctx, r, func(id ID, e *Entry, bad *RecordError) error {
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
		if got := list(Range{Namespace: &a}); got != "a0 a1 a2 a3 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29 " {
			t.Errorf("a: %s", got)
		}
		if got := list(Range{Prefix: "03"}); got != "a3 b3 " {
			t.Errorf("keys from 03: %s", got)
		}
		if got := list(Range{Prefix: "035", Namespace: &b}); got != "" {
			t.Errorf("keys from 035 in b: %s", got)
		}
		enough := errors.New("enough")
		if err := l.Each(ctx, Range{}, func(ID, *Entry, *RecordError) error { return enough }); err != enough {
			t.Errorf("%v", err)
		}
		p, ok := s.(Pruner)
		if !ok {
			return
		}
		ids := []ID{{a, Key{3, 0x5f}}, {a, Key{4, 0x5f}}, {a, Key{5, 0x5f}}, {b, Key{3}}, {b, Key{9}}}
		n, err := p.Drop(ctx, ids, func(id ID, _ *Entry) bool { return id.Namespace == a })
		if err != nil || n != 2 {
			t.Errorf("%d dropped, %v", n, err)
		}
		if got := list(Range{Prefix: "03"}); got != "b3 " {
			t.Errorf("after a drop: %s", got)
		}
		// What is under way is stored again, unless the entry was deleted.
		must(t, put(s, ID{a, Key{3, 0x5f}}, gen, Sample{ID: 100, Value: 3}))
		if err := put(s, ID{a, Key{4, 0x5f}}, gen, Sample{ID: 101, Value: 4}); !errors.Is(err, ErrSuperseded) {
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
		if err := put(s, id(t), gen, Sample{ID: 1, Value: 1}); !errors.Is(err, ErrSuperseded) {
			t.Errorf("a result from before the deletion: %v", err)
		}
		_, gen = get(t, s, id(t))
		must(t, put(s, id(t), gen, Sample{ID: 1, Value: 1}))
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
		must(t, s.Update(ctx, id(t), gen, func(*Entry) *Entry {
			return &Entry{Output: &Output{Text: text}}
		}))
		if e, _ := get(t, s, id(t)); !bytes.Equal(e.Output.Text, text) {
			t.Error("it comes back otherwise")
		}
	})

	t.Run("odd namespaces", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		names := []string{"", " ", "ünï ☃", strings.Repeat("x", 300), "a/b", "a", "../..", "n", "\x00", "\n", "generation"}
		for i, name := range names {
			_, gen := get(t, s, ID{name, Key{1}})
			must(t, put(s, ID{name, Key{1}}, gen, Sample{ID: 1, Value: float64(i)}))
		}
		for i, name := range names {
			if e, _ := get(t, s, ID{name, Key{1}}); e.Find("last").Mean != float64(i) {
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
		err := s.Update(gone, id(t), gen, func(*Entry) *Entry {
			e := &Entry{}
			e.FindOrAdd("last").Add(Sample{ID: 1, Value: 1}, "1")
			return e
		})
		if e, _ := get(t, s, id(t)); (e != nil) != (err == nil) {
			t.Errorf("there is %+v, and the error is %v", e, err)
		}
	})

	t.Run("clear against a run in flight", func(t *testing.T) {
		s := open(t)
		defer s.Close()
		clearer, ok := s.(Clearer)
		if !ok {
			t.Fatal("no Clearer")
		}
		a, b := ID{t.Name() + "a", Key{1}}, ID{t.Name() + "b", Key{1}}
		for _, clear := range []func() error{
			func() error { _, err := clearer.Clear(ctx, a.Namespace); return err },
			func() error { _, err := clearer.ClearAll(ctx); return err },
		} {
			_, genA := get(t, s, a)
			_, genB := get(t, s, b)
			must(t, put(s, b, genB, Sample{ID: 1, Value: 1}))
			must(t, clear())
			if err := put(s, a, genA, Sample{ID: 1, Value: 1}); !errors.Is(err, ErrSuperseded) {
				t.Errorf("a result from before the clear: %v", err)
			}
			if e, _ := get(t, s, a); e != nil {
				t.Errorf("cleared: %+v", e)
			}
		}
		_, gen := get(t, s, a)
		must(t, put(s, a, gen, Sample{ID: 1, Value: 1}))
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

	t.Run("leases", func(t *testing.T) {
		leaser, ok := open(t).(Leaser)
		if !ok {
			t.Skip("no Leaser")
		}
		first, err := leaser.Lease(ctx, id(t), 0)
		if err != nil || first.State != LeaseHeld || first.Waited {
			t.Fatalf("%+v, %v", first, err)
		}
		if l, err := leaser.Lease(ctx, id(t), 20*time.Millisecond); err != nil || l.State != LeaseTimeout {
			t.Fatalf("%+v, %v", l, err)
		}
		if l, err := leaser.Lease(ctx, ID{t.Name(), Key{2}}, 0); err != nil || l.State != LeaseHeld {
			t.Fatalf("another key: %+v, %v", l, err)
		} else {
			l.Release()
		}
		// Those that come late may find it free: on a busy machine all of
		// them, unless they get more time.
		for pause := 50 * time.Millisecond; ; pause *= 4 {
			ended := make(chan LeaseState, 8)
			for range 8 {
				go func() {
					l, err := leaser.Lease(ctx, id(t), 0)
					if err != nil {
						t.Error(err)
						l = &Lease{State: LeaseHeld}
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
				if <-ended == LeaseHeld {
					held++
				}
			}
			if held < 8 {
				return
			}
			if pause > 10*time.Second {
				t.Fatal("nobody was told that the holder ended")
			}
			if first, err = leaser.Lease(ctx, id(t), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestBolt(t *testing.T) {
	dir := t.TempDir()
	testStore(t, func(t *testing.T) Store {
		return NewBolt(dir, time.Minute, func(text string) { t.Error(text) })
	})
}

func testEntry(t *testing.T, s Store, id ID, value float64) {
	t.Helper()
	_, gen, err := s.Get(context.Background(), id)
	var bad *RecordError
	if err != nil && !errors.As(err, &bad) {
		t.Fatal(err)
	}
	err = s.Update(context.Background(), id, gen, func(*Entry) *Entry {
		e := &Entry{}
		e.FindOrAdd("last").Add(Sample{ID: 1, Value: value}, "")
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBoltDamaged: whatever is in the file's place, entries may be lost, but
// the store works on, and the file is kept.
func TestBoltDamaged(t *testing.T) {
	id := ID{"n", Key{1}}
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
			s := NewBolt(dir, time.Second, func(text string) { notices = append(notices, text) })
			testEntry(t, s, id, 0.5)
			file, err := os.ReadFile(s.Path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.Path(), tt.damage(file), 0o600); err != nil {
				t.Fatal(err)
			}
			e, _, err := s.Get(context.Background(), id)
			var bad *RecordError
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("Get: %v", err)
			}
			if e != nil && e.Find("last").Mean != 0.5 {
				t.Fatalf("a wrong number: %+v", e)
			}
			testEntry(t, s, id, 0.7)
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
	id := ID{"n", Key{1}}
	s := NewBolt(t.TempDir(), time.Second, func(text string) { t.Error(text) })
	testEntry(t, s, id, 0.5)
	if err := s.update(context.Background(), func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(layoutKey, []byte{layoutVersion + 1})
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(context.Background(), id); !errors.Is(err, ErrNewer) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Update(context.Background(), id, Generation{}, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("Update: %v", err)
	}
}

// TestBoltRecordThatIsDamaged: a flipped bit in a record is a miss, and the
// next result replaces it.
func TestBoltRecordThatIsDamaged(t *testing.T) {
	id := ID{"n", Key{1}}
	s := NewBolt(t.TempDir(), time.Second, nil)
	testEntry(t, s, id, 0.5)
	if err := s.update(context.Background(), func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketName("n"))
		rec := slices.Clone(b.Get(id.Key[:]))
		rec[len(rec)-20] ^= 4
		return b.Put(id.Key[:], rec)
	}); err != nil {
		t.Fatal(err)
	}
	e, gen, err := s.Get(context.Background(), id)
	var bad *RecordError
	if e != nil || !errors.As(err, &bad) || gen.Namespace == (Token{}) {
		t.Fatalf("%+v, %+v, %v", e, gen, err)
	}
	err = s.Update(context.Background(), id, gen, func(old *Entry) *Entry {
		if old != nil {
			t.Errorf("the damaged record is handed on: %+v", old)
		}
		return &Entry{Output: &Output{Text: []byte("x")}}
	})
	if e, _, getErr := s.Get(context.Background(), id); err != nil || getErr != nil || e.Output == nil {
		t.Errorf("%+v, %v, %v", e, err, getErr)
	}
}

// TestBoltClearGivesSpaceBack: so that a full disk can be mended by a clear.
func TestBoltClearGivesSpaceBack(t *testing.T) {
	s := NewBolt(t.TempDir(), time.Second, nil)
	ctx := context.Background()
	_, gen, err := s.Get(ctx, ID{"big", Key{}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		id := ID{"big", Key{byte(i)}}
		if err := s.Update(ctx, id, gen, func(*Entry) *Entry {
			return &Entry{Output: &Output{Text: make([]byte, 100<<10)}}
		}); err != nil {
			t.Fatal(err)
		}
	}
	testEntry(t, s, ID{"small", Key{}}, 0.5)
	before, _ := s.Usage(ctx, nil)
	n, err := s.Clear(ctx, "big")
	after, _ := s.Usage(ctx, nil)
	if err != nil || n != 20 || after.Entries != 1 || after.Bytes > before.Bytes/10 {
		t.Errorf("%d entries cleared, %v; before %+v, after %+v", n, err, before, after)
	}
}

// TestLockGivesWriterItsTurn: a stream of readers does not keep a writer out.
func TestLockGivesWriterItsTurn(t *testing.T) {
	dir := t.TempDir()
	l := rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock")}
	stop := make(chan struct{})
	var reads atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range 4 {
		wg.Go(func() {
			for {
				release, err := l.acquire(context.Background(), true)
				if err != nil {
					t.Error(err)
					return
				}
				// Until another one reads: so that the lock is never
				// free, unless all of them are kept out.
				mine := reads.Add(1)
				for i := 0; i < 100 && reads.Load() == mine; i++ {
					time.Sleep(time.Millisecond)
				}
				release()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	written := make(chan error, 5)
	go func() {
		for range 5 {
			for before := reads.Load(); reads.Load() < before+4; {
				time.Sleep(time.Millisecond)
			}
			release, err := l.acquire(context.Background(), false)
			if err == nil {
				release()
			}
			written <- err
		}
	}()
	for range 5 {
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the writer is kept out")
		}
	}
}

func TestLockTimeout(t *testing.T) {
	dir := t.TempDir()
	l := rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock"), timeout: 30 * time.Millisecond}
	release, err := l.acquire(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.acquire(context.Background(), true); !errors.Is(err, ErrLockTimeout) {
		t.Errorf("a reader: %v", err)
	}
	if _, err := l.acquire(context.Background(), false); !errors.Is(err, ErrLockTimeout) {
		t.Errorf("a writer: %v", err)
	}
	release()
	// Waits that were given up must not hold it when they get it at last.
	l.timeout = time.Minute
	for range 3 {
		release, err := l.acquire(context.Background(), false)
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
}

// TestClearSweepsLeases: those of holders that died go, those in use stay.
func TestClearSweepsLeases(t *testing.T) {
	ctx := context.Background()
	s := NewBolt(t.TempDir(), time.Minute, nil)
	if err := putNumbered(s, "n", 0, 1); err != nil {
		t.Fatal(err)
	}
	var leases [2]*Lease
	for i := range leases {
		var err error
		if leases[i], err = s.Lease(ctx, ID{"n", numbered(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	leases[0].Abandon() // as if it had died
	if _, err := s.Clear(ctx, "n"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(s.leases.dir)
	if err != nil || len(left) != 1 || left[0].Name() != (ID{"n", numbered(1)}).String() {
		t.Errorf("left are %v, %v", left, err)
	}
	leases[1].Release()
}

// moreTime tries a lock with longer and longer timeouts: on a busy machine one
// may pass in which nobody ran.
func moreTime(t *testing.T, try func(l rwLock) error) {
	t.Helper()
	var err error
	for timeout := 500 * time.Millisecond; timeout < 10*time.Second; timeout *= 4 {
		dir := t.TempDir()
		if err = try(rwLock{gate: filepath.Join(dir, "gate"), lock: filepath.Join(dir, "lock"), timeout: timeout}); err == nil {
			return
		}
	}
	t.Error(err)
}

// TestLongQueueIsNoTimeout: 16 writers take three times the timeout together,
// and none of them gives up.
func TestLongQueueIsNoTimeout(t *testing.T) {
	moreTime(t, func(l rwLock) error {
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				release, err := l.acquire(context.Background(), false)
				if err != nil {
					errs[i] = err
					return
				}
				time.Sleep(l.timeout / 5)
				release()
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// TestLongRewriteIsNoTimeout: who holds the lock for three times the timeout, and
// shows that it is at work, is waited for; who doesn't is not.
func TestLongRewriteIsNoTimeout(t *testing.T) {
	moreTime(t, func(l rwLock) error {
		release, err := l.acquire(context.Background(), false)
		if err != nil {
			return err
		}
		if _, err := l.acquire(context.Background(), true); !errors.Is(err, ErrLockTimeout) {
			t.Fatalf("the holder does nothing; the next: %v", err)
		}
		end := l.goesOn()
		go func() {
			time.Sleep(3 * l.timeout)
			end()
			release()
		}()
		second, err := l.acquire(context.Background(), true)
		if err == nil {
			second()
		}
		return err
	})
}

func TestSession(t *testing.T) {
	dir := t.TempDir()
	testStore(t, func(t *testing.T) Store {
		return NewSession(dir, time.Minute, func(text string) { t.Error(text) })
	})
}

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
