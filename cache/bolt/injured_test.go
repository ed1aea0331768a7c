package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/storetest"
)

// deepFile is a file with branches, several namespaces and free pages.
func deepFile(t testing.TB, entries int) []byte {
	t.Helper()
	s := NewSession(t.TempDir(), time.Minute, nil)
	for from := 0; from < entries; from += 1000 {
		if err := storetest.PutNumbered(s, "n", from, min(from+1000, entries)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 { // in transactions of their own, so that pages come free
		if err := errors.Join(storetest.PutNumbered(s, "m", i, i+1), storetest.PutNumbered(s, fmt.Sprint("n", i), i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSoundTree: what bbolt calls sound is sound.
func TestSoundTree(t *testing.T) {
	for _, n := range []int{0, 1, 100, 5000} {
		path := filepath.Join(t.TempDir(), "cache.db")
		if err := os.WriteFile(path, deepFile(t, n), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := NewSession(filepath.Dir(path), time.Minute, nil).open(false)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Error(err)
			}
			_, err := soundTree(tx)
			return err
		}); err != nil {
			t.Errorf("%d entries: %v", n, err)
		}
		db.Close()
	}
}

// What the pages of a file begin with; see package pages.
const (
	rawHeader   = 16
	rawElement  = 16
	rawBranch   = 1
	rawLeaf     = 2
	rawFreelist = 16
)

var words = binary.NativeEndian

// injure does to a file, one of the things that happen
// to files, and says what.
func injure(file []byte, rng *rand.Rand) ([]byte, string) {
	size := os.Getpagesize()
	pages := len(file) / size
	used := min(pages, int(words.Uint64(file[16+40:]))) // what lies beyond is nothing
	at := func(i int) []byte { return file[i*size : (i+1)*size] }
	ofKind := func(flags uint16) []int {
		var found []int
		for i := range used {
			if words.Uint16(at(i)[8:]) == flags && words.Uint64(at(i)) == uint64(i) {
				found = append(found, i)
			}
		}
		return found
	}
	pick := func(from []int) int { return from[rng.IntN(len(from))] }
	a, b := rng.IntN(used), rng.IntN(used)
	switch kind := rng.IntN(8); kind {
	case 0, 1: // a bit, most often among headers and tables
		p := at(a)
		if kind == 0 {
			p = p[:256]
		}
		i, bit := rng.IntN(len(p)), rng.IntN(8)
		p[i] ^= 1 << bit
		return file, fmt.Sprintf("bit %d of byte %d of page %d is flipped", bit, i, a)
	case 2: // another child: itself, an ancestor, a stale page
		if branches := ofKind(rawBranch); len(branches) > 0 {
			a = pick(branches)
			i := rng.IntN(int(words.Uint16(at(a)[10:])))
			if rng.IntN(3) == 0 {
				b = a
			} else if rng.IntN(2) == 0 {
				b = pick(branches)
			}
			words.PutUint64(at(a)[rawHeader+rawElement*i+8:], uint64(b))
		}
		return file, fmt.Sprintf("a child of page %d is %d", a, b)
	case 3: // one page in the place of another, as that one or itself
		copy(at(a), at(b))
		if rng.IntN(2) == 0 {
			words.PutUint64(at(a), uint64(a))
		}
		return file, fmt.Sprintf("page %d in the place of %d", b, a)
	case 4: // a wild header
		p := at(a)
		words.PutUint16(p[8:], []uint16{0, 1, 2, 4, 16}[rng.IntN(5)])
		words.PutUint16(p[10:], uint16(rng.IntN(1<<16)))
		words.PutUint32(p[12:], uint32(1)<<rng.IntN(32))
		return file, fmt.Sprintf("the header of page %d is wild", a)
	case 5: // pages in use are free
		if lists := ofKind(rawFreelist); len(lists) > 0 {
			a = pick(lists)
			n := 1 + rng.IntN(20)
			words.PutUint16(at(a)[10:], uint16(n))
			for i, id := 0, 2; i < n; i++ {
				words.PutUint64(at(a)[rawHeader+8*i:], uint64(id))
				id += 1 + rng.IntN(5)
			}
			if rng.IntN(4) == 0 {
				words.PutUint16(at(a)[10:], 0xffff)
				words.PutUint64(at(a)[rawHeader:], uint64(1)<<rng.IntN(64))
			}
		}
		return file, fmt.Sprintf("the list of free pages %d is wrong", a)
	case 6:
		clear(at(a))
		return file, fmt.Sprintf("page %d is zero", a)
	default:
		n := rng.IntN(len(file))
		if rng.IntN(2) == 0 {
			n = rng.IntN(used) * size
		}
		return file[:n], fmt.Sprintf("it ends after %d bytes", n)
	}
}

// TestInjuredFiles: whatever happened to the pages of a file, its answers are
// right or missing, and all ends; also where it happened to a file that was read
// before, and is mapped.
func TestInjuredFiles(t *testing.T) {
	files := [][]byte{deepFile(t, 20), deepFile(t, 2000)}
	ctx := context.Background()
	trials := 300
	if testing.Short() {
		trials = 100
	}
	aside := 0
	for trial := range trials {
		rng := rand.New(rand.NewPCG(7, uint64(trial)))
		sound := files[trial%len(files)]
		file, what := injure(bytes.Clone(sound), rng)
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		notices := 0
		s := NewSession(dir, time.Minute, func(string) { notices++ })
		if trial%4 < 2 {
			if err := os.WriteFile(s.Path(), sound, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Each(ctx, cache.Range{}, func(cache.ID, *cache.Entry, *cache.RecordError) error { return nil }); err != nil {
				t.Fatal(err)
			}
			what += " while it is mapped"
		}
		if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
			t.Fatal(err)
		}
		fail := func(format string, args ...any) {
			t.Errorf("trial %d: %s: %s", trial, what, fmt.Sprintf(format, args...))
		}
		look := func(i int) {
			e, _, err := s.Get(ctx, cache.ID{Namespace: "n", Key: storetest.Numbered(i)})
			var bad *cache.RecordError
			if err != nil && !errors.As(err, &bad) {
				fail("Get: %v", err)
			}
			if e != nil && e.Find("last").Text != fmt.Sprint(i) {
				fail("%q instead of %d", e.Find("last").Text, i)
			}
		}
		if rng.IntN(2) == 0 {
			s.Usage(ctx, nil)
			s.Each(ctx, cache.Range{}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
				if s := e.Find("last"); s != nil && storetest.Numbered(int(s.Mean)) != id.Key {
					fail("%s under %s", s.Text, id.Key)
				}
				return nil
			})
		}
		for range 20 {
			look(rng.IntN(2000))
		}
		// What is put now is there, though it may take a fresh file to
		// have it.
		for i := 5000; i < 5010; i++ {
			err := storetest.PutNumbered(s, "n", i, i+1)
			if errors.Is(err, cache.ErrSuperseded) { // set aside between Get and Update
				err = storetest.PutNumbered(s, "n", i, i+1)
			}
			if err != nil && !errors.Is(err, cache.ErrNewer) {
				fail("Update: %v", err)
			}
			look(i)
		}
		switch rng.IntN(4) {
		case 0:
			if _, err := s.Clear(ctx, "n"); err != nil {
				fail("Clear: %v", err)
			}
		case 1:
			if _, err := s.ClearAll(ctx); err != nil {
				fail("ClearAll: %v", err)
			}
		}
		look(1)
		kept, _ := filepath.Glob(s.Path() + ".broken-*")
		if len(kept) != notices {
			fail("%d files are set aside, and it was said %d times", len(kept), notices)
		}
		aside += notices
		s.Close()
		os.RemoveAll(dir)
	}
	t.Logf("%d of %d files were set aside", aside, trials)
	if aside == 0 {
		t.Error("no injury was seen")
	}
}

// TestCutAtEachPage: of a file that ends at any of its pages, or in it, the
// answers are right or missing, and it goes on being used.
func TestCutAtEachPage(t *testing.T) {
	const entries = 1000
	size := os.Getpagesize()
	file := deepFile(t, entries)
	ctx := context.Background()
	dir := t.TempDir()
	for page := range len(file)/size + 1 {
		for _, end := range []int{page * size, page*size + 1 + page%(size-1)} {
			notices := 0
			s := NewSession(dir, time.Minute, func(string) { notices++ })
			if err := os.WriteFile(s.Path(), file[:min(end, len(file))], 0o600); err != nil {
				t.Fatal(err)
			}
			found := 0
			for k := range 20 {
				i := (page + 50*k) % entries
				e, _, err := s.Get(ctx, cache.ID{Namespace: "n", Key: storetest.Numbered(i)})
				if err != nil {
					t.Fatalf("cut after %d bytes: %v", end, err)
				}
				if e != nil {
					found++
				}
				if e != nil && e.Find("last").Text != fmt.Sprint(i) {
					t.Fatalf("cut after %d bytes: %q instead of %d", end, e.Find("last").Text, i)
				}
			}
			// Nothing is lost silently.
			if found < 20 && notices == 0 && end > 0 {
				t.Errorf("cut after %d bytes: %d of 20 found, and nothing is said", end, found)
			}
			if err := storetest.PutNumbered(s, "n", entries, entries+1); err != nil {
				t.Errorf("cut after %d bytes: %v", end, err)
			}
			s.Close()
		}
	}
	aside, _ := filepath.Glob(filepath.Join(dir, "*.broken-*"))
	t.Logf("%d pages; %d files were set aside", len(file)/size, len(aside))
}

// TestNoWayBack: a damaged head, or a reference to a page that was given up,
// does not bring back what was stored before the last change.
func TestNoWayBack(t *testing.T) {
	size := os.Getpagesize()
	ctx := context.Background()
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	for name, injure := range map[string]func(file []byte){
		"head": func(file []byte) {
			newer := 0
			if words.Uint64(file[size+16+48:]) > words.Uint64(file[16+48:]) {
				newer = size
			}
			file[newer+16+20] ^= 1
		},
		"page": func(file []byte) { // each branch leads to the older copies of what it leads to
			for at := 0; at < len(file); at += size {
				if words.Uint16(file[at+8:]) != rawBranch {
					continue
				}
				for i := range int(words.Uint16(file[at+10:])) {
					e := file[at+rawHeader+rawElement*i:]
					key := e[words.Uint32(e):][:words.Uint32(e[4:])]
					child := words.Uint64(e[8:])
					for old := uint64(0); old < uint64(len(file)/size); old++ {
						p := file[int(old)*size:]
						if old != child && words.Uint64(p) == old && words.Uint16(p[8:]) == rawLeaf && words.Uint16(p[10:]) > 0 {
							first := p[rawHeader:]
							if k := first[words.Uint32(first[4:]):][:words.Uint32(first[8:])]; bytes.Equal(k, key) {
								words.PutUint64(e[8:], old)
							}
						}
					}
				}
			}
		},
	} {
		s := NewSession(t.TempDir(), time.Minute, nil)
		if err := storetest.PutNumbered(s, "n", 0, 500); err != nil {
			t.Fatal(err)
		}
		_, gen, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{Token: cache.NewToken()}
			e.FindOrAdd("last").Add(cache.Sample{ID: 7, Value: 7}, "7")
			return e
		}); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(s.Path())
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(file)
		if injure(file); bytes.Equal(before, file) {
			t.Fatalf("%s: nothing was injured", name)
		}
		if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
			t.Fatal(err)
		}
		e, _, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if e != nil && e.Find("last").Text != "7" {
			t.Errorf("%s: the number before the refresh is back", name)
		}
		// Nor does a salvage bring it back.
		if err := os.WriteFile(s.Path(), file, 0o600); err != nil {
			t.Fatal(err)
		}
		salvaged, err := s.Salvage(ctx)
		if name == "head" && (err != nil || salvaged.Lost != nil || salvaged.Entries != 500) || name == "page" && (err != nil || len(salvaged.Lost) == 0 || salvaged.Entries == 0) {
			t.Errorf("%s: salvaged: %+v, %v", name, salvaged, err)
		}
		if e, _, err := s.Get(ctx, id); err != nil || e != nil && e.Find("last").Text != "7" {
			t.Errorf("%s: the number before the refresh is salvaged: %v", name, err)
		}
	}
}
