package exec

import (
	"context"
	"io"
	"path/filepath"
	"strconv"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// BenchmarkBatch answers lines that are stored, 1,000 different ones again and
// again. An iteration is a line.
func BenchmarkBatch(b *testing.B) {
	for _, backend := range []string{"memory", "bolt"} {
		for _, rules := range []key.Rules{{}, {Unordered: []string{"indices"}}} {
			name := backend
			if rules.Unordered != nil {
				name += " unordered"
			}
			b.Run(name, func(b *testing.B) {
				dir := b.TempDir()
				memo := &Memo{
					Store:   cache.Store(cache.NewMemory()),
					Stats:   stats.New(filepath.Join(dir, "stats")),
					Digests: key.NewDigests(filepath.Join(dir, "digests")),
					Runner:  &process.Runner{},
					Warn:    func(message, _ string) { b.Error(message) },
				}
				if backend == "bolt" {
					memo.Store = bolt.New(dir, 0, nil)
				}
				extraction, err := number.ParseExtraction("regex:([0-9]+)$", false)
				if err != nil {
					b.Fatal(err)
				}
				lines := make([]Line, 1000)
				for i := range lines {
					subset := "1,4,7,50,100,101,102," + strconv.Itoa(i)
					lines[i] = Line{Number: i + 1, Input: subset, Args: []string{"echo", "--indices", subset}}
				}
				run := func(n int) {
					batch := &Batch{
						Memo:  memo,
						Query: Query{Args: []string{"echo"}, Rules: rules, TrackArgs: true, Paths: key.PathsAbsolute, Extraction: extraction},
						Jobs:  4,
						Emit:  func(a LineAnswer) error { return a.Err },
						Flush: func() error { return nil },
					}
					read := func() (group []Line, more bool, err error) {
						if n <= 0 {
							return nil, false, io.EOF
						}
						group = lines[:min(n, len(lines))]
						n -= len(group)
						return group, n > 0, nil
					}
					if _, err := batch.Run(context.Background(), read); err != nil {
						b.Fatal(err)
					}
				}
				run(len(lines))
				b.ReportAllocs()
				b.ResetTimer()
				run(b.N)
			})
		}
	}
}
