package cache

import (
	"bytes"
	"runtime"
	"sync"
)

// What is only read is read from the pages themselves, each checked as it is come
// by (descent.go), and not through bbolt, which would go over them again.

// viewLocked runs f on the file's tree. A file that isn't there is errNoFile.
func (b *Bolt) viewLocked(f func(*tree) error) error {
	if _, err := b.stat(); err != nil {
		return err
	}
	m, err := b.mapFile()
	if err != nil {
		return err
	}
	defer m.close()
	return guard(func() error {
		t, err := wholeTree(m.data)
		if err == nil {
			err = t.checkLayout()
		}
		if err != nil {
			return err
		}
		return f(&t)
	})
}

// read gets entries from a file that nobody changes meanwhile.
func (t *tree) read(ids []ID, into []Got) (err error) {
	var d bucketTree
	var token Token
	tokens, records := make([]Token, len(ids)), make([][]byte, len(ids))
	var arena []byte // for the records
	for i, id := range ids {
		if i == 0 || id.Namespace != ids[i-1].Namespace {
			if d, err = t.bucket(bucketName(id.Namespace)); err != nil {
				return err
			}
			stored, err := d.get(generationKey)
			if err != nil {
				return err
			}
			token = Token{}
			copy(token[:], stored)
		}
		tokens[i] = token
		stored, err := d.get(id.Key[:])
		if err != nil {
			return err
		}
		if stored == nil {
			continue
		}
		if len(arena)+len(stored) > cap(arena) {
			arena = make([]byte, 0, max(len(stored), min(len(ids)-i, 200)*320))
		}
		begin := len(arena)
		arena = append(arena, stored...)
		records[i] = arena[begin:len(arena):len(arena)]
	}
	// Not from the mapped pages: a fault is ours to handle in this goroutine
	// alone.
	inParallel(len(ids), func(i int) {
		into[i].Entry, into[i].Gen, into[i].Err = decode(ids[i], tokens[i], records[i])
	})
	return nil
}

// inParallel does n small things, on all processors where there are many.
func inParallel(n int, do func(i int)) {
	const few = 200
	if n < few {
		for i := range n {
			do(i)
		}
		return
	}
	share := (n + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for from := 0; from < n; from += share {
		wg.Go(func() {
			for i := from; i < min(from+share, n); i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}

// bucketTree is a bucket; the zero value is an empty one.
type bucketTree struct {
	t      *tree
	root   uint64
	inline *page // instead of a root
}

func (t *tree) bucket(name []byte) (d bucketTree, err error) {
	p, i, err := t.find(t.root, name)
	if err != nil || i < 0 {
		return d, err
	}
	root, inline, err := p.bucket(i)
	return bucketTree{t, root, inline}, err
}

// get returns a value, which is mapped, or nil.
func (d *bucketTree) get(key []byte) ([]byte, error) {
	if d.t == nil {
		return nil, nil
	}
	var p page
	var i int
	if d.inline != nil {
		p = *d.inline
		i = p.find(key)
	} else {
		var err error
		if p, i, err = d.t.find(d.root, key); err != nil {
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
func (t *tree) leaves(root uint64, from []byte, f func(p page, i int) bool, lost func(error) error) (bool, error) {
	return t.below(root, from, nil, nil, maxDepth, f, lost)
}

func (t *tree) below(id uint64, from, low, high []byte, depth int, f func(p page, i int) bool, lost func(error) error) (bool, error) {
	p, err := t.page(id)
	if err == nil {
		err = p.within(low, high)
	}
	if err == nil && depth == 0 {
		err = damaged("its pages form a circle")
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

// count counts the entries of a namespace, or of all: what is neither the
// generation token nor a token left behind by a deletion.
func (t *tree) count(namespace *string) (n int, err error) {
	lost := func(err error) error { return err }
	var inner error
	_, err = t.leaves(t.root, []byte{'n'}, func(p page, i int) bool {
		name := p.key(i)
		if name[0] == 'n' && (namespace == nil || string(name[1:]) == *namespace) {
			inner = t.inBucket(p, i, nil, func(k, v []byte) bool {
				if len(k) == len(Key{}) && len(v) > headerSize && !holdsNothing(v[headerSize:]) {
					n++
				}
				return true
			}, lost)
		}
		return inner == nil
	}, lost)
	if err == nil {
		err = inner
	}
	return n, err
}

// inBucket calls f with the keys and values of the bucket that a leaf's element
// is, as leaves does.
func (t *tree) inBucket(p page, i int, from []byte, f func(key, value []byte) bool, lost func(error) error) error {
	root, inline, err := p.bucket(i)
	if err != nil {
		return lost(err)
	}
	element := func(p page, i int) bool { return p.element(i).flags != 0 || f(p.key(i), p.value(i)) }
	if inline == nil {
		_, err := t.leaves(root, from, element, lost)
		return err
	}
	for i := range inline.count {
		if bytes.Compare(inline.key(i), from) >= 0 && !element(*inline, i) {
			break
		}
	}
	return nil
}

// treeIn is the tree of a file that may be damaged, except in its heads: of
// which of the two is the newer there must be no doubt, or what was cleared
// might come back. So it might from a page that was given up, if a reference
// leads to it: where the list of those can't be read, the whole tree has to be
// sound, which most wrong references aren't.
func treeIn(data []byte) (t tree, err error) {
	h, err := readHead(bytes.NewReader(data))
	if err != nil {
		return t, err
	}
	err = checkFile(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		return newTree(h, data)
	}
	if h.high > uint64(len(data))/h.pageSize || h.freelist < 2 || h.freelist >= h.high {
		return t, err
	}
	// Cut off it is not, so it is the list that is wrong.
	words := h.high/64 + 1
	t = tree{head: h, data: data, checked: make([]uint64, words), buckets: make([]uint64, words)}
	return t, t.sound()
}
