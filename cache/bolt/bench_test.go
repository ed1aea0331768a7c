package bolt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/key"
	"dvlcache/cache/memcached"
	"dvlcache/cache/memcached/memcachedtest"
	"dvlcache/cache/storetest"
)

// memoryDir is a folder in memory, as a session has it, or any.
func memoryDir(b *testing.B) string {
	dir, err := os.MkdirTemp("/dev/shm", "dvlcache-bench-")
	if err != nil {
		return b.TempDir()
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// BenchmarkSession compares a session's puts and hits with those of bolt on
// disk, 8 at a time, turn by turn. Its metrics are ratios: 0.33 is a third.
func BenchmarkSession(b *testing.B) {
	disk, err := os.MkdirTemp(".", "bench-") // not in /tmp, which may be memory
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(disk) })
	stores := []*Store{New(filepath.Join(disk, "c"), time.Minute, nil), NewSession(memoryDir(b), time.Minute, nil)}
	ctx := context.Background()
	keyOf := func(i int) (k key.Key) { binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15); return k }
	entry := func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: []byte("0.9130\n")}}}
		e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 0.913}, "0.9130")
		return e
	}
	each := func(s *Store, n int, do func(i int) error) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := w; i < n; i += 8 {
					if err := do(i); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	var puts, hits [2]time.Duration
	n := 0
	for b.Loop() {
		const batch = 64
		for i, s := range stores {
			_, gen, err := s.Get(ctx, cache.ID{Namespace: "n", Key: key.Key{}})
			if err != nil {
				b.Fatal(err)
			}
			puts[i] += each(s, batch, func(k int) error { return s.Update(ctx, cache.ID{Namespace: "n", Key: keyOf(n + k)}, gen, entry) })
			hits[i] += each(s, 10*batch, func(k int) error {
				_, _, err := s.Get(ctx, cache.ID{Namespace: "n", Key: keyOf(n + k%batch)})
				return err
			})
			runtime.GC()
		}
		n += batch
	}
	b.ReportMetric(float64(puts[1])/float64(puts[0]), "put/bolt")
	b.ReportMetric(float64(hits[1])/float64(hits[0]), "hit/bolt")
}

// BenchmarkGuards measures what a hit pays so that nothing damaged is believed:
// the look at the file and at the path to the record, and the record's
// checksum. Its metric is the share of the wall time of `dvlcache run` of a hit
// that these take, in per cent.
func BenchmarkGuards(b *testing.B) {
	dir := b.TempDir()
	binary := program(b)
	run := func() {
		c := osexec.Command(binary, "run", "--", "/bin/echo", "0.9130")
		c.Env = append(os.Environ(), "DVLCACHE_DIR="+dir)
		if out, err := c.Output(); err != nil || string(out) != "0.9130\n" {
			b.Fatalf("%q, %v", out, err)
		}
	}
	// A cache of some size, so that there are branches on the path.
	s := New(dir, time.Minute, nil)
	if err := storetest.PutNumbered(s, "default", 0, 5000); err != nil {
		b.Fatal(err)
	}
	run()
	var hit, guards time.Duration
	id := cache.ID{Namespace: "default", Key: storetest.Numbered(100)}
	record := cache.Seal(id, &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: []byte("0.9130\n")}, Series: []cache.Series{{Extraction: "last", Text: "0.9130", Samples: make([]cache.Sample, 1)}}}})
	for b.Loop() {
		start := time.Now()
		run()
		hit += time.Since(start)

		m, err := s.mapFile()
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		err = files.Guard(func() error {
			t, err := pages.New(m.data)
			if err != nil {
				return err
			}
			if err := t.Path(bucketName("default"), id.Key[:], generationKey); err != nil {
				return err
			}
			_, err = cache.Unseal(id, record)
			return err
		})
		guards += time.Since(start)
		m.close()
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(guards)/float64(hit), "%-of-a-hit")
	b.ReportMetric(float64(guards.Microseconds())/float64(b.N), "µs-of-guards/op")
}

// program builds dvlcache.
func program(b *testing.B) string {
	binary := filepath.Join(b.TempDir(), "dvlcache")
	build := osexec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return binary
}

// anonymous is how much memory of its own a process has, in MiB; 0 where the
// system doesn't say.
func anonymous(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kib float64
	fmt.Sscan(rest, &kib)
	return kib / 1024
}

// runOn runs a command on a cache to its end, and returns what it took in seconds
// and the most memory of its own that it was seen to have, in MiB.
func runOn(b *testing.B, binary, dir string, args ...string) (seconds, most float64) {
	c := osexec.Command(binary, args...)
	c.Env = append(os.Environ(), "DVLCACHE_DIR="+dir)
	start := time.Now()
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatal(err)
			}
			return time.Since(start).Seconds(), most
		case <-time.After(20 * time.Millisecond):
			most = max(most, anonymous(c.Process.Pid))
		}
	}
}

// BenchmarkScale compares a store of many entries, as many as the variable
// DVLCACHE_BENCH_ENTRIES says, with one of 1,000, turn by turn. Its metrics are
// ratios of medians and, for the large one, times; and how many times the bytes of
// its keys and records the large file is, as it has grown and as clear leaves it.
// Nothing is synced: what is asked is what grows with the file.
func BenchmarkScale(b *testing.B) {
	many := 20_000
	if n, err := strconv.Atoi(os.Getenv("DVLCACHE_BENCH_ENTRIES")); err == nil {
		many = n
	}
	ctx := context.Background()
	command := storetest.ExampleCommand(1) // of about a hundred characters
	entry := func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: []byte("0.9130\n"), ID: 1, Time: time.Now()}}}
		e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 0.913, Seconds: 1, Time: time.Now()}, "0.9130")
		e.SetCommand(command)
		return e
	}
	keyOf := func(i int) key.Key { return sha256.Sum256(binary.AppendUvarint(nil, uint64(i))) }
	sizes := [2]int{1000, many}
	var stores [2]*Store
	var gens [2]cache.Generation
	for i, n := range sizes {
		s := NewSession(b.TempDir(), time.Minute, nil)
		_, gen, err := s.Get(ctx, cache.ID{Namespace: "n", Key: key.Key{}})
		if err != nil {
			b.Fatal(err)
		}
		for k := 0; k < n; {
			var changes []cache.Change
			for ; k < n && len(changes) < 2000; k++ {
				changes = append(changes, cache.Change{ID: cache.ID{Namespace: "n", Key: keyOf(k)}, Gen: gen, Change: entry})
			}
			if errs := s.UpdateAll(ctx, changes); errs != nil {
				b.Fatal(errs)
			}
		}
		stores[i], gens[i] = s, gen
	}
	var took [2]map[string][]float64
	measure := func(i int, what string, do func() error) {
		start := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		if took[i] == nil {
			took[i] = map[string][]float64{}
		}
		took[i][what] = append(took[i][what], time.Since(start).Seconds())
	}
	for n := 0; b.Loop(); n++ {
		for i, s := range stores {
			hit := cache.ID{Namespace: "n", Key: keyOf(n * 7919 % sizes[i])}
			s.Close() // as between processes
			get := func() error { _, _, err := s.Get(ctx, hit); return err }
			measure(i, "hit", get)
			measure(i, "again", get)
			measure(i, "put", func() error { return s.Update(ctx, cache.ID{Namespace: "n", Key: keyOf(many + n)}, gens[i], entry) })
			measure(i, "open-to-write", func() error { return s.update(ctx, func(*bbolt.Tx) error { return errUnchanged }) })
		}
	}
	median := func(i int, what string) float64 {
		all := slices.Sorted(slices.Values(took[i][what]))
		return all[len(all)/2]
	}
	for i, s := range stores {
		measure(i, "usage", func() error { _, err := s.Usage(ctx, nil); return err })
		measure(i, "list", func() error {
			return s.Each(ctx, cache.Range{}, func(cache.ID, *cache.Entry, *cache.RecordError) error { return nil })
		})
	}
	var net int
	binary, large := program(b), filepath.Dir(stores[1].Path())
	runOn(b, binary, large, "list") // now the file is in memory
	for _, args := range [][]string{{"list"}, {"list", "--sort", "value", "--limit", "10"}, {"stats"}} {
		name := "s-to-" + strings.Join(args[:min(2, len(args))], "-")
		seconds, most := runOn(b, binary, large, args...)
		b.ReportMetric(seconds, strings.ReplaceAll(name, "---", "-"))
		b.ReportMetric(most, strings.ReplaceAll("MiB"+name[1:], "---", "-"))
	}
	size := func(s *Store) (ratio float64) {
		net = 0
		if err := s.Each(ctx, cache.Range{}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
			net += len(id.Key) + len(cache.Seal(id, e))
			return nil
		}); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(s.Path())
		if err != nil {
			b.Fatal(err)
		}
		return float64(info.Size()) / float64(net)
	}
	b.ReportMetric(size(stores[1]), "size/net")
	b.ReportMetric(float64(net)/float64(many+b.N)-float64(len(key.Key{})), "bytes/record")
	for i, s := range stores {
		measure(i, "clear", func() error { _, err := s.Clear(ctx, "other"); return err }) // copies all
	}
	b.ReportMetric(size(stores[1]), "compacted/net")
	for _, what := range []string{"hit", "again", "put", "open-to-write"} {
		b.ReportMetric(median(1, what)/median(0, what), what)
		b.ReportMetric(median(1, what)*1e6, what+"-µs")
		b.ReportMetric((median(1, what)-median(0, what))*1e6, what+"-more-µs")
	}
	for _, what := range []string{"usage", "list", "clear"} {
		b.ReportMetric(median(1, what)/float64(sizes[1])*1e6, what+"-µs/entry")
	}
}

// BenchmarkTransfer exports 100,000 entries, or as many as DVLCACHE_BENCH_ENTRIES
// says, imports them into another file, and into a memcached, and looks each up
// there.
func BenchmarkTransfer(b *testing.B) {
	n := 100_000
	if v, err := strconv.Atoi(os.Getenv("DVLCACHE_BENCH_ENTRIES")); err == nil {
		n = v
	}
	from := New(b.TempDir(), time.Minute, nil)
	storetest.Fill(b, from, n)
	for b.Loop() {
		start := time.Now()
		lines, all := storetest.ExportOf(b, from)
		b.ReportMetric(time.Since(start).Seconds(), "s-to-export")
		start = time.Now()
		to := New(b.TempDir(), time.Minute, nil)
		storetest.ImportAll(b, to, all, cache.ConflictMerge)
		b.ReportMetric(time.Since(start).Seconds(), "s-to-import")
		start = time.Now()
		again, _ := storetest.ExportOf(b, to)
		if !bytes.Equal(again, lines) {
			b.Fatal("what is exported again differs")
		}
		b.ReportMetric(time.Since(start).Seconds(), "s-to-export-again")
		m, err := memcached.New(memcached.Config{Servers: []string{memcachedtest.Start(b, "-m", "1024").Address}})
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		storetest.ImportAll(b, m, all, cache.ConflictMerge)
		b.ReportMetric(time.Since(start).Seconds(), "s-to-memcached")
		for i := range all {
			if e, _, err := m.Peek(context.Background(), all[i].ID); err != nil || e == nil {
				b.Fatalf("entry %d is no hit on memcached: %v", i, err)
			}
		}
		m.Close()
	}
}
