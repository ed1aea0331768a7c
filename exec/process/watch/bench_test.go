//go:build linux && (amd64 || arm64)

package watch

import (
	"math"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/trap"
)

// BenchmarkStart is what watching adds to a program that does next to nothing.
func BenchmarkStart(b *testing.B) {
	benchmark(b, exec.Command("/bin/true"), 1)
}

// BenchmarkCalls is a program that looks at one name again and again; per call.
func BenchmarkCalls(b *testing.B) {
	const calls = 100000
	benchmark(b, exec.Command("/usr/bin/perl", "-e", "for (1..100000) { -e '/etc/passwd' }"), calls)
}

// BenchmarkImports is a Python program that imports what data scientists do.
func BenchmarkImports(b *testing.B) {
	cmd := exec.Command("/usr/bin/python3", "-c", "import sklearn.linear_model, sklearn.ensemble, pandas")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Skipf("needs python3-sklearn and python3-pandas: %s", out)
	}
	benchmark(b, exec.Command(cmd.Path, cmd.Args[1:]...), 1)
}

// benchmark runs a command bare, with its calls let through, and watched, in turn, and
// reports how they compare: the shortest times, since others use the machine too, and the
// processor's, ours included.
func benchmark(b *testing.B, cmd *exec.Cmd, calls float64) {
	again := func() *exec.Cmd {
		return &exec.Cmd{Path: cmd.Path, Args: cmd.Args, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	}
	never := least{math.Inf(1), math.Inf(1)}
	bare, through, watched := never, never, never
	for b.Loop() {
		bare.measure(func() {
			if err := again().Run(); err != nil {
				b.Fatal(err)
			}
		})
		through.measure(func() { letThrough(b, again()) })
		watched.measure(func() {
			w, err := Start(again(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Wait(); err != nil {
				b.Fatal(err)
			}
			w.Finish()
		})
	}
	b.ReportMetric(bare.wall/calls*1e6, "µs-bare")
	b.ReportMetric((watched.wall-bare.wall)/calls*1e6, "µs-more")
	b.ReportMetric(watched.wall/bare.wall, "ratio")
	b.ReportMetric(through.wall/bare.wall, "ratio-through")
	b.ReportMetric((watched.processor-bare.processor)/calls*1e6, "µs-more-cpu")
	b.ReportMetric(watched.processor/bare.processor, "ratio-cpu")
	b.ReportMetric(through.processor/bare.processor, "ratio-through-cpu")
	b.ReportMetric(0, "ns/op")
}

// letThrough runs a command whose calls are received and let through by the keeper, which
// is a loop of bare system calls: what the kernel's part of a watch costs, whoever looks.
func letThrough(b *testing.B, cmd *exec.Cmd) {
	installed, begin, started := make(chan int), make(chan bool), make(chan error)
	go onFreshThread(func() {
		listener, err := trap.Install(!trap.Privileged())
		if installed <- listener; err == nil && <-begin {
			started <- cmd.Start()
		}
	})
	listener := <-installed
	if listener < 0 {
		b.Fatal("there is no filter")
	}
	defer unix.Close(listener)
	keeper, err := trap.StartKeeper(listener, false)
	if begin <- err == nil; err != nil {
		b.Fatal(err)
	}
	keeper.HandOver()
	if err = <-started; err == nil {
		err = cmd.Wait()
	}
	keeper.TakeOver(false, false)
	keeper.Wait()
	if err != nil {
		b.Fatal(err)
	}
}

// least are the least seconds that something took.
type least struct{ wall, processor float64 }

func (l *least) measure(f func()) {
	start, before := time.Now(), processorTime()
	f()
	l.wall = min(l.wall, time.Since(start).Seconds())
	l.processor = min(l.processor, processorTime()-before)
}

func processorTime() (sum float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		syscall.Getrusage(who, &u)
		sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	return sum
}
