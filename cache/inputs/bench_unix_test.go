//go:build unix

package inputs

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// installCode fills a folder as interpreters find it, and returns a set of n names of
// it: of eight, six are files, one is a folder or listed, one is absent.
func installCode(b *bench, n int) (s Set, names []string) {
	root := b.path("../lib/python3.12/site-packages")
	s = b.record(func(r *Recorder) {
		for i := 0; len(names) < n; i++ {
			folder := fmt.Sprintf("%s/package%d/module%d", root, i%7, i)
			b.must(os.MkdirAll(folder, 0o700))
			names = append(names, folder)
			for j := range 12 {
				name := fmt.Sprintf("%s/source_%d.py", folder, j)
				b.must(os.WriteFile(name, fmt.Appendf(nil, "%s%0*d", name, 1000*j, 0), 0o600))
				names = append(names, name)
			}
			names = append(names, folder+"/source_0.so", folder+"/__init__.so")
		}
		names = names[:n]
		useCode(b, r, names)
	})
	settle()
	return s, names
}

// useCode tells of names as if a program had imported what lies there.
func useCode(b *bench, r *Recorder, names []string) {
	for i, name := range names {
		switch st, err := stampOf(name); {
		case err != nil:
			r.Absent(name, "train.py")
		case !st.Mode.IsDir():
			r.Opened(name, "train.py", st)
		case i%2 == 0:
			r.Looked(name, "train.py", st)
		default:
			entries, err := entriesOf(name)
			b.must(err)
			r.Listed(name, "train.py", st, entries)
		}
	}
}

// BenchmarkCheck: what a check of so many names costs, the set read from its encoding,
// and how many times that of bare stats of the same names, one after another, it is.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{20, 300, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newBench(b)
			s, names := installCode(w, n)
			record := s.Encode(nil)
			check := func() {
				s, err := Parse(record)
				w.must(err)
				m, err := NewChecker(w.o).Check(context.Background(), s)
				w.must(err)
				if m != nil {
					b.Fatal(m)
				}
			}
			check()
			// The processor's time too: it tells more where others are at work.
			var mine, bare, mineCPU, bareCPU time.Duration
			for b.Loop() {
				begun, cpu := time.Now(), processorTime()
				check()
				middle, middleCPU := time.Now(), processorTime()
				for _, name := range names {
					w.o.Digests.Stat(name)
				}
				mine, bare = mine+middle.Sub(begun), bare+time.Since(middle)
				mineCPU, bareCPU = mineCPU+middleCPU-cpu, bareCPU+processorTime()-middleCPU
			}
			b.ReportMetric(float64(mineCPU)/float64(bareCPU), "times-bare-cpu")
			b.ReportMetric(float64(mine)/float64(bare), "times-bare")
			b.ReportMetric(float64(mine.Microseconds())/float64(b.N), "µs-check")
			b.ReportMetric(float64(bare.Microseconds())/float64(b.N), "µs-bare")
			b.ReportMetric(float64(len(record))/float64(n), "bytes/name")
		})
	}
}

// BenchmarkRecord: what it takes to make a set of so many names that an evaluation was
// seen to use, of which all contents are remembered.
func BenchmarkRecord(b *testing.B) {
	w := newBench(b)
	_, names := installCode(w, 4000)
	for b.Loop() {
		b.StopTimer()
		r := NewRecorder(w.o)
		useCode(w, r, names)
		b.StartTimer()
		_, err := r.Set(context.Background())
		w.must(err)
	}
}

// BenchmarkCheckCold: the same without a memory of stamps, as the first hit after a
// miss.
func BenchmarkCheckCold(b *testing.B) {
	w := newBench(b)
	s, _ := installCode(w, 4000)
	for b.Loop() {
		w.must(os.RemoveAll(w.o.Memory))
		if m, err := NewChecker(w.o).Check(context.Background(), s); m != nil || err != nil {
			b.Fatal(m, err)
		}
	}
}

// processorTime is what all threads of this process have used.
func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
