//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// unprivileged makes the calls those of a user of whom nothing else runs, since
// root may do all. Whoever isn't root stays who they are.
func (v *victim) unprivileged() {
	if os.Getuid() != 0 {
		return
	}
	uid := v.uids()
	os.Chown(v.dir, int(uid), int(uid))
	filepath.WalkDir(v.cache, func(path string, _ os.DirEntry, _ error) error {
		return os.Lchown(path, int(uid), int(uid))
	})
	v.attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
}

// set sets a variable of the calls; unset takes it away.
func (v *victim) set(name, value string) {
	v.unset(name)
	v.env = append(v.env, name+"="+value)
}

func (v *victim) unset(name string) {
	v.env = slices.DeleteFunc(v.env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
}

// places are what can be wrong with where the cache lies. use says whether all
// has to work all the same; otherwise something has to be said.
var places = []struct {
	name string
	use  bool
	make func(v *victim)
}{
	{"HOME and the like are unset", false, func(v *victim) {
		for _, name := range []string{"HOME", "DVLCACHE_DIR", "XDG_CONFIG_HOME"} {
			v.unset(name)
		}
	}},
	{"HOME is nowhere", false, func(v *victim) {
		v.unset("DVLCACHE_DIR")
		v.set("HOME", "/proc/nowhere")
	}},
	{"the cache is a file", false, func(v *victim) {
		os.RemoveAll(v.cache)
		os.WriteFile(v.cache, []byte("mine"), 0o600)
	}},
	{"the cache is a link", true, func(v *victim) {
		os.Rename(v.cache, v.cache+".real")
		os.Symlink("cache.real", v.cache)
	}},
	{"the cache is a dangling link", false, func(v *victim) {
		os.RemoveAll(v.cache)
		os.Symlink("nowhere/at/all", v.cache)
	}},
	{"the cache is a link in a circle", false, func(v *victim) {
		os.RemoveAll(v.cache)
		os.Symlink("cache", v.cache)
	}},
	{"the cache is a pipe", false, func(v *victim) {
		os.RemoveAll(v.cache)
		syscall.Mkfifo(v.cache, 0o600)
	}},
	{"the cache is below a file", false, func(v *victim) {
		os.WriteFile(filepath.Join(v.dir, "file"), nil, 0o600)
		v.set("DVLCACHE_DIR", filepath.Join(v.dir, "file", "cache"))
	}},
	{everybody, true, func(v *victim) { v.unprivileged(); os.Chmod(v.cache, 0o777) }},
	{"the cache may not be entered", false, func(v *victim) { v.unprivileged(); os.Chmod(v.cache, 0) }},
	{"the cache's folder may not be written to", true, func(v *victim) { v.unprivileged(); os.Chmod(v.cache, 0o500) }},
	{"the cache file may not be read", false, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "cache.db"), 0)
	}},
	{"the cache file may not be written", false, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "cache.db"), 0o400)
	}},
	{"a lock may not be read", false, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "cache.lock"), 0)
	}},
	{"the gate may not be read", false, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "gate.lock"), 0)
	}},
	{"no leases may be made", true, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "leases"), 0)
	}},
	{"leases is a file", true, func(v *victim) {
		os.RemoveAll(filepath.Join(v.cache, "leases"))
		os.WriteFile(filepath.Join(v.cache, "leases"), nil, 0o600)
	}},
	{"statistics may not be written", true, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "stats"), 0)
	}},
	{"the digests may not be read", true, func(v *victim) {
		v.unprivileged()
		os.Chmod(filepath.Join(v.cache, "digests"), 0)
	}},
	{"somebody plants a dvlcache.yaml", false, func(v *victim) {
		planted := filepath.Join(v.dir, "dvlcache.yaml")
		os.WriteFile(planted, []byte("ignore-arg: [1, 2, 3, 4]\nextract: only\ndir: planted\n"), 0o666)
		os.Chmod(planted, 0o666)
	}},
	{"somebody plants a cache", false, func(v *victim) {
		v.unprivileged()
		if os.Getuid() == 0 {
			other := int(v.uids())
			filepath.WalkDir(v.cache, func(path string, _ os.DirEntry, _ error) error {
				os.Chmod(path, 0o777)
				return os.Lchown(path, other, other)
			})
		} else {
			v.set("DVLCACHE_DIR", "/proc/1")
		}
	}},
	{"the cache is somebody else's", false, func(v *victim) {
		v.unprivileged()
		if os.Getuid() == 0 {
			filepath.WalkDir(v.cache, func(path string, _ os.DirEntry, _ error) error { return os.Lchown(path, 0, 0) })
		} else {
			v.set("DVLCACHE_DIR", "/proc/1") // root's, as far as we can come by that
		}
	}},
}

// everybody is the place that is used, and told of.
const everybody = "everybody may write to the cache"

// placeFaults: wherever the cache is to lie, numbers are printed.
func placeFaults() (kinds []faultKind) {
	for _, place := range places {
		kinds = append(kinds, faultKind{name: "place: " + place.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
			fresh := 10000 + rng.IntN(10000)
			batch := rng.IntN(4) == 0
			return fmt.Sprintf("call %d, batch %v", fresh, batch), func(v *victim) {
				v.begin("small")
				v.believe(smallCache)
				place.make(v)
				if batch {
					v.batch(1, 12)
				}
				v.said = ""
				for _, i := range []int{fresh, 3, fresh} {
					v.ask(i)
				}
				silent := v.said == ""
				if place.name == everybody { // which is said, and no more
					silent = strings.Count(v.said, "\n") == strings.Count(v.said, "everybody may write to")
				}
				if silent != place.use {
					v.fail("it said %q", v.said)
				}
				if place.use {
					v.noneLost()
				}
			}
		}})
	}
	return append(kinds, diskFaults()...)
}

// disk gives the case a small disk of its own for its cache, where that is
// allowed, and says whether it is.
func (v *victim) disk(kib int) (end func(), ok bool) {
	if err := os.MkdirAll(v.cache, 0o700); err != nil {
		v.fail("%v", err)
	}
	if os.Getuid() != 0 || !mountTmpfs(v.cache, kib) {
		return func() {}, false
	}
	return func() { unmount(v.cache) }, true
}

// fill leaves this much of the disk free.
func (v *victim) fill(leave int) (free func()) {
	path := filepath.Join(v.cache, "filler")
	f, err := os.Create(path)
	if err != nil {
		v.fail("%v", err)
		return func() {}
	}
	defer f.Close()
	n := 0
	for block := make([]byte, 1<<10); ; n += len(block) {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	f.Truncate(int64(max(n-leave, 0)))
	return func() { os.Remove(path) }
}

// diskFaults: a disk that is full, or can't be written. Without the right to
// mount one, a limit on the size of files stands in.
// fullDisk is a disk that is full, but for some, when a command rewrites the file
// or writes beside it.
func fullDisk(name string, args func(v *victim) []string) faultKind {
	return faultKind{name: "disk: full during " + name, plan: func(rng *rand.Rand) (string, func(*victim)) {
		leave, fresh := rng.IntN(200)<<10, 10000+rng.IntN(10000)
		return fmt.Sprint(leave, fresh), func(v *victim) {
			end, ok := v.disk(4096)
			defer end()
			v.begin("large")
			v.believe(20)
			if !ok {
				limited(v, leave>>9, fresh)
				return
			}
			free := v.fill(leave)
			if r := v.run(args(v)...); r.status != 0 && r.status != statusInternal {
				v.fail("%s: status %d\n%s", name, r.status, r.errs)
			}
			v.ask(3)
			v.ask(fresh)
			v.sound()
			v.noneLost()
			free()
			v.goesOn(fresh)
			v.noneLost()
		}
	}}
}

// limited asks for a number under a limit on the size of files, in units of 512
// bytes, the statistics of a page among them.
func limited(v *victim, blocks, i int) {
	r := v.end(v.start("", []string{"sh", "-c", `ulimit -f ` + strconv.Itoa(blocks) + `; exec "$@"`, "sh"}, v.call(i)...))
	v.answered(i, r)
}

func diskFaults() []faultKind {
	return []faultKind{
		{name: "disk: full at first use", plan: func(rng *rand.Rand) (string, func(*victim)) {
			kib, leave, fresh := 512, rng.IntN(160)<<10, 10000+rng.IntN(10000)
			return fmt.Sprint(leave, fresh), func(v *victim) {
				end, ok := v.disk(kib)
				defer end()
				if !ok {
					limited(v, leave>>9, fresh)
					return
				}
				free := v.fill(leave)
				for range 3 {
					v.ask(fresh)
				}
				v.batch(1, 30)
				v.sound()
				free()
				v.goesOn(fresh)
			}
		}},
		{name: "disk: full while numbers come in", plan: func(rng *rand.Rand) (string, func(*victim)) {
			leave, fresh := rng.IntN(100)<<10, 10000+rng.IntN(10000)
			return fmt.Sprint(leave, fresh), func(v *victim) {
				end, ok := v.disk(1024)
				defer end()
				v.begin("small")
				v.believe(smallCache)
				if !ok {
					limited(v, leave>>9, fresh)
					return
				}
				free := v.fill(leave)
				v.ask(fresh)
				v.batch(100, 300)
				v.ask(3)
				v.noneLost()
				v.sound()
				free()
				v.goesOn(fresh)
			}
		}},
		fullDisk("clear", func(*victim) []string { return []string{"clear", "--yes", "--namespace", "other"} }),
		fullDisk("compact", func(*victim) []string { return []string{"compact"} }),
		fullDisk("import", func(v *victim) []string { return []string{"import", "--on-conflict", "merge", v.exported} }),
		fullDisk("export", func(v *victim) []string {
			return []string{"export", "--output", filepath.Join(v.cache, "exported")}
		}),
		{name: "disk: a limit on the size of files", plan: func(rng *rand.Rand) (string, func(*victim)) {
			blocks, used, fresh := rng.IntN(200), rng.IntN(2) == 0, 10000+rng.IntN(10000)
			return fmt.Sprint(blocks, used, fresh), func(v *victim) {
				if used {
					v.begin("small")
					v.believe(smallCache)
				}
				limited(v, blocks, fresh)
				limited(v, blocks, 3)
				v.sound()
				v.goesOn(fresh)
				v.noneLost()
			}
		}},
		{name: "disk: read-only", plan: func(rng *rand.Rand) (string, func(*victim)) {
			fresh := 10000 + rng.IntN(10000)
			return fmt.Sprint(fresh), func(v *victim) {
				end, ok := v.disk(2048)
				defer end()
				v.begin("small")
				v.believe(smallCache)
				if ok {
					readOnly(v.cache)
				} else {
					os.Chmod(filepath.Join(v.cache, "cache.db"), 0o400)
				}
				v.ask(fresh)
				v.batch(1, 35)
				if said := v.ask(3); said != "" && ok {
					v.fail("a hit said %s", said)
				}
			}
		}},
	}
}

// goesOn checks that all is well again: what is asked for now is stored.
func (v *victim) goesOn(i int) {
	for _, i := range []int{i, i + 1} {
		if said := v.ask(i); said != "" {
			v.fail("there is room again, and it says %s", said)
		}
	}
	v.noneLost()
	v.sound()
}

// What dvlcache itself, or rather Go, needs to start a program at all; see
// docs/guarantees.md.
const (
	fewestFiles     = 18
	fewestProcesses = 16
)

// limitFaults: file descriptors and processes are scarce.
func limitFaults() []faultKind {
	limit := func(option string, n int) []string {
		return []string{"bash", "-c", `ulimit -` + option + ` ` + strconv.Itoa(n) + `; exec "$@"`, "bash"}
	}
	_, noBash := osexec.LookPath("bash")
	kinds := []faultKind{}
	if noBash != nil {
		return kinds
	}
	for _, l := range []struct {
		name, option string
		fewest       int
	}{{"file descriptors", "n", fewestFiles}, {"processes", "u", fewestProcesses}} {
		kinds = append(kinds,
			faultKind{name: "limit: few " + l.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
				n, fresh := l.fewest+rng.IntN(30), 10000+rng.IntN(10000)
				return fmt.Sprint(n, fresh), func(v *victim) {
					v.begin("small")
					v.unprivileged()
					for _, i := range []int{3, fresh, fresh} {
						v.answered(i, v.end(v.start("", limit(l.option, n), v.call(i)...)))
					}
					v.noneLost()
				}
			}},
			faultKind{name: "limit: fewer " + l.name + " than it takes to run a program", plan: func(rng *rand.Rand) (string, func(*victim)) {
				n, fresh := 8+rng.IntN(l.fewest-8), 10000+rng.IntN(10000)
				if l.option == "u" {
					n = 1 + rng.IntN(l.fewest-1)
				}
				return fmt.Sprint(n, fresh), func(v *victim) {
					v.begin("small")
					v.believe(smallCache)
					v.unprivileged()
					p := v.start("", limit(l.option, n), v.call(fresh)...)
					p.mayCrash = true // where Go itself does not start
					if r := v.end(p); r.status == 0 && r.out != value(fresh)+"\n" || r.status != 0 && r.out != "" {
						v.fail("status %d, %q\n%s", r.status, r.out, r.errs)
					}
					v.goesOn(fresh)
				}
			}})
	}
	return append(kinds, faultKind{name: "limit: fewer file descriptors than a batch would use", plan: func(rng *rand.Rand) (string, func(*victim)) {
		jobs := 16 + rng.IntN(16)
		n := 3*jobs + rng.IntN(jobs)
		return fmt.Sprint(n, jobs), func(v *victim) {
			prog := "#!/bin/sh\nsleep 0.0$(($1 % 4))\nexec " + v.train + " $1\n"
			if err := writeProgram(filepath.Join(v.dir, "prog"), prog); err != nil {
				v.fail("%v", err)
			}
			r := v.end(v.start(batchInput(1, 80), limit("n", n), "batch", "--jobs", strconv.Itoa(jobs), "--", "./prog"))
			if n := v.lines(r); r.status != 0 || n != 80 {
				v.fail("status %d, %d lines\n%s", r.status, n, r.errs)
			}
			v.sound()
			v.noLocks()
		}
	}})
}
