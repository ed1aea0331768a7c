//go:build unix

package cmd

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
	"dvlcache/exec/valuation"
)

// valueBench is a workbench with a utility that nobody has to run: fill puts its numbers
// into the cache.
func valueBench(b *testing.B) *workbench {
	w := newWorkbench(b)
	w.write("u.sh", "#!/bin/sh\nexit 1\n")
	b.Chdir(w.dir)
	for _, name := range []string{"DVLCACHE_DIR", "XDG_CONFIG_HOME", "DVLCACHE_LOCK_TIMEOUT", "DVLCACHE_TRACK"} {
		b.Setenv(name, w.getenv(name))
	}
	time.Sleep(2100 * time.Millisecond) // until the program's digest is remembered
	return w
}

// fill stores what `value --points 1-n` with these evaluations asks ./u.sh for, under
// further flags, as if it had been evaluated, and returns how many subsets that are.
func (w *workbench) fill(b *testing.B, n, evaluations int, unordered bool) int {
	b.Helper()
	given := map[string][]string{}
	if unordered {
		given["unordered"] = []string{"indices"}
	}
	s, origins, err := config.Load(given)
	if err != nil {
		b.Fatal(err)
	}
	q, s, _, err := query(s, origins, []string{"./u.sh", "--indices", "{}"})
	if err != nil {
		b.Fatal(err)
	}
	program, err := process.LookPath(q.Args[0])
	if err != nil {
		b.Fatal(err)
	}
	p, err := newPlayers(fmt.Sprintf("1-%d", n), "")
	if err != nil {
		b.Fatal(err)
	}
	command, err := subsetCommand(q.Args, q.Rules, p)
	if err != nil {
		b.Fatal(err)
	}
	a := newAsker(s, q, &exec.Memo{}, command, p)
	store := bolt.New(s.Dir, 0, nil)
	defer store.Close()
	digests := key.NewDigests(filepath.Join(s.Dir, "digests"))
	defer digests.Close()
	ctx := context.Background()
	spec := key.CallSpec{Args: q.Args, Program: program, Rules: q.Rules, TrackArgs: q.TrackArgs, Paths: q.Paths, Env: q.Env, LookupEnv: os.LookupEnv, Leave: q.Leave, Safe: q.Safe}
	x, err := key.NewIdentifier(ctx, spec, digests)
	if err != nil {
		b.Fatal(err)
	}
	v, err := valuation.New(valuation.Settings{Players: n, Seed: 1, Evaluations: evaluations})
	if err != nil {
		b.Fatal(err)
	}
	_, gen, err := store.Get(ctx, cache.ID{Namespace: s.Namespace})
	if err != nil {
		b.Fatal(err)
	}
	var changes []cache.Change
	flush := func() {
		if errs := cache.UpdateAll(ctx, store, changes); errs != nil {
			b.Fatal(errs)
		}
		changes = changes[:0]
	}
	for !v.Done() {
		for i, set := range v.Subsets() {
			value := utilityOf(set, n)
			v.Answer(i, value, 0)
			known, err := x.Identify(ctx, a.line(i, set).Args, nil)
			if err != nil {
				b.Fatal(err)
			}
			text := number.Format(value)
			changes = append(changes, cache.Change{ID: cache.ID{Namespace: s.Namespace, Key: known.Key}, Gen: gen, Change: func(*cache.Entry) *cache.Entry {
				e := &cache.Entry{Created: time.Now()}
				sample := cache.Sample{ID: cache.NewSampleID(), Value: value, Seconds: 0.2, Time: time.Now()}
				e.Output = &cache.Output{ID: sample.ID, Text: []byte(text + "\n"), Seconds: sample.Seconds, Time: sample.Time}
				e.SetCommand(known.Command(true))
				e.FindOrAdd(q.Extraction.String()).Add(sample, text)
				return e
			}})
			if len(changes) == 1000 {
				flush()
			}
		}
		flush()
		if err := v.Advance(); err != nil {
			b.Fatal(err)
		}
	}
	return v.Asked()
}

// utilityOf is a score that rises with the size of a subset, and hangs on who is in it.
func utilityOf(set valuation.Subset, n int) float64 {
	good := 0
	for _, i := range set {
		good += int(i) * 7 % 11
	}
	return math.Round(1e4*(1-math.Exp(-float64(good)/float64(n)))) / 1e4
}

// measured runs dvlcache and returns what it took, of the clock, of the processor, and, in
// MiB, of memory: its own, without the cache's file.
func (w *workbench) measured(b *testing.B, args ...string) (took, processor time.Duration, memory float64) {
	b.Helper()
	c := w.command(args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	start := time.Now()
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	seen := make(chan int)
	go func() {
		most := 0
		for {
			most = max(most, processKiB(c.Process.Pid, "RssAnon:"))
			select {
			case <-ended:
				seen <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	err := c.Wait()
	took = time.Since(start)
	close(ended)
	if err != nil && !strings.Contains(out.String(), "time is up") {
		b.Fatalf("%v: %s", err, out.String())
	}
	return took, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), float64(<-seen) / 1024
}

// BenchmarkValueCached values 1,000 points by 200,000 subsets that are all stored, by the
// real program: its start, keys, look-ups, estimates and output.
func BenchmarkValueCached(b *testing.B) {
	for _, unordered := range []bool{false, true} {
		b.Run(map[bool]string{false: "ordered", true: "unordered"}[unordered], func(b *testing.B) {
			w := valueBench(b)
			args := []string{"value", "--points", "1-1000", "--evaluations", "200n", "--only-cached", "--quiet", "--output", "values.tsv"}
			if unordered {
				args = append(args, "--unordered", "indices")
			}
			args = append(args, "--", "./u.sh", "--indices", "{}")
			asked := float64(w.fill(b, 1000, 200_000, unordered))
			best, processor, memory := time.Hour, time.Hour, 0.0
			for b.Loop() {
				t, p, m := w.measured(b, args...)
				best, processor, memory = min(best, t), min(processor, p), max(memory, m)
			}
			b.ReportMetric(asked/best.Seconds(), "subsets/s")
			b.ReportMetric(float64(processor.Nanoseconds())/1e3/asked, "µs-of-processor/subset")
			b.ReportMetric(memory, "MiB")
		})
	}
}

// BenchmarkValueManyPoints values 10,000 points by 2 subsets a point, all stored.
func BenchmarkValueManyPoints(b *testing.B) {
	w := valueBench(b)
	asked := float64(w.fill(b, 10_000, 20_000, false))
	best, memory := time.Hour, 0.0
	for b.Loop() {
		t, _, m := w.measured(b, "value", "--points", "1-10000", "--evaluations", "2n", "--only-cached", "--quiet", "--output", "values.tsv", "--", "./u.sh", "--indices", "{}")
		best, memory = min(best, t), max(memory, m)
	}
	b.ReportMetric(asked/best.Seconds(), "subsets/s")
	b.ReportMetric(memory, "MiB")
}

// BenchmarkValueManyCold evaluates subsets of 10,000 points that nobody has stored, for
// some seconds, which show what memory that takes.
func BenchmarkValueManyCold(b *testing.B) {
	memory := 0.0
	for b.Loop() {
		w := newWorkbench(b)
		w.write("u.sh", "#!/bin/sh\necho 0.${#2}\n")
		_, _, m := w.measured(b, "value", "--points", "1-10000", "--evaluations", "2n", "--max-time", "15s", "--jobs", "2", "--quiet", "--", "./u.sh", "--indices", "{}")
		memory = max(memory, m)
	}
	b.ReportMetric(memory, "MiB")
}

// BenchmarkValueTogether compares four processes that value the same points with one:
// the utility takes 0.2 s of waiting, and no processor.
func BenchmarkValueTogether(b *testing.B) {
	var ratios []float64
	for b.Loop() {
		var took [2]time.Duration
		for i, processes := range []int{1, 4} {
			w := newWorkbench(b)
			w.write("u.sh", "#!/bin/sh\nsleep 0.2\necho 0.${#2}\n")
			start := time.Now()
			var all sync.WaitGroup
			for range processes {
				all.Go(func() {
					c := w.command("value", "--points", "1-20", "--evaluations", "10n", "--quiet", "--", "./u.sh", "--indices", "{}")
					if out, err := c.CombinedOutput(); err != nil {
						b.Errorf("%v: %s", err, out)
					}
				})
			}
			all.Wait()
			took[i] = time.Since(start)
		}
		ratios = append(ratios, took[1].Seconds()/took[0].Seconds())
	}
	b.ReportMetric(slices.Sorted(slices.Values(ratios))[len(ratios)/2], "four/one")
}
