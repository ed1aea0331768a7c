//go:build unix

package cmd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
)

// injury is something that happens to a file. plan draws what and returns what
// does it.
type injury struct {
	name string
	// whole says that nothing of the file is left, so that a bolt file has
	// to be set aside as it is.
	whole bool
	plan  func(rng *rand.Rand) (what string, do func(path string) error)
}

// rewriteFile has a file's contents changed.
func rewriteFile(path string, change func([]byte) []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(data), 0o600)
}

func replaceBy(make func(path string) error) func(*rand.Rand) (string, func(string) error) {
	return func(*rand.Rand) (string, func(string) error) {
		return "", func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return make(path)
		}
	}
}

var pageSize = os.Getpagesize()

// pagesOf returns the pages of a bolt file that have these flags.
func pagesOf(data []byte, flags uint16) (pages []int) {
	for page := range len(data) / pageSize {
		p := data[page*pageSize:]
		if binary.NativeEndian.Uint64(p) == uint64(page) && binary.NativeEndian.Uint16(p[8:]) == flags {
			pages = append(pages, page)
		}
	}
	return pages
}

const tornPage = 4096 // the unit in which files are torn, whatever the system's page

var injuries = []injury{
	{name: "bit flips", plan: func(rng *rand.Rand) (string, func(string) error) {
		type flip struct {
			page, byte, bit int
		}
		flips := make([]flip, 1+rng.IntN(1<<rng.IntN(7)))
		for i := range flips {
			// Every other one where headers and tables lie.
			flips[i] = flip{rng.IntN(1 << 20), rng.IntN([]int{tornPage, 256}[rng.IntN(2)]), rng.IntN(8)}
		}
		return fmt.Sprint(flips), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte {
				for _, f := range flips {
					if len(data) > 0 {
						pages := (len(data) + tornPage - 1) / tornPage
						data[(f.page%pages*tornPage+f.byte)%len(data)] ^= 1 << f.bit
					}
				}
				return data
			})
		}
	}},
	{name: "zeroed pages", plan: func(rng *rand.Rand) (string, func(string) error) {
		page, n := rng.IntN(1<<20), 1+rng.IntN(3)
		return fmt.Sprintf("%d from %d", n, page), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte {
				from := page % ((len(data) + tornPage - 1) / tornPage) * tornPage
				clear(data[from:min(from+n*tornPage, len(data))])
				return data
			})
		}
	}},
	{name: "a page in another's place", plan: func(rng *rand.Rand) (string, func(string) error) {
		from, to := rng.IntN(1<<20), rng.IntN(1<<20)
		return fmt.Sprintf("%d, of %d", to, from), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte {
				if pages := len(data) / tornPage; pages > 0 {
					copy(data[to%pages*tornPage:], data[from%pages*tornPage:(from%pages+1)*tornPage])
				}
				return data
			})
		}
	}},
	{name: "cut at a page", plan: func(rng *rand.Rand) (string, func(string) error) {
		page := rng.IntN(1 << 20)
		return fmt.Sprint(page), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte { return data[:page%(len(data)/tornPage+1)*tornPage] })
		}
	}},
	{name: "cut anywhere", plan: func(rng *rand.Rand) (string, func(string) error) {
		at := rng.IntN(1 << 30)
		return fmt.Sprint(at), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte { return data[:at%(len(data)+1)] })
		}
	}},
	{name: "garbage", whole: true, plan: func(rng *rand.Rand) (string, func(string) error) {
		garbage := make([]byte, 1+rng.IntN(1<<uint(4+rng.IntN(14))))
		for i := range garbage {
			garbage[i] = byte(rng.Uint32())
		}
		return fmt.Sprintf("%d bytes", len(garbage)), func(path string) error { return os.WriteFile(path, garbage, 0o600) }
	}},
	{name: "an empty file", plan: replaceBy(func(path string) error { return os.WriteFile(path, nil, 0o600) })},
	{name: "gone", plan: replaceBy(func(string) error { return nil })},
	{name: "a folder", plan: replaceBy(func(path string) error { return os.Mkdir(path, 0o700) })},
	{name: "a pipe", plan: replaceBy(func(path string) error { return syscall.Mkfifo(path, 0o600) })},
	{name: "a dangling link", plan: replaceBy(func(path string) error { return os.Symlink("nowhere/at/all", path) })},
	{name: "a link in a circle", plan: replaceBy(func(path string) error { return os.Symlink(filepath.Base(path), path) })},
	{name: "a device", plan: replaceBy(func(path string) error { return os.Symlink("/dev/zero", path) })},
}

// boltInjuries only happen to the bolt file.
var boltInjuries = []injury{
	{name: "another program's bolt file", whole: true, plan: func(rng *rand.Rand) (string, func(string) error) {
		keys := rng.IntN(1000)
		bare := rng.IntN(2) == 0 // without a list of free pages
		return fmt.Sprintf("%d keys, %v", keys, bare), func(path string) error {
			os.Remove(path)
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: bare})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(func(tx *bbolt.Tx) error {
				bucket, err := tx.CreateBucket([]byte("theirs"))
				for i := range keys {
					bucket.Put(fmt.Appendf(nil, "key %d", i), make([]byte, 100))
				}
				return err
			})
		}
	}},
	{name: "a file of a newer version", plan: func(rng *rand.Rand) (string, func(string) error) {
		version := []byte{2, 4, 7}[rng.IntN(3)]
		return fmt.Sprint(version), func(path string) error {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("dvlcache")).Put([]byte("layout"), []byte{version})
			})
		}
	}},
	{name: "pages in a circle", plan: func(rng *rand.Rand) (string, func(string) error) {
		branch, child, to, kind := rng.IntN(1<<20), rng.IntN(1<<20), rng.IntN(1<<20), rng.IntN(3)
		return fmt.Sprint(branch, child, to, kind), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte {
				branches := pagesOf(data, 1)
				if len(branches) == 0 { // then a leaf is taken for one
					for _, page := range pagesOf(data, 2) {
						binary.NativeEndian.PutUint16(data[page*pageSize+8:], 1)
					}
					return data
				}
				page := branches[branch%len(branches)]
				target := []int{page, branches[to%len(branches)], to % (len(data) / pageSize)}[kind]
				count := int(binary.NativeEndian.Uint16(data[page*pageSize+10:]))
				for i := range count { // all of them, or one
					if kind != 0 || i == child%count {
						binary.NativeEndian.PutUint64(data[page*pageSize+16+16*i+8:], uint64(target))
					}
				}
				return data
			})
		}
	}},
	{name: "a wrong list of free pages", plan: func(rng *rand.Rand) (string, func(string) error) {
		first, step, n, huge := 2+rng.IntN(20), 1+rng.IntN(4), 1+rng.IntN(100), rng.IntN(256)
		return fmt.Sprint(first, step, n, huge), func(path string) error {
			return rewriteFile(path, func(data []byte) []byte {
				for _, page := range pagesOf(data, 16) {
					p := data[page*pageSize:]
					binary.NativeEndian.PutUint16(p[10:], uint16(n))
					for i := range n {
						binary.NativeEndian.PutUint64(p[16+8*i:], uint64(first+step*i))
					}
					if huge < 64 {
						binary.NativeEndian.PutUint16(p[10:], 0xffff)
						binary.NativeEndian.PutUint64(p[16:], 1<<huge)
					}
				}
				return data
			})
		}
	}},
	{name: "records under other keys", plan: func(rng *rand.Rand) (string, func(string) error) {
		by := 1 + rng.IntN(5)
		return fmt.Sprintf("moved by %d", by), func(path string) error {
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(func(tx *bbolt.Tx) error {
				bucket := tx.Bucket([]byte("ndefault"))
				var keys, records [][]byte
				bucket.ForEach(func(k, v []byte) error {
					if len(k) == 32 {
						keys, records = append(keys, bytes.Clone(k)), append(records, bytes.Clone(v))
					}
					return nil
				})
				for i := range keys {
					if err := bucket.Put(keys[i], records[(i+by)%len(keys)]); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}},
}

// storageFaults: each injury to each file of a cache.
func storageFaults() (kinds []faultKind) {
	add := func(file, pattern string, in injury) {
		kinds = append(kinds, faultKind{name: file + ": " + in.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
			what, do := in.plan(rng)
			template := []string{"small", "large"}[rng.IntN(2)]
			use := rng.IntN(8)
			known := rng.IntN(smallCache-2) + 1
			fresh := 10000 + rng.IntN(10000)
			what = fmt.Sprintf("%s, cache %q, use %d, calls %d and %d", what, template, use, known, fresh)
			return what, func(v *victim) {
				v.begin(template)
				v.ask(1) // statistics are there then
				paths, _ := filepath.Glob(filepath.Join(v.cache, pattern))
				if len(paths) == 0 {
					v.fail("there is no %s", pattern)
					return
				}
				if err := do(paths[0]); err != nil {
					v.fail("it could not be injured: %v", err)
					return
				}
				var injured []byte
				if in.whole {
					injured, _ = os.ReadFile(paths[0])
				}
				v.said = ""
				salvaged := 0
				switch use {
				case 0:
					for _, args := range [][]string{{"stats"}, {"clear", "--yes", "--namespace", "other"}} {
						if r := v.run(args...); r.status != 0 && r.status != statusInternal {
							v.fail("%q: status %d\n%s", args, r.status, r.errs)
						}
					}
				case 1:
					v.batch(known, known+40)
				case 2: // two at once
					p := v.start("", nil, v.call(fresh)...)
					v.ask(known)
					v.answered(fresh, v.end(p))
				case 3:
					v.ask(known, "--repeat=3")
				case 4:
					v.ask(fresh, "--refresh")
				case 5:
					r := v.run("check", "--salvage")
					salvaged = strings.Count(r.out, "the old file is kept as")
					if r.status != 0 && r.status != statusFailedLines && r.status != statusInternal {
						v.fail("check --salvage: status %d\n%s", r.status, r.errs)
					}
					if again := v.run("check"); salvaged > 0 && again.status != 0 {
						v.fail("it was salvaged, and is not sound: %s", again.out)
					}
				case 6:
					for _, args := range [][]string{{"list"}, {"explain", "--", v.train, "3"}, {"export"}, {"prune", "--max-entries", "20"}, {"compact"}} {
						if r := v.run(args...); r.status != 0 && r.status != statusInternal {
							v.fail("%q: status %d\n%s", args, r.status, r.errs)
						}
					}
				}
				v.ask(known)
				v.ask(fresh)
				v.ask(known + 1)
				kept, _ := filepath.Glob(filepath.Join(v.cache, "cache.db.broken-*"))
				if n := strings.Count(v.said, "a fresh one is begun"); n+salvaged != len(kept) {
					v.fail("%d files are set aside, and it was said %d times\n%s", len(kept), n, v.said)
				}
				counts, _ := filepath.Glob(filepath.Join(v.cache, "stats", "*.broken-*"))
				if n := strings.Count(v.said, "counting begins anew"); n != len(counts) {
					v.fail("%d statistics are set aside, and it was said %d times\n%s", len(counts), n, v.said)
				}
				if in.whole && file == "statistics" && len(counts) != 1 {
					v.fail("%d statistics are set aside", len(counts))
				}
				if file != "cache.db" {
					return
				}
				if in.whole {
					if len(kept) != 1 {
						v.fail("%d files are set aside", len(kept))
					} else if data, _ := os.ReadFile(kept[0]); !bytes.Equal(data, injured) {
						v.fail("it was changed before it was set aside")
					}
				}
				// It works as ever, unless it can't: then it says so each time.
				clear(v.printed)
				if said := v.ask(fresh); said == "" {
					v.noneLost()
				}
			}
		}})
	}
	for _, in := range injuries {
		add("cache.db", "cache.db", in)
	}
	for _, in := range boltInjuries {
		add("cache.db", "cache.db", in)
	}
	for _, in := range injuries {
		add("digests", "digests", in)
	}
	for _, in := range injuries {
		add("statistics", "stats/*", in)
	}
	for _, in := range injuries[5:] {
		add("cache.lock", "cache.lock", in)
		add("gate.lock", "gate.lock", in)
	}
	return kinds
}
