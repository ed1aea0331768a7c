package pages

import "bytes"

// Bucket is a bucket of a tree; the zero value is an empty one.
type Bucket struct {
	t      *Tree
	root   uint64
	inline *page // instead of a root
}

// Bucket returns a bucket by its name, or an empty one.
func (t *Tree) Bucket(name []byte) (b Bucket, err error) {
	p, i, err := t.find(t.root, name)
	if err != nil || i < 0 {
		return b, err
	}
	return t.bucketAt(p, i)
}

// bucketAt is the bucket that a leaf's element holds.
func (t *Tree) bucketAt(p page, i int) (b Bucket, err error) {
	root, inline, err := p.bucket(i)
	if err != nil {
		return b, err
	}
	return Bucket{t, root, inline}, nil
}

// Get returns a value, which is mapped, or nil.
func (b *Bucket) Get(key []byte) ([]byte, error) {
	if b.t == nil {
		return nil, nil
	}
	var p page
	var i int
	if b.inline != nil {
		p = *b.inline
		i = p.find(key)
	} else {
		var err error
		if p, i, err = b.t.find(b.root, key); err != nil {
			return nil, err
		}
	}
	if i < 0 || p.element(i).flags != 0 {
		return nil, nil
	}
	return p.value(i), nil
}

// leaves calls f with the leaf elements below a page, from a key on and in the
// order of keys, until f returns false, and reports whether it never did. Pages
// are checked as they are come by: lost is told of one that is damaged, and
// returns an error to end with, or nil to go on without what lies below.
func (t *Tree) leaves(root uint64, from []byte, f func(p page, i int) bool, lost func(error) error) (bool, error) {
	return t.below(root, from, nil, nil, maxDepth, f, lost)
}

func (t *Tree) below(id uint64, from, low, high []byte, depth int, f func(p page, i int) bool, lost func(error) error) (bool, error) {
	p, err := t.page(id)
	if err == nil {
		err = p.within(low, high)
	}
	if err == nil && depth == 0 {
		err = wrong("its pages form a circle")
	}
	if err != nil {
		return true, lost(err)
	}
	i := p.search(from)
	if !p.leaf && i > 0 && (i == p.count || !bytes.Equal(p.key(i), from)) {
		i-- // it may begin before
	}
	for ; i < p.count; i++ {
		if p.leaf {
			if !f(p, i) {
				return false, nil
			}
			continue
		}
		childLow, childHigh := p.around(i, low, high)
		if more, err := t.below(p.element(i).child, from, childLow, childHigh, depth-1, f, lost); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// Buckets calls f with each bucket from a name on, in the order of names, until f
// returns false. Pages are checked as they are come by: lost is told of one that is
// damaged, and of a bucket that is none, and returns an error to end with, or nil to
// go on without it.
func (t *Tree) Buckets(from []byte, f func(name []byte, b Bucket) bool, lost func(error) error) error {
	var failure error
	_, err := t.leaves(t.root, from, func(p page, i int) bool {
		b, err := t.bucketAt(p, i)
		if err != nil {
			failure = lost(err)
			return failure == nil
		}
		return f(p.key(i), b)
	}, lost)
	if err == nil {
		err = failure
	}
	return err
}

// Each calls f with the keys and values of a bucket, from a key on and in the order
// of keys, until f returns false. lost is as of buckets.
func (b *Bucket) Each(from []byte, f func(key, value []byte) bool, lost func(error) error) error {
	element := func(p page, i int) bool { return p.element(i).flags != 0 || f(p.key(i), p.value(i)) }
	switch {
	case b.t == nil:
	case b.inline == nil:
		_, err := b.t.leaves(b.root, from, element, lost)
		return err
	default:
		for i := b.inline.search(from); i < b.inline.count; i++ {
			if !element(*b.inline, i) {
				break
			}
		}
	}
	return nil
}
