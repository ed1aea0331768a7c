package pages

import (
	"bytes"
	"errors"
	"sort"
	"unsafe"

	"go.etcd.io/bbolt"
)

// Tree is a file's pages as they were when it was last written.
type Tree struct {
	head
	data []byte // the pages in use, mapped: reading may fault
	free []byte // the list of free pages
	// checked are the pages that were found sound, as bits: each is checked
	// once.
	checked     []uint64
	withBuckets []uint64 // those of them that have buckets on them
}

// New is the tree of a file that is all there.
func New(data []byte) (t Tree, err error) {
	f := bytes.NewReader(data)
	h, err := readHead(f)
	if err == nil {
		err = h.check(f, f.Size())
	}
	if err != nil {
		return t, err
	}
	return newTree(h, data)
}

// newTree needs the data of a file that Check has passed, and its head.
func newTree(h head, data []byte) (t Tree, err error) {
	list := data[h.freelist*h.pageSize:]
	begin, n, err := freelist(list, h)
	if err != nil {
		return t, err
	}
	words := h.high/64 + 1
	return Tree{head: h, data: data[:h.high*h.pageSize], free: list[begin : begin+8*n],
		checked: make([]uint64, words), withBuckets: make([]uint64, words)}, nil
}

// Of is the tree of a transaction, valid until that writes.
func Of(tx *bbolt.Tx) (t Tree, err error) {
	info := tx.DB().Info()
	size := uint64(info.PageSize)
	// Not a pointer that Go's collector knows, so no conversion that it
	// would have to see.
	at := func(page uint64) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), info.Data+uintptr(page*size)) }
	var heads [2]head
	for i := range heads {
		if heads[i], err = parseHead(unsafe.Slice((*byte)(at(uint64(i))), pageHeader+headSize)); err != nil {
			return t, &Damage{err}
		}
	}
	h := newest(heads[0], heads[1])
	if h.pageSize != size {
		return t, wrong("its heads differ")
	}
	return newTree(h, unsafe.Slice((*byte)(at(0)), h.high*size))
}

// isFree reports whether a page is on the list of free pages.
func (t *Tree) isFree(id uint64) bool {
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

func (t *Tree) page(id uint64) (p page, err error) {
	if id < 2 || id >= t.high {
		return p, wrong("page %d is beyond its end", id)
	}
	raw := t.data[id*t.pageSize:]
	overflow := uint64(native.Uint32(raw[12:]))
	if bit := uint64(1) << (id % 64); t.checked[id/64]&bit != 0 {
		return page{raw: raw[:(overflow+1)*t.pageSize], leaf: native.Uint16(raw[8:]) == flagLeaf, count: int(native.Uint16(raw[10:])), buckets: t.withBuckets[id/64]&bit != 0}, nil
	}
	switch {
	case native.Uint64(raw) != id:
		return p, wrong("page %d is another", id)
	case t.isFree(id):
		return p, wrong("page %d is in use and free", id)
	case id+overflow >= t.high:
		return p, wrong("page %d is too long", id)
	}
	if p, err = parsePage(raw[:(overflow+1)*t.pageSize]); err != nil {
		return p, wrong("page %d: %w", id, err)
	}
	t.checked[id/64] |= 1 << (id % 64)
	if p.buckets {
		t.withBuckets[id/64] |= 1 << (id % 64)
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
		return wrong("its pages are out of order")
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
func (t *Tree) find(root uint64, key []byte) (p page, index int, err error) {
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
	return p, 0, wrong("its pages form a circle")
}

// bucket takes a bucket's value apart: the page of its root, or, where it lies
// inline, the page that it is.
func (p page) bucket(i int) (root uint64, inline *page, err error) {
	value := p.value(i)
	if p.element(i).flags != 1 || len(value) < bucketSize {
		return 0, nil, wrong("a bucket is none")
	}
	if root = native.Uint64(value); root != 0 {
		return root, nil, nil
	}
	if len(value) < bucketSize+pageHeader {
		return 0, nil, wrong("a bucket is none")
	}
	in, err := parsePage(value[bucketSize:])
	if err == nil && (!in.leaf || native.Uint64(in.raw) != 0 || in.buckets) {
		err = errPage
	}
	if err != nil {
		return 0, nil, wrong("a bucket: %w", err)
	}
	return 0, &in, nil
}

// Path checks all that bbolt comes by on its way to a bucket and to keys in it, be
// they there or not.
func (t *Tree) Path(bucket []byte, keys ...[]byte) error {
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
			return wrong("a bucket is where none belongs")
		}
	}
	return nil
}

// Size is how long the file is as far as it is used, in bytes.
func (t *Tree) Size() int64 { return int64(len(t.data)) }

// Sound checks every page in use.
func (t *Tree) Sound() error {
	return t.all(make([]bool, t.high), t.root, nil, nil, true, maxDepth)
}

func (t *Tree) all(seen []bool, id uint64, low, high []byte, top bool, depth int) error {
	p, err := t.page(id)
	if err == nil {
		err = p.within(low, high)
	}
	if err != nil {
		return err
	}
	for i := range uint64(len(p.raw)) / t.pageSize {
		if seen[id+i] || t.isFree(id+i) {
			return wrong("page %d is in use twice", id+i)
		}
		seen[id+i] = true
	}
	if depth == 0 {
		return wrong("its pages are too deep")
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
			return wrong("a bucket is where none belongs")
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
