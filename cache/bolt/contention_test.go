//go:build unix

package bolt

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/key"
)

// contender says, in the environment of a process that BenchmarkContention has
// started, what it does: get or put, and the folder of the store.
const contender = "DVLCACHE_TEST_CONTENDER"

func TestMain(m *testing.M) {
	if role, dir, ok := strings.Cut(os.Getenv(contender), " "); ok {
		contend(role, dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// turn is one operation: when it asked for the lock, got it and let it go, in
// nanoseconds.
type turn struct {
	asked, got, done int64
	put              bool
}

// contend makes operations until stdin ends, and then prints its turns. Between
// them it leaves less time than a process takes to start.
func contend(role, dir string) {
	ctx := context.Background()
	s := New(dir, 0, nil)
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	_, gen, err := s.Get(ctx, id)
	entry := func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: []byte("0.9130\n")}}}
		e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 0.913}, "0.9130")
		return e
	}
	end := make(chan bool)
	go func() {
		os.Stdin.Read(make([]byte, 1))
		close(end)
	}()
	var turns []turn
	for more := true; more && err == nil; {
		t := turn{asked: time.Now().UnixNano(), put: role == "put"}
		var release func()
		if release, err = s.lock.acquire(ctx, !t.put); err != nil {
			break
		}
		t.got = time.Now().UnixNano()
		if t.put {
			rand.Read(id.Key[:])
			err = s.updateLocked(func(tx *bbolt.Tx) error {
				return updateOne(bucketsOf(tx), cache.Change{ID: id, Gen: gen, Change: entry})
			})
		} else {
			err = s.viewLocked(func(t *pages.Tree) error { return readEntries(t, []cache.ID{id}, make([]cache.Got, 1)) })
		}
		release()
		t.done = time.Now().UnixNano()
		turns = append(turns, t)
		select {
		case <-end:
			more = false
		case <-time.After(time.Millisecond):
		}
	}
	out := bufio.NewWriter(os.Stdout)
	for _, t := range turns {
		fmt.Fprintln(out, t.asked, t.got, t.done, t.put)
	}
	out.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const processes = 64 // of BenchmarkContention

// BenchmarkContention has 64 processes use one file for three seconds, half of
// them getting and half putting. Its metrics are for each half: how many a second,
// and how long one waited for the lock in the median, in 99 of 100 cases, and at
// most; and, where there was a queue, the longest wait in units of the holds of
// those that stood in it before (1 is a queue without any loss).
func BenchmarkContention(b *testing.B) {
	const long = 3 * time.Second
	for b.Loop() {
		dir := b.TempDir()
		s := New(dir, 0, nil)
		if _, _, err := s.Get(context.Background(), cache.ID{Namespace: "n", Key: key.Key{}}); err != nil {
			b.Fatal(err)
		}
		var contenders []*contending
		for i := range processes {
			role := "get"
			if i%2 == 1 {
				role = "put"
			}
			contenders = append(contenders, startContender(b, role, dir))
		}
		time.Sleep(long)
		for _, c := range contenders {
			c.stdin.Close()
		}
		var turns []turn
		var all int64 // when all had started
		for _, c := range contenders {
			its := c.turns(b)
			turns, all = append(turns, its...), max(all, its[0].asked)
		}
		reportTurns(b, turns, all)
	}
}

// contending is a contender that runs. It ends when its stdin does.
type contending struct {
	*exec.Cmd
	stdin io.Closer
	out   strings.Builder
}

func startContender(b *testing.B, role, dir string) *contending {
	c := &contending{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), contender+"="+role+" "+dir)
	c.Stdout, c.Stderr = &c.out, os.Stderr
	var err error
	if c.stdin, err = c.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *contending) turns(b *testing.B) (turns []turn) {
	if err := c.Wait(); err != nil {
		b.Error(err)
	}
	for line := range strings.Lines(c.out.String()) {
		var t turn
		if _, err := fmt.Sscan(line, &t.asked, &t.got, &t.done, &t.put); err != nil {
			b.Error(err)
		}
		turns = append(turns, t)
	}
	return turns
}

// reportTurns reports the turns from a moment on.
func reportTurns(b *testing.B, turns []turn, first int64) {
	slices.SortFunc(turns, func(a, b turn) int { return int(a.asked - b.asked) })
	last := first
	for _, t := range turns {
		last = max(last, t.done)
	}
	for _, put := range []bool{false, true} {
		name := map[bool]string{false: "get-", true: "put-"}[put]
		var waits []float64
		worst := 0.0
		for i, t := range turns {
			if t.put != put || t.asked < first {
				continue
			}
			wait := t.got - t.asked
			waits = append(waits, float64(wait)/1e6)
			// Those that had asked before and weren't done. Nobody here has
			// asked more than a second earlier, or the wait shows it.
			before, queue := t.done-t.got, 0
			for j := i - 1; j >= 0 && t.asked-turns[j].asked < 2e9; j-- {
				if turns[j].done > t.asked {
					before += turns[j].done - turns[j].got
					queue++
				}
			}
			if queue >= processes/8 { // or it is the scheduler's doing
				worst = max(worst, float64(wait)/float64(before))
			}
		}
		slices.Sort(waits)
		n := len(waits)
		b.ReportMetric(float64(n)/(float64(last-first)/1e9), name+"per-s")
		b.ReportMetric(waits[n/2], name+"p50-ms")
		b.ReportMetric(waits[n*99/100], name+"p99-ms")
		b.ReportMetric(waits[n-1], name+"longest-ms")
		b.ReportMetric(worst, name+"longest/holds")
	}
}
