//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockFaults: timestamps and clocks that jump.
func clockFaults() []faultKind {
	moments := []time.Time{time.Unix(0, 1), time.Unix(1<<31-1, 0), time.Unix(1<<32+5, 0), time.Unix(4e9, 0), time.Unix(1e9, 999999999)}
	return []faultKind{
		{name: "clock: all files of the cache from another time", plan: func(rng *rand.Rand) (string, func(*victim)) {
			at := moments[rng.IntN(len(moments))]
			fresh := 10000 + rng.IntN(10000)
			return fmt.Sprint(at.UTC(), fresh), func(v *victim) {
				v.begin("small")
				v.believe(smallCache)
				filepath.WalkDir(v.cache, func(path string, _ os.DirEntry, _ error) error {
					os.Chtimes(path, at, at)
					return nil
				})
				for _, i := range []int{fresh, 3, fresh} {
					if said := v.ask(i); said != "" {
						v.fail("it said %s", said)
					}
				}
				v.noneLost()
			}
		}},
		{name: "clock: an edit that keeps or jumps the time", plan: func(rng *rand.Rand) (string, func(*victim)) {
			at := moments[rng.IntN(len(moments))]
			kept := rng.IntN(2) == 0
			a, b := 1000+rng.IntN(4000), 5000+rng.IntN(4000)
			return fmt.Sprint(at.UTC(), kept, a, b), func(v *victim) { v.edit(at, kept, a, b, 0) }
		}},
		{name: "clock: the same, with a digest that is remembered", slow: true, plan: func(rng *rand.Rand) (string, func(*victim)) {
			at := moments[rng.IntN(len(moments))]
			kept := rng.IntN(2) == 0
			a, b := 1000+rng.IntN(4000), 5000+rng.IntN(4000)
			return fmt.Sprint(at.UTC(), kept, a, b), func(v *victim) { v.edit(at, kept, a, b, rememberedAge) }
		}},
		{name: "clock: written through a mapping", plan: func(rng *rand.Rand) (string, func(*victim)) {
			size, memory, old := 8+rng.IntN(100_000), rng.IntN(3) == 0, rng.IntN(2) == 0
			during := rng.IntN(2) == 0
			return fmt.Sprint(size, memory, old, during), func(v *victim) { v.mapped(size, memory, old, during) }
		}},
	}
}

// edit changes a program that prints a to one that prints b, without a change
// of its size, and of its time only if it isn't kept.
func (v *victim) edit(at time.Time, kept bool, a, b int, age time.Duration) {
	path := filepath.Join(v.dir, "edited.sh")
	write := func(n int) time.Time {
		text := fmt.Sprintf("#!/bin/sh\necho %d\n", n)
		if age > 0 { // larger than what is read at each call
			text += "# " + strings.Repeat("x", 8<<10) + "\n"
		}
		if err := writeProgram(path, text); err != nil {
			v.fail("%v", err)
		}
		info, _ := os.Stat(path)
		return info.ModTime()
	}
	expect := func(n int) {
		if r := v.run("run", "--", "./edited.sh"); r.status != 0 || r.out != fmt.Sprintln(n) {
			v.fail("status %d, %q instead of %d\n%s", r.status, r.out, n, r.errs)
		}
	}
	was := write(a)
	time.Sleep(age)
	expect(a)
	expect(a)
	write(b)
	if kept {
		at = was
	}
	os.Chtimes(path, at, at)
	expect(b)
	expect(b)
	write(a)
	os.Chtimes(path, at, at)
	expect(a)
}

// rememberedAge is how old a file has to be for its digest to be remembered.
const rememberedAge = 2100 * time.Millisecond

// mapped has a file that is mapped, as numpy.memmap does, written to without a word
// to the system, between calls and during one.
func (v *victim) mapped(size int, memory, old, during bool) {
	dir := v.dir
	if memory {
		var err error
		if dir, err = os.MkdirTemp("/dev/shm", "dvlcache-test-"); err != nil {
			dir = v.dir
		} else {
			defer os.RemoveAll(dir)
		}
	}
	path := filepath.Join(dir, "mapped")
	if err := os.WriteFile(path, bytes.Repeat([]byte("1"), size), 0o644); err != nil {
		v.fail("%v", err)
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		v.fail("%v", err)
		return
	}
	defer f.Close()
	data, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		v.fail("%v", err)
		return
	}
	defer syscall.Munmap(data)
	store := func(n int) string { copy(data, strconv.Itoa(n)); return strconv.Itoa(n) + "\n" }
	prog := "#!/bin/sh\nhead -c 4 $1\necho\nif [ -e wait ]; then : >began; while [ -e wait ]; do sleep 0.01; done; fi\n"
	if err := writeProgram(filepath.Join(v.dir, "prog"), prog); err != nil {
		v.fail("%v", err)
	}
	store(1000) // its page is dirty from now on
	if old {
		time.Sleep(rememberedAge)
	}
	call := []string{"run", "--", "./prog", path}
	for n := 1001; n < 1005; n++ {
		want := store(n)
		for range 2 {
			if r := v.run(call...); r.status != 0 || r.out != want {
				v.fail("status %d, %q instead of %q\n%s", r.status, r.out, want, r.errs)
			}
		}
	}
	if !during {
		return
	}
	wait, began := filepath.Join(v.dir, "wait"), filepath.Join(v.dir, "began")
	os.WriteFile(wait, nil, 0o644)
	want := store(2000)
	p := v.start("", nil, call...)
	for deadline := time.Now().Add(tortureSlack); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(began); err == nil {
			break
		}
	}
	store(3000)
	os.Remove(wait)
	if r := v.end(p); r.status != 0 || r.out != want {
		v.fail("status %d, %q instead of %q\n%s", r.status, r.out, want, r.errs)
	}
	store(2000)
	if r := v.run("run", "--only-cached", "--", "./prog", path); r.status != statusNotCached {
		v.fail("status %d, %q: it was stored though its data changed", r.status, r.out)
	}
}
