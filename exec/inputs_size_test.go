package exec

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
	"dvlcache/exec/observe"
)

// manyInputs is what a program reads that imports much: names of the system, and a few of
// the experiment in dir.
func manyInputs(tb testing.TB, names int, dir string) inputs.Set {
	var list []inputs.Observation
	for i := range names {
		list = append(list, inputs.Observation{
			Name: fmt.Sprintf("/usr/lib/python3/dist-packages/package%02d/module%04d.py", i/100, i),
			Kind: inputs.Contents, By: "train.py", Sum: key.Digest{byte(i), byte(i >> 8)},
		})
	}
	for _, o := range []inputs.Observation{
		{Name: dir, Kind: inputs.Listing, Sum: key.Digest{1}, Names: "abcdefghi"},
		{Name: dir + "/train.py", Kind: inputs.Contents, Sum: key.Digest{2}},
		{Name: dir + "/pybuilddir.txt", Kind: inputs.Absent},
		{Name: dir + "/data.csv", Kind: inputs.Contents, Sum: key.Digest{3}},
		{Name: filepath.Dir(dir), Kind: inputs.Folder},
	} {
		o.By = "train.py"
		list = append(list, o)
	}
	set, ok := inputs.NewSet(list)
	if !ok {
		tb.Fatal("the inputs disagree")
	}
	return set
}

// fileOf returns how many bytes the file has of that many entries under inputs or, where
// the set is empty, under none. Three evaluations have stored the set, each in a process
// of its own.
func fileOf(tb testing.TB, entries int, set inputs.Set, places inputs.Places) float64 {
	dir := tb.TempDir()
	store := bolt.NewSession(dir, 0, func(text string) { tb.Error(text) }) // syncs nothing
	ctx := context.Background()
	var changes []cache.Change
	var in cache.Inputs
	for i := range entries {
		if set.Len() > 0 && i < 3 {
			var err error
			observer := &observe.Observer{Options: inputs.Options{Places: places}}
			if in, err = observer.Store(ctx, store, "n", cache.Token{}, set); err != nil {
				tb.Fatal(err)
			}
		}
		id := cache.ID{Namespace: "n", Key: sha256.Sum256(fmt.Append(nil, i))}
		_, gen, err := store.Get(ctx, id)
		if err != nil {
			tb.Fatal(err)
		}
		under := in
		sample := cache.Sample{ID: cache.NewSampleID(), Value: 0.9, Seconds: 1, Time: time.Now()}
		changes = append(changes, cache.Change{ID: id, Gen: gen, Change: func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{Created: time.Now()}
			e.Begin(under)
			e.Output = &cache.Output{ID: sample.ID, Seconds: 1, Time: sample.Time, Text: []byte("trained on 4 points of 1 species\n0.9000\n")}
			e.SetCommand(storetest.ExampleCommand(i))
			e.FindOrAdd("last").Add(sample, "0.9000")
			return e
		}})
		if len(changes) == 100 || i == entries-1 {
			if errs := cache.UpdateAll(ctx, store, changes); errs != nil {
				tb.Fatal(errs)
			}
			changes = changes[:0]
		}
	}
	if err := store.Compact(ctx); err != nil {
		tb.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "cache.db"))
	if err != nil {
		tb.Fatal(err)
	}
	return float64(info.Size())
}

// underInputs compares the files of entries with inputs and without.
func underInputs(tb testing.TB, entries int) (auto, args float64) {
	const dir = "/home/u/experiments/iris"
	places := inputs.Places{Home: "/home/u", Tmp: "/tmp", Dir: dir, Project: dir}
	return fileOf(tb, entries, manyInputs(tb, 4000, dir), places), fileOf(tb, entries, inputs.Set{}, places)
}

// TestEntriesShareInputs: what entries were seen to use is stored once for all of them.
func TestEntriesShareInputs(t *testing.T) {
	const entries = 10000
	auto, args := underInputs(t, entries)
	if limit := 1.3*args + 2<<20; auto > limit {
		t.Errorf("the file of %d entries under inputs has %.0f bytes, more than %.0f: without them it has %.0f", entries, auto, limit, args)
	}
}

func BenchmarkEntriesUnderInputs(b *testing.B) {
	var auto, args float64
	for b.Loop() {
		auto, args = underInputs(b, 10000)
	}
	b.ReportMetric(auto/args, "auto/args")
	b.ReportMetric((auto-args)/(1<<20), "MiB-more")
}
