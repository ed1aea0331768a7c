//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// hold takes a lock of the cache.
func (v *victim) hold(name string, shared bool) *flock.Flock {
	lock := flock.New(filepath.Join(v.cache, name))
	take := lock.TryLock
	if shared {
		take = lock.TryRLock
	}
	if ok, err := take(); !ok {
		v.fail("the lock is not to be had: %v", err)
	}
	return lock
}

// headFaults: the heads of the bolt file are damaged, and salvaged when that is asked
// for: nothing is lost where it is a byte of each, and the last change at most where
// all of one is gone. Here that was made in another namespace.
func headFaults() []faultKind {
	return []faultKind{{name: "cache.db: heads flipped", plan: func(rng *rand.Rand) (string, func(*victim)) {
		const headAt, headSize = 16, 64
		heads := [][]int{{0}, {1}, {0, 1}}[rng.IntN(3)]
		bytes, flip := [2]int{rng.IntN(headSize), rng.IntN(headSize)}, byte(1+rng.IntN(255))
		gone := len(heads) == 1 && rng.IntN(4) == 0 // all of it
		template := []string{"small", "large"}[rng.IntN(2)]
		aside := rng.IntN(2) == 0 // it is salvaged only after it was set aside
		fresh := 10000 + rng.IntN(10000)
		return fmt.Sprint(heads, bytes, flip, gone, template, aside, fresh), func(v *victim) {
			v.begin(template)
			v.believe(map[string]int{"small": smallCache, "large": largeCache}[template])
			path := filepath.Join(v.cache, "cache.db")
			if err := rewriteFile(path, func(data []byte) []byte {
				for _, head := range heads {
					data[head*pageSize+headAt+bytes[head]] ^= flip
					if gone {
						clear(data[head*pageSize:][:pageSize])
					}
				}
				return data
			}); err != nil {
				v.fail("it could not be injured: %v", err)
			}
			salvage := []string{"check", "--salvage"}
			if aside {
				if said := v.ask(fresh); !strings.Contains(said, "a fresh one is begun") {
					v.fail("it said %q", said)
				}
				kept, _ := filepath.Glob(path + ".broken-*")
				salvage = append(salvage, kept...)
			}
			r := v.run(salvage...)
			if r.status != 0 || strings.Contains(r.out, "lost: ") != gone || !strings.Contains(r.out, "salvaged: ") {
				v.fail("%q: status %d\n%s%s", salvage, r.status, r.out, r.errs)
			}
			v.noneLost()
			v.sound()
			v.goesOn(fresh)
		}
	}}}
}

// heldLockFaults: a lock is held while a co-process that has few descriptors asks
// again and again.
func heldLockFaults() []faultKind {
	if _, err := osexec.LookPath("bash"); err != nil {
		return nil
	}
	return []faultKind{{name: "limit: locks held under few descriptors", slow: true, plan: func(rng *rand.Rand) (string, func(*victim)) {
		name, shared := []string{"gate.lock", "cache.lock"}[rng.IntN(2)], rng.IntN(3) == 0
		n, first, jobs := fewestFiles+4+rng.IntN(20), 7000+rng.IntN(1000), 1+rng.IntN(2)
		return fmt.Sprint(name, shared, n, first, jobs), func(v *victim) {
			const lines = 25
			v.begin("small")
			v.believe(smallCache)
			lock := v.hold(name, shared)
			feed := `ulimit -n ` + strconv.Itoa(n) + `; for i in $(seq ` + strconv.Itoa(first) + ` ` + strconv.Itoa(first+lines-1) + `); do echo $i; sleep 0.04; done | "$@"`
			r := v.end(v.start("", []string{"bash", "-c", feed, "bash"}, "batch", "--lock-timeout", "10ms", "--jobs", strconv.Itoa(jobs), "--", v.train))
			if n := v.lines(r); r.status != 0 || n != lines {
				v.fail("status %d, %d lines\n%s", r.status, n, r.errs)
			}
			if !strings.Contains(r.errs, "holds its lock for longer than") || strings.Contains(r.errs, "too many open files") {
				v.fail("it said %q", r.errs)
			}
			lock.Unlock()
			v.noLocks()
			v.goesOn(first)
		}
	}}}
}
