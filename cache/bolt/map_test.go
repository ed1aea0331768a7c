//go:build unix

package bolt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/storetest"
)

// TestMappingFollowsTheFile: a process that reads again and again finds what
// others make of it: entries, a smaller file in its place, an older one that
// somebody has copied back, none at all, and garbage.
func TestMappingFollowsTheFile(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); testMappingFollows(t, seed) })
	}
}

func testMappingFollows(t *testing.T, seed uint64) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "cache.db")
	rng := rand.New(rand.NewPCG(seed, 0))
	reader := NewSession(dir, time.Minute, nil)
	defer reader.Close()
	const keys = 300
	stored := map[int]float64{}
	backup, then := []byte(nil), stored
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for step := range 60 {
		other := NewSession(dir, time.Minute, nil)
		what := rng.IntN(10)
		switch what {
		default: // several of them, so that pages are split and come free
			for range 1 + rng.IntN(50) {
				k := rng.IntN(keys)
				id := cache.ID{Namespace: "n", Key: storetest.Numbered(k)}
				_, gen, err := other.Get(ctx, id)
				must(err)
				value := rng.Float64()
				must(other.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
					e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: make([]byte, rng.IntN(2000))}}}
					e.FindOrAdd("last").Add(cache.Sample{ID: 1 + rng.Uint64N(1<<60), Value: value}, "")
					return e
				}))
				stored[k] = value
			}
		case 3:
			_, err := other.Clear(ctx, "n")
			must(err)
			clear(stored)
		case 4:
			must(other.Compact(ctx))
		case 5:
			if backup != nil {
				to := path // written over, or a file of its own
				if rng.IntN(2) == 0 {
					to += ".restored"
				}
				must(os.WriteFile(to, backup, 0o600))
				must(os.Rename(to, path))
				stored = maps.Clone(then)
			}
		case 6, 9:
			if data, err := os.ReadFile(path); err == nil {
				backup, then = data, maps.Clone(stored)
			}
		case 7:
			if rng.IntN(3) == 0 {
				os.Remove(path)
				clear(stored)
			}
		case 8:
			if rng.IntN(3) == 0 && len(stored) > 0 {
				must(os.Truncate(path, int64(rng.IntN(8192))))
				clear(stored)
			}
		}
		other.Close()
		for i := range 10 {
			k := rng.IntN(keys)
			look := reader.Peek // which mends nothing
			if i == 0 && what == 8 {
				look = reader.Get
			}
			e, _, err := look(ctx, cache.ID{Namespace: "n", Key: storetest.Numbered(k)})
			must(err)
			value, ok := stored[k]
			if found := e.Find("last"); ok != (found != nil) || ok && found.Mean != value {
				t.Fatalf("step %d (%d): entry %d is %v, to be %v, %v", step, what, k, found, value, ok)
			}
		}
	}
}

// TestForeignLock: a foreign program that has locked the file is waited for, and
// not for ever.
func TestForeignLock(t *testing.T) {
	ctx := context.Background()
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	s := NewSession(t.TempDir(), time.Nanosecond, nil) // so at least a second
	defer s.Close()
	if err := storetest.PutNumbered(s, "n", 1, 2); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Get(ctx, id); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, s := range []*Store{s, NewSession(filepath.Dir(s.Path()), time.Nanosecond, nil)} {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(ctx, id); !errors.Is(err, cache.ErrLockTimeout) {
			t.Errorf("under a foreign lock: %v", err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		if e, _, err := s.Get(ctx, id); err != nil || e.Find("last").Mean != 1 {
			t.Errorf("after a foreign lock: %v, %v", e, err)
		}
		s.Close()
	}
}
