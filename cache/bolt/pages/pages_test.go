package pages

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

const manyKeys = 2000

func keyOf(i int) []byte { return fmt.Appendf(nil, "key %05d", i) }

func valueOf(i int) []byte { return bytes.Repeat(keyOf(i), 10) }

// makeFile is a file of bbolt's own making: "big", a bucket with branches, "small", which
// lies inline, an empty one, and pages that came free.
func makeFile(t testing.TB, pageSize int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, PageSize: pageSize})
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < manyKeys; from += manyKeys / 4 {
		if err := db.Update(func(tx *bbolt.Tx) error {
			big, err := tx.CreateBucketIfNotExists([]byte("big"))
			for i := from; i < from+manyKeys/4 && err == nil; i++ {
				err = big.Put(keyOf(i), valueOf(i))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		small, err := tx.CreateBucket([]byte("small"))
		if err == nil {
			err = small.Put(keyOf(1), valueOf(1))
		}
		if err == nil {
			_, err = tx.CreateBucket([]byte("empty"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSoundFile: what bbolt has stored is found.
func TestSoundFile(t *testing.T) {
	for _, size := range []int{1024, 4096, 16384} {
		tree, err := New(makeFile(t, size))
		if err == nil {
			err = tree.Sound()
		}
		if err != nil {
			t.Fatal(err)
		}
		if faults := read(&tree); len(faults) > 0 {
			t.Errorf("pages of %d bytes: %q", size, faults)
		}
		never := func(err error) error { t.Error(err); return err }
		var names []string
		if err := tree.Buckets([]byte("e"), func(name []byte, _ Bucket) bool {
			names = append(names, string(name))
			return true
		}, never); err != nil || !slices.Equal(names, []string{"empty", "small"}) {
			t.Errorf("%q, %v", names, err)
		}
		big, err := tree.Bucket([]byte("big"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := big.Each(keyOf(700), func(key, value []byte) bool {
			if !bytes.Equal(key, keyOf(700+n)) || !bytes.Equal(value, valueOf(700+n)) {
				t.Errorf("%q at %d", key, 700+n)
			}
			n++
			return n < 100
		}, never); err != nil || n != 100 {
			t.Errorf("%d, %v", n, err)
		}
		for _, name := range []string{"big", "small", "empty", "none"} {
			if err := tree.Path([]byte(name), keyOf(1), []byte("a"), []byte("z")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// read reads all in each way there is, and returns what is wrong or can't be read.
func read(t *Tree) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	lost := func(err error) error { fault("lost: %v", err); return nil }
	for _, b := range []struct {
		name string
		has  func(i int) bool
	}{{"big", func(int) bool { return true }}, {"small", func(i int) bool { return i == 1 }}, {"empty", func(int) bool { return false }}, {"none", func(int) bool { return false }}} {
		bucket, err := t.Bucket([]byte(b.name))
		if err != nil {
			fault("%s: %v", b.name, err)
			continue
		}
		seen, want := 0, 0
		for i := range manyKeys {
			value, err := bucket.Get(keyOf(i))
			switch {
			case err != nil:
				fault("%s: %v", b.name, err)
			case b.has(i) != (value != nil):
				fault("%s: wrong: key %d is there: %v", b.name, i, value != nil)
			case value != nil && !bytes.Equal(value, valueOf(i)):
				fault("%s: wrong: key %d has the value %q", b.name, i, value)
			}
			if b.has(i) {
				want++
			}
		}
		bucket.Each(nil, func(key, value []byte) bool {
			if !bytes.HasPrefix(value, key) {
				fault("%s: wrong: %q has the value %q", b.name, key, value)
			}
			seen++
			return seen <= manyKeys
		}, lost)
		if seen > want {
			fault("%s: wrong: %d keys come by", b.name, seen)
		} else if seen < want && len(faults) == 0 {
			fault("%s: wrong: %d keys are lost, and nothing is said", b.name, want-seen)
		}
	}
	return faults
}

// file is a file to injure, with pages of 1024 bytes.
type file []byte

const testPage = 1024

func (f file) at(page int) []byte { return f[page*testPage : (page+1)*testPage] }

func (f file) head() head {
	h, err := readHead(bytes.NewReader(f))
	if err != nil {
		panic(err)
	}
	return h
}

// inUse are the pages of a kind that the tree leads to.
func (f file) inUse(flags uint16) (pages []int) {
	tree, err := New(slices.Clone(f))
	if err != nil {
		panic(err)
	}
	for id := range int(tree.high) {
		p := f.at(id)
		if native.Uint64(p) == uint64(id) && native.Uint16(p[8:]) == flags && !tree.isFree(uint64(id)) {
			pages = append(pages, id)
		}
	}
	return pages
}

// branch is the branch above leaves that has most children, and these.
func (f file) branch() (page int, children []uint64) {
	for _, id := range f.inUse(flagBranch) {
		p, err := parsePage(f.at(id))
		if err != nil {
			panic(err)
		}
		if leaf := native.Uint16(f.at(int(p.element(0).child))[8:]) == flagLeaf; leaf && p.count > len(children) {
			page, children = id, nil
			for i := range p.count {
				children = append(children, p.element(i).child)
			}
		}
	}
	return page, children
}

func (f file) setChild(page, i int, child uint64) {
	native.PutUint64(f.at(page)[pageHeader+i*elementSize+8:], child)
}

// TestInjuries: each is found by whoever looks at all, and whoever looks for
// something gets what is right or is told.
func TestInjuries(t *testing.T) {
	sound := makeFile(t, testPage)
	for _, tt := range []struct {
		name   string
		injure func(f file) file
		says   string
	}{
		{"a branch is its own child", func(f file) file {
			page, _ := f.branch()
			f.setChild(page, 1, uint64(page))
			return f
		}, ""},
		{"a branch is its own first child", func(f file) file {
			page, _ := f.branch()
			f.setChild(page, 0, uint64(page))
			return f
		}, ""},
		{"two children in each other's place", func(f file) file {
			page, children := f.branch()
			f.setChild(page, 1, children[2])
			f.setChild(page, 2, children[1])
			return f
		}, "out of order"},
		{"one child twice", func(f file) file {
			page, children := f.branch()
			f.setChild(page, 1, children[2])
			return f
		}, ""},
		{"a child beyond the end", func(f file) file {
			page, _ := f.branch()
			f.setChild(page, 1, f.head().high)
			return f
		}, "beyond its end"},
		{"a child that is a head", func(f file) file {
			page, _ := f.branch()
			f.setChild(page, 1, 0)
			return f
		}, "beyond its end"},
		{"a child that is the list of free pages", func(f file) file {
			page, _ := f.branch()
			f.setChild(page, 1, f.head().freelist)
			return f
		}, "out of place"},
		{"a child that came free", func(f file) file {
			page, _ := f.branch()
			tree, _ := New(slices.Clone(f))
			f.setChild(page, 1, native.Uint64(tree.free))
			return f
		}, ""},
		{"a page in use is free", func(f file) file {
			_, children := f.branch()
			list := f.at(int(f.head().freelist))
			native.PutUint16(list[10:], 1)
			native.PutUint64(list[pageHeader:], children[1])
			return f
		}, "in use and free"},
		{"the list of free pages counts too many", func(f file) file {
			native.PutUint16(f.at(int(f.head().freelist))[10:], 0xfffe)
			return f
		}, "list of free pages"},
		{"the list of free pages counts more than there is memory", func(f file) file {
			list := f.at(int(f.head().freelist))
			native.PutUint16(list[10:], 0xffff)
			native.PutUint64(list[pageHeader:], 1<<60)
			return f
		}, "list of free pages"},
		{"the list of free pages is out of order", func(f file) file {
			list := f.at(int(f.head().freelist))[pageHeader:]
			a, b := native.Uint64(list), native.Uint64(list[8:])
			native.PutUint64(list, b)
			native.PutUint64(list[8:], a)
			return f
		}, "list of free pages"},
		{"a leaf counts too many", func(f file) file {
			_, children := f.branch()
			p := f.at(int(children[1]))
			native.PutUint16(p[10:], native.Uint16(p[10:])+1)
			return f
		}, ""},
		{"a leaf counts as many as can be", func(f file) file {
			_, children := f.branch()
			native.PutUint16(f.at(int(children[1]))[10:], 0xffff)
			return f
		}, "out of place"},
		{"a branch counts none", func(f file) file {
			page, _ := f.branch()
			native.PutUint16(f.at(page)[10:], 0)
			return f
		}, "out of place"},
		{"keys out of order", func(f file) file {
			_, children := f.branch()
			p := f.at(int(children[1]))
			a, b := p[pageHeader:][:elementSize], p[pageHeader+elementSize:][:elementSize]
			// Each position counts from its element.
			posA, posB := native.Uint32(a[4:]), native.Uint32(b[4:])
			native.PutUint32(a[4:], posB+elementSize)
			native.PutUint32(b[4:], posA-elementSize)
			return f
		}, "out of place"},
		{"a value that goes on beyond its page", func(f file) file {
			_, children := f.branch()
			native.PutUint32(f.at(int(children[1]))[pageHeader+12:], 1<<31)
			return f
		}, "out of place"},
		{"a page that overflows beyond the end", func(f file) file {
			_, children := f.branch()
			native.PutUint32(f.at(int(children[1]))[12:], 0xffffffff)
			return f
		}, "too long"},
		{"a page that overflows into the next", func(f file) file {
			_, children := f.branch()
			native.PutUint32(f.at(int(children[1]))[12:], 1)
			return f
		}, ""},
		{"a page that says it is another", func(f file) file {
			_, children := f.branch()
			f.at(int(children[1]))[0] ^= 1
			return f
		}, "is another"},
		{"a page of zeros", func(f file) file {
			_, children := f.branch()
			clear(f.at(int(children[1])))
			return f
		}, ""},
		{"a bucket in a bucket", func(f file) file {
			_, children := f.branch()
			native.PutUint32(f.at(int(children[1]))[pageHeader:], 1)
			return f
		}, ""},
		{"a bucket that is none", func(f file) file {
			clear(f.at(int(f.head().root))[pageHeader:][:4])
			return f
		}, "a bucket is none"},
		{"cut in its last page in use", func(f file) file { return f[:int(f.head().high)*testPage-1] }, "cut off"},
		{"cut to its heads", func(f file) file { return f[:2*testPage] }, "cut off"},
		{"cut in its second head", func(f file) file { return f[:testPage+50] }, "cut off"},
		{"a wrong head", func(f file) file { f[pageHeader+20] ^= 1; return f }, "heads"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := tt.injure(slices.Clone(sound))
			if bytes.Equal(data, sound) {
				t.Fatal("nothing was injured")
			}
			tree, err := New(data)
			if err == nil {
				for _, fault := range read(&tree) {
					if strings.Contains(fault, ": wrong: ") && tt.name != "a bucket in a bucket" {
						t.Error(fault)
					}
				}
				tree, _ = New(data) // nothing was checked yet
				err = tree.Sound()
			}
			if tree, _, err := Salvage(data); err == nil {
				for _, fault := range read(&tree) {
					if strings.Contains(fault, ": wrong: ") && tt.name != "a bucket in a bucket" {
						t.Errorf("salvaged: %s", fault)
					}
				}
			}
			var damage *Damage
			if !errors.As(err, &damage) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says: %v", err)
			}
		})
	}
}

// TestSalvageOfAnyByte: whichever byte of the heads is wrong, and in whatever way,
// the file is what it was. Where more is, it is the file of one head or none.
func TestSalvageOfAnyByte(t *testing.T) {
	sound := makeFile(t, testPage)
	want := file(sound).head()
	tree := func(data []byte) (head, bool, error) {
		t, last, err := Salvage(data)
		return t.head, last, err
	}
	for at := range headSize {
		flip := byte(at*37%255 + 1)
		heads := [][]int{{0}, {1}, {0, 1}}[at%3]
		data := slices.Clone(sound)
		for _, i := range heads {
			data[i*testPage+pageHeader+(at+i*headSize/2)%headSize] ^= flip
		}
		if _, err := New(data); err == nil {
			t.Fatalf("byte %d of %v: it is no injury", at, heads)
		}
		if got, last, err := tree(data); got != want || !last || err != nil {
			t.Fatalf("byte %d of %v by %d: %+v, %v, %v", at, heads, flip, got, last, err)
		}
	}
	for i := range 2 {
		data := slices.Clone(sound)
		clear(file(data).at(i))
		got, last, err := tree(data)
		if err != nil || last || got.txid != want.txid && got.txid != want.txid-1 {
			t.Errorf("without head %d: %+v, %v, %v", i, got, last, err)
		}
		clear(file(data).at(1 - i))
		if _, _, err := tree(data); err == nil {
			t.Error("it was salvaged without a head")
		}
	}
	if _, _, err := tree(sound[:testPage]); err == nil {
		t.Error("what was cut off was salvaged")
	}
}
