package folder

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/storetest"
)

// onDisk is a folder that is on a disk, which /tmp may not be.
func onDisk(b *testing.B) string {
	dir, err := os.MkdirTemp(".", "bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// filesIn counts the files below a folder.
func filesIn(b *testing.B, dir string) (n int) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// median of some times.
func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// BenchmarkFolderBesideBolt compares a folder's hits and puts, one at a time, each by a
// process that has just begun, with those of bolt on the same disk, turn by turn. Its
// metrics are ratios of medians.
func BenchmarkFolderBesideBolt(b *testing.B) {
	ctx := context.Background()
	dirs := [2]string{onDisk(b), onDisk(b)}
	open := []func() cache.Store{
		func() cache.Store { return bolt.New(dirs[0], time.Minute, nil) },
		func() cache.Store { return New(dirs[1]) },
	}
	for _, s := range open {
		if err := storetest.PutNumbered(s(), "n", 0, 1000); err != nil {
			b.Fatal(err)
		}
	}
	var hits, puts [2][]time.Duration
	for n := 0; b.Loop(); n++ {
		for i := range open {
			s := open[i]()
			id := cache.ID{Namespace: "n", Key: storetest.Numbered(n % 1000)}
			start := time.Now()
			e, _, err := s.Get(ctx, id)
			hits[i] = append(hits[i], time.Since(start))
			if err != nil || e == nil {
				b.Fatal(e, err)
			}
			s.Close()
			s = open[i]()
			start = time.Now()
			if err := storetest.PutNumbered(s, "n", 1000+n, 1001+n); err != nil {
				b.Fatal(err)
			}
			puts[i] = append(puts[i], time.Since(start))
			s.Close()
		}
	}
	b.ReportMetric(float64(median(hits[1]))/float64(median(hits[0])), "hit/bolt")
	b.ReportMetric(float64(median(puts[1]))/float64(median(puts[0])), "put/bolt")
}

// BenchmarkFolderScale compares a folder of many entries, as many as the variable
// DVLCACHE_BENCH_ENTRIES says, with one of 1,000, both compacted, turn by turn; and looks up
// many at once.
func BenchmarkFolderScale(b *testing.B) {
	many := 20_000
	if n, err := strconv.Atoi(os.Getenv("DVLCACHE_BENCH_ENTRIES")); err == nil {
		many = n
	}
	ctx := context.Background()
	sizes := [2]int{1000, many}
	var dirs [2]string
	for i, n := range sizes {
		dir := onDisk(b)
		dirs[i] = dir
		s := New(dir)
		storetest.Fill(b, s, n)
		before := filesIn(b, dirs[i])
		start := time.Now()
		if err := s.Compact(ctx); err != nil {
			b.Fatal(err)
		}
		if took := time.Since(start).Seconds(); i == 1 {
			defer func() {
				b.ReportMetric(float64(before), "files-before")
				b.ReportMetric(took, "s-to-compact")
				b.ReportMetric(float64(filesIn(b, dir)), "files")
			}()
		}
		s.Close()
	}
	idOf := func(i int) cache.ID {
		return cache.ID{Namespace: []string{"default", "mnist"}[i%2], Key: storetest.Numbered(i)}
	}
	var hits [2][]time.Duration
	for n := 0; b.Loop(); n++ {
		for i, dir := range dirs {
			s := New(dir)
			start := time.Now()
			e, _, err := s.Get(ctx, idOf(n*7919%sizes[i]))
			hits[i] = append(hits[i], time.Since(start))
			if err != nil || e == nil {
				b.Fatal(e, err)
			}
			s.Close()
		}
	}
	b.ReportMetric(float64(median(hits[1]).Microseconds()), "hit-µs")
	b.ReportMetric(float64(median(hits[1]))/float64(median(hits[0])), "hit")
	s := New(dirs[1])
	defer s.Close()
	const group, groups = 1000, 50
	start := time.Now()
	for g := range groups {
		ids := make([]cache.ID, group)
		for i := range ids {
			n := ((g*group + i) * 7919) % many
			ids[i] = idOf(n &^ 1)
		}
		for i, got := range s.GetAll(ctx, ids) {
			if got.Err != nil || got.Entry == nil {
				b.Fatal(i, got.Err)
			}
		}
	}
	b.ReportMetric(group*groups/time.Since(start).Seconds(), "lookups/s")
	var keys []key.Key
	start = time.Now()
	err := s.Each(ctx, cache.Range{}, func(id cache.ID, _ *cache.Entry, _ *cache.RecordError) error {
		keys = append(keys, id.Key)
		return nil
	})
	if err != nil || len(keys) != many {
		b.Fatal(len(keys), err)
	}
	b.ReportMetric(time.Since(start).Seconds()*1e6/float64(many), "list-µs/entry")
}
