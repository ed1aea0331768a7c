package cache_test

import (
	"bytes"
	"context"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/memcached"
	"dvlcache/cache/memcached/memcachedtest"
	"dvlcache/cache/storetest"
)

func TestExportAndImportAgain(t *testing.T) {
	const n = 3000
	from := bolt.New(t.TempDir(), time.Minute, nil)
	storetest.Fill(t, from, n)
	lines, all := storetest.ExportOf(t, from)
	to := bolt.New(t.TempDir(), time.Minute, nil)
	if got := storetest.ImportAll(t, to, all, cache.ConflictMerge); got.Added != n {
		t.Fatalf("%+v", got)
	}
	if again, _ := storetest.ExportOf(t, to); !bytes.Equal(again, lines) {
		t.Error("what is exported again differs")
	}
	for _, conflict := range []cache.Conflict{cache.ConflictKeep, cache.ConflictReplace, cache.ConflictMerge} {
		if got := storetest.ImportAll(t, to, all, conflict); got.Same != n {
			t.Errorf("%s a second time: %+v", conflict, got)
		}
	}
	m, err := memcached.New(memcached.Config{Servers: []string{memcachedtest.Start(t).Address}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got := storetest.ImportAll(t, m, all, cache.ConflictMerge); got.Added != n {
		t.Fatalf("memcached: %+v", got)
	}
	for i, x := range all {
		e, _, err := m.Get(context.Background(), x.ID)
		if err != nil || e == nil || !bytes.Equal(cache.Export(x.ID, e), cache.Export(x.ID, x.Entry)) {
			t.Fatalf("entry %d on memcached: %+v, %v", i, e, err)
		}
	}
}

// TestRecordIsSmall: a single number of a command of 100 characters.
func TestRecordIsSmall(t *testing.T) {
	e := &cache.Entry{Created: time.Unix(1.7e9, 0)}
	x := cache.Sample{ID: cache.NewSampleID(), Value: 0.913, Seconds: 1.5, Time: e.Created}
	e.Output = &cache.Output{Text: []byte("0.9130\n"), ID: x.ID, Seconds: x.Seconds, Time: x.Time}
	e.FindOrAdd("last").Add(x, "0.9130")
	e.SetCommand(storetest.ExampleCommand(1))
	chars := 0
	for _, arg := range storetest.ExampleCommand(1).Args {
		chars += len(arg) + 1
	}
	if rec := cache.Seal(cache.ID{"default", key.Key{1}}, e); len(rec) > 400 || chars < 100 {
		t.Errorf("%d bytes for a command of %d characters", len(rec), chars)
	}
}

// TestMergeInAnyOrder: three places that each add samples and import from each
// other end up with the same, however it goes, and each sample counts once.
func TestMergeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var places [3]cache.Series
		total := int64(0)
		moments := cache.Moments{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i, j := rapid.IntRange(0, 2).Draw(t, "i"), rapid.IntRange(0, 2).Draw(t, "j")
			if i == j {
				x := cache.Sample{ID: cache.NewSampleID(), Value: rapid.Float64Range(-1e3, 1e3).Draw(t, "value"), Time: time.Unix(total, 0)}
				places[i].Add(x, "")
				total++
				moments = moments.Add(x.Value)
				continue
			}
			from := &cache.Entry{Variant: cache.Variant{Series: []cache.Series{places[j]}}}
			_, e, err := cache.ParseExport(cache.Export(cache.ID{}, from))
			if places[j].Count == 0 {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			places[i].Merge(&e.Series[0])
			if before := places[i].Count; places[i].Merge(&e.Series[0]) || places[i].Count != before {
				t.Fatal("a second time it changes something")
			}
		}
		for range 2 {
			for i := range places {
				for j := range places {
					places[i].Merge(&places[j])
				}
			}
		}
		for i := range places {
			s := &places[i]
			if s.Count != total || int64(len(s.Samples)) != min(total, cache.MaxSamples) || !reflect.DeepEqual(s.Moments, places[0].Moments) {
				t.Fatalf("place %d: %d of %d samples, %+v", i, s.Count, total, s.Moments)
			}
			if diff := s.Mean - moments.Mean; diff > 1e-9 || diff < -1e-9 {
				t.Fatalf("place %d: mean %v, want %v", i, s.Mean, moments.Mean)
			}
		}
	})
}

// TestWrongItem: what is wrong with an item is said, and nothing else.
func TestWrongItem(t *testing.T) {
	e := &cache.Entry{Created: time.Unix(1.7e9, 0)}
	e.FindOrAdd("last").Add(cache.Sample{ID: 5, Value: 0.5}, "0.50")
	e.SetCommand(storetest.ExampleCommand(1))
	line := cache.Export(cache.ID{"n", key.Key{1}}, e)
	for with, want := range map[string]string{
		`{"text":"iris.csv","digest":"07"}`: `command: "07" is not the beginning of a digest`,
		`{"text":"iris.csv","place":128}`:   `command: 128 is no place`,
	} {
		wrong := bytes.Replace(line, []byte(`{"text":"iris.csv","digest":"0700000000000000"}`), []byte(with), 1)
		if _, _, err := cache.ParseExport(wrong); err == nil || err.Error() != want {
			t.Errorf("%s: %v", with, err)
		}
	}
}

func FuzzParseExport(f *testing.F) {
	e := &cache.Entry{Created: time.Unix(1.7e9, 0), Variant: cache.Variant{Output: &cache.Output{Text: []byte("x\xff"), ID: 3}}}
	e.FindOrAdd("last").Add(cache.Sample{ID: 5, Value: 0.5}, "0.50")
	e.SetCommand(storetest.ExampleCommand(1))
	f.Add(cache.Export(cache.ID{"n", key.Key{1}}, e))
	f.Fuzz(func(t *testing.T, line []byte) {
		id, e, err := cache.ParseExport(line)
		if err != nil {
			return
		}
		again := cache.Export(id, e)
		id2, e2, err := cache.ParseExport(again)
		if err != nil || id2 != id || !bytes.Equal(cache.Export(id2, e2), again) {
			t.Fatalf("%s is read back as %s, %v", again, cache.Export(id2, e2), err)
		}
		if _, err := cache.Unseal(id, cache.Seal(id, e)); err != nil {
			t.Fatal(err)
		}
	})
}
