package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sort"
	"unsafe"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// bbolt trusts its file. A cycle among the pages overflows its stack, which no
// recover stops; a wrong count in the list of free pages asks for more memory
// than there is; a reference to a page that was given up finds what the records
// were before. So before bbolt goes down a path, we go down it ourselves, over
// the same pages, and believe nothing. What is found is *damage.
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
const (
	pageHeader  = 16
	elementSize = 16
	headSize    = 64
	bucketSize  = 16

	headMagic   = 0xED0CDAED
	headVersion = 2
	maxPageSize = 1 << 20

	flagBranch   = 1
	flagLeaf     = 2
	flagFreelist = 16

	// maxDepth is out of reach: each level has at least twice the pages of
	// the one above.
	maxDepth = 48
)

var native = binary.NativeEndian

func damaged(format string, args ...any) error { return &damage{fmt.Errorf(format, args...)} }

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
	if h.pageSize < 512 || h.pageSize > maxPageSize || h.pageSize&(h.pageSize-1) != 0 || h.high > 1<<40 {
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
			return h, damaged("it is cut off")
		} else if err != nil {
			return h, err
		}
		if heads[i], err = parseHead(page[:]); errors.Is(err, berrors.ErrVersionMismatch) {
			return h, ErrNewer
		} else if err != nil {
			return h, &damage{err}
		}
		at = int64(heads[i].pageSize)
	}
	return newest(heads[0], heads[1]), nil
}

// checkFile checks, before bbolt opens a file, what opening it relies on: the
// heads, that no page in use is cut off, and the list of free pages.
func checkFile(f io.ReaderAt, size int64) error {
	if size == 0 {
		return nil // a new one
	}
	h, err := readHead(f)
	if err != nil {
		return err
	}
	if h.high > uint64(size)/h.pageSize {
		return damaged("it is cut off")
	}
	if h.freelist < 2 || h.freelist >= h.high {
		return damaged("its list of free pages is nowhere")
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
			return damaged("its list of free pages is wrong")
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
		return 0, 0, damaged("its list of free pages is wrong")
	}
	return int64(begins), int64(count), nil
}

// tree is a file's pages as they were when it was last written.
type tree struct {
	head
	data []byte // the pages in use, mapped: reading may fault
	free []byte // the list of free pages
	// checked are the pages that were found sound, as bits: each is checked
	// once.
	checked []uint64
	buckets []uint64 // those of them that have buckets on them
}

// wholeTree is the tree of a file that is all there.
func wholeTree(data []byte) (t tree, err error) {
	h, err := readHead(bytes.NewReader(data))
	if err == nil {
		err = checkFile(bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return t, err
	}
	return newTree(h, data)
}

// newTree needs the data of a file that checkFile has passed, and its head.
func newTree(h head, data []byte) (t tree, err error) {
	list := data[h.freelist*h.pageSize:]
	begin, n, err := freelist(list, h)
	if err != nil {
		return t, err
	}
	words := h.high/64 + 1
	return tree{head: h, data: data[:h.high*h.pageSize], free: list[begin : begin+8*n],
		checked: make([]uint64, words), buckets: make([]uint64, words)}, nil
}

// treeOf is the tree of a transaction, valid until that writes.
func treeOf(tx *bbolt.Tx) (t tree, err error) {
	info := tx.DB().Info()
	size := uint64(info.PageSize)
	// Not a pointer that Go's collector knows, so no conversion that it
	// would have to see.
	at := func(page uint64) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), info.Data+uintptr(page*size)) }
	var heads [2]head
	for i := range heads {
		if heads[i], err = parseHead(unsafe.Slice((*byte)(at(uint64(i))), pageHeader+headSize)); err != nil {
			return t, &damage{err}
		}
	}
	h := newest(heads[0], heads[1])
	if h.pageSize != size {
		return t, damaged("its heads differ")
	}
	return newTree(h, unsafe.Slice((*byte)(at(0)), h.high*size))
}

// isFree reports whether a page is on the list of free pages.
func (t *tree) isFree(id uint64) bool {
	n := len(t.free) / 8
	i := sort.Search(n, func(i int) bool { return native.Uint64(t.free[8*i:]) >= id })
	return i < n && native.Uint64(t.free[8*i:]) == id
}

// page is a page, with those it overflows into, that has been checked: all that
// its elements point to lies within it, and its keys ascend.
type page struct {
	raw   []byte
	leaf  bool
	count int
	// buckets says that there are buckets on a leaf.
	buckets bool
}

func (t *tree) page(id uint64) (p page, err error) {
	if id < 2 || id >= t.high {
		return p, damaged("page %d is beyond its end", id)
	}
	raw := t.data[id*t.pageSize:]
	overflow := uint64(native.Uint32(raw[12:]))
	if bit := uint64(1) << (id % 64); t.checked[id/64]&bit != 0 {
		return page{raw: raw[:(overflow+1)*t.pageSize], leaf: native.Uint16(raw[8:]) == flagLeaf, count: int(native.Uint16(raw[10:])), buckets: t.buckets[id/64]&bit != 0}, nil
	}
	switch {
	case native.Uint64(raw) != id:
		return p, damaged("page %d is another", id)
	case t.isFree(id):
		return p, damaged("page %d is in use and free", id)
	case id+overflow >= t.high:
		return p, damaged("page %d is too long", id)
	}
	if p, err = parsePage(raw[:(overflow+1)*t.pageSize]); err != nil {
		return p, damaged("page %d: %w", id, err)
	}
	t.checked[id/64] |= 1 << (id % 64)
	if p.buckets {
		t.buckets[id/64] |= 1 << (id % 64)
	}
	return p, nil
}

var errPage = errors.New("what it holds is out of place")

func parsePage(raw []byte) (p page, err error) {
	flags := native.Uint16(raw[8:])
	p = page{raw: raw, leaf: flags == flagLeaf, count: int(native.Uint16(raw[10:]))}
	table := uint64(pageHeader + elementSize*p.count)
	if flags != flagLeaf && flags != flagBranch || !p.leaf && p.count == 0 || table > uint64(len(raw)) {
		return p, errPage
	}
	var before []byte
	for i := range p.count {
		e := p.element(i)
		key := e.keyAt
		if e.keySize == 0 || key < table || key+e.keySize+e.valueSize > uint64(len(raw)) || p.leaf && e.flags > 1 {
			return p, errPage
		}
		now := raw[key : key+e.keySize]
		if i > 0 && bytes.Compare(before, now) >= 0 {
			return p, errPage
		}
		before = now
		p.buckets = p.buckets || e.flags != 0
	}
	return p, nil
}

// element is an entry of a page's table.
type element struct {
	flags                     uint32 // of a leaf's
	child                     uint64 // of a branch's
	keyAt, keySize, valueSize uint64
}

func (p page) element(i int) (e element) {
	at := pageHeader + elementSize*i
	raw := p.raw[at : at+elementSize]
	if !p.leaf {
		return element{child: native.Uint64(raw[8:]), keyAt: uint64(at) + uint64(native.Uint32(raw)), keySize: uint64(native.Uint32(raw[4:]))}
	}
	return element{
		flags:     native.Uint32(raw),
		keyAt:     uint64(at) + uint64(native.Uint32(raw[4:])),
		keySize:   uint64(native.Uint32(raw[8:])),
		valueSize: uint64(native.Uint32(raw[12:])),
	}
}

func (p page) key(i int) []byte {
	e := p.element(i)
	return p.raw[e.keyAt : e.keyAt+e.keySize]
}

func (p page) value(i int) []byte {
	e := p.element(i)
	return p.raw[e.keyAt+e.keySize : e.keyAt+e.keySize+e.valueSize]
}

// within checks that the keys of a branch's child lie between the branch's own
// for it and the next. low is nil at the left edge, where bbolt puts what is
// smaller, and high at the right one.
func (p page) within(low, high []byte) error {
	if p.count == 0 {
		return nil
	}
	if low != nil && bytes.Compare(p.key(0), low) < 0 || high != nil && bytes.Compare(p.key(p.count-1), high) >= 0 {
		return damaged("its pages are out of order")
	}
	return nil
}

// search returns the index of a key, or of where it would be.
func (p page) search(key []byte) int {
	return sort.Search(p.count, func(i int) bool { return bytes.Compare(p.key(i), key) >= 0 })
}

// find returns the index of a key, or -1.
func (p page) find(key []byte) int {
	if i := p.search(key); i < p.count && bytes.Equal(p.key(i), key) {
		return i
	}
	return -1
}

// around returns the bounds of a branch's child i, within its own.
func (p page) around(i int, low, high []byte) (childLow, childHigh []byte) {
	childLow, childHigh = p.key(i), high
	if i == 0 && low == nil {
		childLow = nil
	}
	if i+1 < p.count {
		childHigh = p.key(i + 1)
	}
	return childLow, childHigh
}

// find goes down to the leaf on which a key is or would be. index is the key's,
// or -1.
func (t *tree) find(root uint64, key []byte) (p page, index int, err error) {
	var low, high []byte
	id := root
	for range maxDepth {
		if p, err = t.page(id); err == nil {
			err = p.within(low, high)
		}
		if err != nil {
			return p, 0, err
		}
		if p.leaf {
			return p, p.find(key), nil
		}
		i := p.search(key)
		if i > 0 && (i == p.count || !bytes.Equal(p.key(i), key)) {
			i--
		}
		low, high = p.around(i, low, high)
		id = p.element(i).child
	}
	return p, 0, damaged("its pages form a circle")
}

// bucket takes a bucket's value apart: the page of its root, or, where it lies
// inline, the page that it is.
func (p page) bucket(i int) (root uint64, inline *page, err error) {
	value := p.value(i)
	if p.element(i).flags != 1 || len(value) < bucketSize {
		return 0, nil, damaged("a bucket is none")
	}
	if root = native.Uint64(value); root != 0 {
		return root, nil, nil
	}
	if len(value) < bucketSize+pageHeader {
		return 0, nil, damaged("a bucket is none")
	}
	in, err := parsePage(value[bucketSize:])
	if err == nil && (!in.leaf || native.Uint64(in.raw) != 0 || in.buckets) {
		err = errPage
	}
	if err != nil {
		return 0, nil, damaged("a bucket: %w", err)
	}
	return 0, &in, nil
}

// path checks all that bbolt comes by on its way to a bucket and to keys in it, be
// they there or not.
func (t *tree) path(bucket []byte, keys ...[]byte) error {
	p, i, err := t.find(t.root, bucket)
	if err != nil || i < 0 {
		return err
	}
	root, inline, err := p.bucket(i)
	if err != nil || inline != nil {
		return err
	}
	for _, key := range keys {
		p, _, err := t.find(root, key)
		if err != nil {
			return err
		}
		if p.buckets {
			return damaged("a bucket is where none belongs")
		}
	}
	return nil
}

// soundTree is the tree of a transaction, each page of which has been checked: for
// whoever has bbolt go over all of them.
func soundTree(tx *bbolt.Tx) (t tree, err error) {
	if t, err = treeOf(tx); err == nil {
		err = t.sound()
	}
	return t, err
}

// sound checks every page in use.
func (t *tree) sound() error {
	return t.all(make([]bool, t.high), t.root, nil, nil, true, maxDepth)
}

func (t *tree) all(seen []bool, id uint64, low, high []byte, top bool, depth int) error {
	p, err := t.page(id)
	if err == nil {
		err = p.within(low, high)
	}
	if err != nil {
		return err
	}
	for i := range uint64(len(p.raw)) / t.pageSize {
		if seen[id+i] || t.isFree(id+i) {
			return damaged("page %d is in use twice", id+i)
		}
		seen[id+i] = true
	}
	if depth == 0 {
		return damaged("its pages are too deep")
	}
	if !p.leaf {
		for i := range p.count {
			childLow, childHigh := p.around(i, low, high)
			if err := t.all(seen, p.element(i).child, childLow, childHigh, top, depth-1); err != nil {
				return err
			}
		}
		return nil
	}
	if !top {
		if p.buckets {
			return damaged("a bucket is where none belongs")
		}
		return nil
	}
	for i := range p.count {
		root, inline, err := p.bucket(i)
		if err == nil && inline == nil {
			err = t.all(seen, root, nil, nil, false, maxDepth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
