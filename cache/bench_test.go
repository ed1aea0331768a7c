package cache

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
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
	stores := []*Bolt{NewBolt(filepath.Join(disk, "c"), time.Minute, nil), NewSession(memoryDir(b), time.Minute, nil)}
	ctx := context.Background()
	key := func(i int) (k Key) { binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15); return k }
	entry := func(*Entry) *Entry {
		e := &Entry{Output: &Output{Text: []byte("0.9130\n")}}
		e.FindOrAdd("last").Add(Sample{ID: 1, Value: 0.913}, "0.9130")
		return e
	}
	each := func(s *Bolt, n int, do func(i int) error) time.Duration {
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
			_, gen, err := s.Get(ctx, ID{"n", Key{}})
			if err != nil {
				b.Fatal(err)
			}
			puts[i] += each(s, batch, func(k int) error { return s.Update(ctx, ID{"n", key(n + k)}, gen, entry) })
			hits[i] += each(s, 10*batch, func(k int) error { _, _, err := s.Get(ctx, ID{"n", key(n + k%batch)}); return err })
			runtime.GC()
		}
		n += batch
	}
	b.ReportMetric(float64(puts[1])/float64(puts[0]), "put/bolt")
	b.ReportMetric(float64(hits[1])/float64(hits[0]), "hit/bolt")
}
