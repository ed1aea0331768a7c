package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t *testing.T) cache.Store { return New(dir) })
}

// quick is a disk that syncs nothing, for tests that cut no power.
type quick struct{ *disk.Disk }

func (quick) Sync(string) error { return nil }

func (q quick) Create(name string) (disk.File, error) {
	f, err := q.Disk.Create(name)
	return quickFile{f}, err
}

type quickFile struct{ disk.File }

func (quickFile) Sync() error { return nil }

func newQuick(dir string) *Store { return newStore(dir, quick{disk.New(dir)}) }

// put stores a number of a call, which new numbers take the place of.
func put(t *testing.T, s *Store, id cache.ID, value float64) {
	t.Helper()
	storetest.Put(t, s, id, value)
}

// number is that of a call, and whether there is one.
func number(t *testing.T, s *Store, id cache.ID) (value float64, ok bool) {
	t.Helper()
	e, _, err := s.Get(context.Background(), id)
	var bad *cache.RecordError
	if err != nil && !errors.As(err, &bad) {
		t.Fatal(err)
	}
	if found := e.Find("last"); found != nil {
		return found.Mean, true
	}
	return 0, false
}

// filesBelow are the files of a store of some kind.
func filesBelow(t *testing.T, dir, pattern string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if matches, _ := filepath.Match(pattern, d.Name()); err == nil && matches && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestDamage: whatever byte of whatever file of records is flipped, or wherever it is cut
// off, no other number is told than one that was stored, none of before a refresh, and what
// is stored then is there. check finds it, and salvage mends it.
func TestDamage(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 2))
	const calls = 60
	id := func(i int) cache.ID { return cache.ID{Namespace: "n", Key: storetest.Numbered(i)} }
	var templates [2]string // with records in files of their own, and in packs alone
	for i := range templates {
		templates[i] = t.TempDir()
		s := newQuick(templates[i])
		if err := storetest.PutNumbered(s, "n", 0, calls); err != nil { // one pack
			t.Fatal(err)
		}
		for i := range 10 { // refreshed
			_, gen, err := s.Get(ctx, id(i))
			if err == nil {
				err = s.Update(ctx, id(i), gen, func(*cache.Entry) *cache.Entry {
					e := &cache.Entry{Token: cache.NewToken()}
					e.FindOrAdd("last").Add(cache.Sample{ID: 1000 + uint64(i), Value: 1000 + float64(i)}, "")
					return e
				})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			if err := s.repack(ctx, mustCurrent(t, s, "n"), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
	}
	for trial := range 100 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(templates[trial%3%2])); err != nil {
			t.Fatal(err)
		}
		files := append(filesBelow(t, dir, "pack.*"), filesBelow(t, dir, "*.????????????????")...)
		path := files[rng.IntN(len(files))]
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("trial %d, %s of %d bytes: ", trial, filepath.Base(path), len(data))
		if trial%4 == 0 {
			at := rng.IntN(len(data))
			what += fmt.Sprintf("cut at %d", at)
			data = data[:at]
		} else {
			at := rng.IntN(len(data))
			what += fmt.Sprintf("flipped at %d", at)
			data[at] ^= 1 << rng.IntN(8)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		look := func(s *Store, when string, salvaged bool) (missing int) {
			for i := range calls {
				want := float64(i)
				if i < 10 {
					want += 1000
				}
				if got, ok := number(t, s, id(i)); ok && got != want && !(salvaged && i < 10) {
					t.Errorf("%s, %s: call %d is %v", what, when, i, got)
				} else if !ok {
					missing++
				}
			}
			return missing
		}
		s := newQuick(dir)
		look(s, "at first", false)
		report, err := s.Check(ctx)
		if err != nil || report.Sound() {
			t.Errorf("%s: check finds %+v, %v", what, report, err)
		}
		put(t, s, id(3), 7)
		if got, ok := number(t, s, id(3)); !ok || got != 7 {
			t.Errorf("%s: what was stored since is %v, %v", what, got, ok)
		}
		put(t, s, id(3), 1003)
		report, err = s.Check(ctx)
		mended := err == nil && report.Sound() // it was a record of that call
		saved, err := s.Salvage(ctx)
		if err != nil || (len(saved.Aside) == 0) != mended {
			t.Errorf("%s: salvage: %+v, %v", what, saved, err)
		}
		// Where a pack's index is lost it isn't known what was refreshed, which is said.
		look(s, "after salvage", strings.Contains(fmt.Sprint(saved.Lost), "may be back"))
		if _, ok := number(t, s, id(3)); !ok {
			t.Errorf("%s: what was stored since is gone after salvage", what)
		}
		if report, err := s.Check(ctx); err != nil || !report.Sound() {
			t.Errorf("%s: after salvage: %+v, %v", what, report, err)
		}
		if aside := s.SetAside(); len(aside) != len(saved.Aside) {
			t.Errorf("%s: set aside: %q, %q", what, aside, saved.Aside)
		}
		if err := s.Compact(ctx); err != nil {
			t.Errorf("%s: compact: %v", what, err)
		}
		look(s, "after compact", true)
		s.Close()
	}
}

func mustCurrent(t *testing.T, s *Store, namespace string) *space {
	t.Helper()
	p, err := s.current(context.Background(), namespace, false)
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	return p
}

// TestCurrentDamaged: one wrong byte of CURRENT costs nothing; where it is lost, nothing is
// answered, and clear begins anew.
func TestCurrentDamaged(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := newQuick(dir)
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	put(t, s, id, 5)
	path := filesBelow(t, dir, currentName)[0]
	data, _ := os.ReadFile(path)
	for at := range data {
		wrong := slices.Clone(data)
		wrong[at] ^= 4
		os.WriteFile(path, wrong, 0o600)
		if got, ok := number(t, s, id); !ok || got != 5 {
			t.Fatalf("byte %d: %v, %v", at, got, ok)
		}
	}
	os.WriteFile(path, data[:len(data)/3], 0o600)
	if _, _, err := s.Get(ctx, id); err == nil || !strings.Contains(err.Error(), path+": it is damaged; dvlcache clear") {
		t.Errorf("CURRENT is lost: %v", err)
	}
	if report, err := s.Check(ctx); err != nil || report.Damage == nil {
		t.Errorf("%+v, %v", report, err)
	}
	if _, err := s.Clear(ctx, "n"); err != nil {
		t.Error(err)
	}
	if _, ok := number(t, s, id); ok {
		t.Error("it is there still")
	}
	put(t, s, id, 6)
	os.WriteFile(path, nil, 0o600)
	if _, err := s.ClearAll(ctx); err != nil {
		t.Error(err)
	}
	if _, ok := number(t, s, id); ok {
		t.Error("it is there still")
	}
}

// TestOtherFormats: what a newer dvlcache made is left as it is, and so is what isn't ours.
func TestOtherFormats(t *testing.T) {
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	for text, want := range map[string]string{
		"dvlcache folder 2\n": cache.ErrNewer.Error(),
		"shopping list\n":     "it is not that of a folder of dvlcache",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, formatName)
		os.WriteFile(path, []byte(text), 0o600)
		_, _, err := newQuick(dir).Get(context.Background(), id)
		if err == nil || err.Error() != "read "+path+": "+want {
			t.Errorf("%q: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("it became %q", now)
		}
		if names, _ := os.ReadDir(dir); len(names) != 1 {
			t.Errorf("there are %v", names)
		}
	}
}

// TestFewFiles: what is stored one by one, and in groups, lies in few files by itself, and
// in one when it is compacted. Lists that no entry shares go then, if they are old.
func TestFewFiles(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := newQuick(dir)
	defer s.Close()
	if err := storetest.PutNumbered(s, "n", 0, 1); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 1200; i++ {
		if err := storetest.PutNumbered(s, "n", i, i+1); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1200; i < 3000; i += 9 {
		if err := storetest.PutNumbered(s, "n", i, min(i+9, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(filesBelow(t, dir, "*")); n > 16*(mostLoose+1)+60 {
		t.Errorf("3000 entries lie in %d files", n)
	}
	list := func(k byte) cache.ID { return cache.ID{Namespace: "n", Key: key.Key{0xaa, k}} }
	for _, id := range []cache.ID{list(1), list(2)} {
		_, gen, _ := s.Get(ctx, id)
		if err := s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry { return &cache.Entry{List: []byte("names")} }); err != nil {
			t.Fatal(err)
		}
	}
	sharing := cache.ID{Namespace: "n", Key: key.Key{0xbb}}
	_, gen, _ := s.Get(ctx, sharing)
	if err := s.Update(ctx, sharing, gen, func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{}
		e.Begin(cache.Inputs{Shared: []key.Key{list(1).Key}})
		e.FindOrAdd("last").Add(cache.Sample{ID: 5, Value: 5}, "")
		return e
	}); err != nil {
		t.Fatal(err)
	}
	for round, want := range []bool{true, true, false} { // young, in a file of its own; young; old
		if err := s.Compact(ctx); err != nil {
			t.Fatal(err)
		}
		packs := filesBelow(t, dir, "pack.*")
		if n := len(filesBelow(t, dir, "*.????????????????")); len(packs) != 1 || n != 1 {
			t.Errorf("after compact there are %d packs, %d files of records", len(packs), n)
		}
		for k, there := range map[byte]bool{1: true, 2: want} {
			if e, _, err := s.Get(ctx, list(k)); err != nil || (e != nil) != there {
				t.Errorf("round %d: list %d: %+v, %v", round, k, e, err)
			}
		}
		if round == 1 {
			long := time.Now().Add(-2 * age)
			if err := os.Chtimes(packs[0], long, long); err != nil {
				t.Fatal(err)
			}
			s.Close() // it is open, with the time it had
		}
	}
	for i := range 3000 {
		if got, ok := number(t, s, cache.ID{Namespace: "n", Key: storetest.Numbered(i)}); !ok || got != float64(i) {
			t.Fatalf("call %d: %v, %v", i, got, ok)
		}
	}
	usage, err := s.Usage(ctx, nil)
	if err != nil || usage.Entries != 3001 || usage.Bytes < 3000*100 {
		t.Errorf("%+v, %v", usage, err)
	}
}

// TestLeftBehind: what somebody has begun and left long ago goes when the folder is
// compacted: files that aren't whole, and periods that are over. What is young stays.
func TestLeftBehind(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := newQuick(dir)
	defer s.Close()
	put(t, s, cache.ID{Namespace: "n", Key: storetest.Numbered(1)}, 1)
	p := mustCurrent(t, s, "n")
	long := time.Now().Add(-2 * age)
	var old, young []string
	for i, in := range []string{p.shard(3), p.packDir(), p.dir} {
		for _, at := range []time.Time{time.Now(), long} {
			name := filepath.Join(dir, in, fmt.Sprintf("%s%016x", tempPrefix, i))
			if at == long {
				name += "0"
				old = append(old, name)
			} else {
				young = append(young, name)
			}
			os.WriteFile(name, []byte("half"), 0o600)
			os.Chtimes(name, at, at)
		}
	}
	for _, at := range []time.Time{time.Now(), long} {
		token := cache.NewToken()
		if err := s.prepare(p.dir, token); err != nil {
			t.Fatal(err)
		}
		made := filepath.Join(dir, periodOf(p.dir, token))
		os.Chtimes(filepath.Join(made, madeName), at, at)
		if at == long {
			old = append(old, made)
		} else {
			young = append(young, made)
		}
	}
	if err := s.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range old {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	for _, name := range young {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
	if got, ok := number(t, s, cache.ID{Namespace: "n", Key: storetest.Numbered(1)}); !ok || got != 1 {
		t.Errorf("%v, %v", got, ok)
	}
}

// TestChangesOfOneEntry: of several changes of one entry in a group each gets what the one
// before made, and what one that comes to nothing has done to its copy is not among it.
func TestChangesOfOneEntry(t *testing.T) {
	ctx := context.Background()
	s := newQuick(t.TempDir())
	defer s.Close()
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	put(t, s, id, 1)
	_, gen, err := s.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var seen []int64
	change := func(store bool) cache.Change {
		return cache.Change{ID: id, Gen: gen, Change: func(e *cache.Entry) *cache.Entry {
			l := e.Find("last")
			seen = append(seen, l.Count)
			l.Repeated = true
			l.Add(cache.Sample{ID: cache.NewSampleID(), Value: 2}, "")
			if !store {
				return nil
			}
			return e
		}}
	}
	if errs := s.UpdateAll(ctx, []cache.Change{change(false), change(true), change(false), change(true)}); errs != nil {
		t.Fatal(errs)
	}
	if e, _, err := s.Get(ctx, id); err != nil || e.Find("last").Count != 3 || fmt.Sprint(seen) != "[1 1 2 2]" {
		t.Errorf("%d samples, %v, %v", e.Find("last").Count, seen, err)
	}
}
