// Package pages reads the pages of a bbolt file and believes nothing that it reads.
//
// bbolt trusts its file. A cycle among the pages overflows its stack, which no
// recover stops; a wrong count in the list of free pages asks for more memory
// than there is; a reference to a page that was given up finds what the records
// were before. So before bbolt goes down a path, we go down it ourselves, over
// the same pages, and believe nothing. What is found is *Damage.
//
// New reads a whole file, Of one that bbolt has opened, Salvage a damaged one. Check
// is for who hands a file to bbolt: it goes over what bbolt takes for granted as soon
// as it opens it, and Path over what it takes for granted on its way to a key.
//
// A file is pages of one size. Pages 0 and 1 are heads, of which the one with
// the higher transaction counts; a head names the page of the root and that of
// the list of free pages. All words are in the machine's order.
//
//	page     id u64 | flags u16 | count u16 | overflow u32 | elements | data
//	branch   pos u32 | ksize u32 | page u64
//	leaf     flags u32 | pos u32 | ksize u32 | vsize u32
//	head     magic, version, page size, flags u32 | root, sequence, freelist,
//	         high-water mark, transaction u64 | FNV-1a u64
//
// where pos counts from the element. A bucket is a leaf element with the flag
// 1, whose value is root u64 | sequence u64, and, where root is 0, a leaf page.
package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	berrors "go.etcd.io/bbolt/errors"
)

const (
	pageHeader  = 16
	elementSize = 16
	headSize    = 64
	bucketSize  = 16

	headMagic   = 0xED0CDAED
	headVersion = 2
	minPageSize = 512
	maxPageSize = 1 << 20

	flagBranch   = 1
	flagLeaf     = 2
	flagFreelist = 16

	// maxDepth is out of reach: each level has at least twice the pages of
	// the one above.
	maxDepth = 48
)

var native = binary.NativeEndian

// Damage says what is wrong with a file.
type Damage struct{ cause error }

func (d *Damage) Error() string { return fmt.Sprintf("it is damaged (%v)", d.cause) }

func wrong(format string, args ...any) error { return &Damage{fmt.Errorf(format, args...)} }

// ErrNewer: a later version of bbolt has written the file.
var ErrNewer = errors.New("it was written by a newer version of bbolt")

// head is what a head page says.
type head struct {
	pageSize                   uint64
	root, freelist, high, txid uint64
}

// parseHead reads a head from the beginning of its page.
func parseHead(page []byte) (h head, err error) {
	meta := page[pageHeader : pageHeader+headSize]
	sum := fnv.New64a()
	sum.Write(meta[:headSize-8])
	switch {
	case native.Uint32(meta) != headMagic, sum.Sum64() != native.Uint64(meta[headSize-8:]):
		return h, errors.New("one of its heads is wrong")
	case native.Uint32(meta[4:]) != headVersion:
		return h, berrors.ErrVersionMismatch
	}
	h = head{
		pageSize: uint64(native.Uint32(meta[8:])),
		root:     native.Uint64(meta[16:]),
		freelist: native.Uint64(meta[32:]),
		high:     native.Uint64(meta[40:]),
		txid:     native.Uint64(meta[48:]),
	}
	if h.pageSize < minPageSize || h.pageSize > maxPageSize || h.pageSize&(h.pageSize-1) != 0 || h.high > 1<<40 {
		return h, errors.New("one of its heads is wrong")
	}
	return h, nil
}

// newest is the head that counts.
func newest(a, b head) head {
	if b.txid > a.txid {
		return b
	}
	return a
}

// readHead reads the head of a file that counts. Both have to be sound: bbolt would
// go back to the other one where one is wrong, and so to what was stored before
// the last change; a number that was refreshed would come back.
func readHead(f io.ReaderAt) (h head, err error) {
	var page [pageHeader + headSize]byte
	var heads [2]head
	at := int64(0)
	for i := range heads {
		if _, err := f.ReadAt(page[:], at); err == io.EOF {
			return h, wrong("it is cut off")
		} else if err != nil {
			return h, err
		}
		if heads[i], err = parseHead(page[:]); errors.Is(err, berrors.ErrVersionMismatch) {
			return h, ErrNewer
		} else if err != nil {
			return h, &Damage{err}
		}
		at = int64(heads[i].pageSize)
	}
	return newest(heads[0], heads[1]), nil
}

// Check checks, before bbolt opens a file, what opening it relies on: the
// heads, that no page in use is cut off, and the list of free pages.
func Check(f io.ReaderAt, size int64) error {
	if size == 0 {
		return nil // a new one
	}
	h, err := readHead(f)
	if err == nil {
		err = h.check(f, size)
	}
	return err
}

// check checks what a head says of a file.
func (h head) check(f io.ReaderAt, size int64) error {
	if h.high > uint64(size)/h.pageSize {
		return wrong("it is cut off")
	}
	if h.freelist < 2 || h.freelist >= h.high {
		return wrong("its list of free pages is nowhere")
	}
	var page [pageHeader + 8]byte
	at := int64(h.freelist * h.pageSize)
	if _, err := f.ReadAt(page[:], at); err != nil {
		return err
	}
	begin, n, err := freelist(page[:], h)
	if err != nil {
		return err
	}
	ids := make([]byte, 8*n)
	if _, err := f.ReadAt(ids, at+begin); err != nil {
		return err
	}
	before := uint64(1)
	for ; len(ids) > 0; ids = ids[8:] {
		id := native.Uint64(ids)
		if id <= before || id >= h.high || id == h.freelist {
			return wrong("its list of free pages is wrong")
		}
		before = id
	}
	return nil
}

// freelist says where in its page the list of free pages begins, and how long
// it is.
func freelist(page []byte, h head) (begin, n int64, err error) {
	overflow := uint64(native.Uint32(page[12:]))
	count, begins := uint64(native.Uint16(page[10:])), uint64(pageHeader)
	if count == 0xffff { // the count proper comes first
		count = native.Uint64(page[pageHeader:])
		begins += 8
	}
	switch {
	case native.Uint64(page) != h.freelist, native.Uint16(page[8:]) != flagFreelist,
		h.freelist+overflow >= h.high, count > h.high, begins+8*count > (overflow+1)*h.pageSize:
		return 0, 0, wrong("its list of free pages is wrong")
	}
	return int64(begins), int64(count), nil
}
