package pages

import (
	"bytes"
	"errors"

	berrors "go.etcd.io/bbolt/errors"
)

// Salvage is the tree of a file that may be damaged. Where one byte of a head is
// wrong, its checksum tells which. Where one head is beyond that, it is the tree of
// the other, and last is false: it may be the one from before the last change, and
// what that has removed or replaced is in it.
//
// A reference could lead to a page that was given up, and what was removed long ago
// come back: where the list of those pages can't be read, the whole tree has to be
// sound, which most wrong references aren't.
func Salvage(data []byte) (t Tree, last bool, err error) {
	h, last, err := salvageHead(data)
	if err != nil {
		return t, false, err
	}
	err = h.check(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		t, err = newTree(h, data)
		return t, last, err
	}
	if h.high > uint64(len(data))/h.pageSize || h.freelist < 2 || h.freelist >= h.high {
		return t, false, err
	}
	// Cut off it is not, so it is the list that is wrong.
	words := h.high/64 + 1
	t = Tree{head: h, data: data, checked: make([]uint64, words), withBuckets: make([]uint64, words)}
	return t, last, t.Sound()
}

// salvageHead is the newest head that can be read, and whether both can be.
func salvageHead(data []byte) (h head, both bool, err error) {
	first, err := mendHead(data, 0)
	if errors.Is(err, ErrNewer) {
		return h, false, err
	}
	if err == nil {
		if second, secondErr := mendHead(data, first.pageSize); secondErr == nil {
			return newest(first, second), true, nil
		} else if errors.Is(secondErr, ErrNewer) {
			return h, false, secondErr
		}
		return first, false, nil
	}
	// Where the second head lies only the first one says, and it itself.
	for size := uint64(minPageSize); size <= maxPageSize; size *= 2 {
		if second, secondErr := mendHead(data, size); secondErr == nil && second.pageSize == size {
			return second, false, nil
		}
	}
	return h, false, err
}

// mendHead reads the head of the page that begins at a place, though one of its bytes
// may be wrong. That another byte in its place makes the checksum, of 64 bits, right
// by chance is out of the question.
func mendHead(data []byte, at uint64) (head, error) {
	if uint64(len(data)) < at+pageHeader+headSize {
		return head{}, wrong("it is cut off")
	}
	page := bytes.Clone(data[at : at+pageHeader+headSize])
	h, err := parseHead(page)
	if errors.Is(err, berrors.ErrVersionMismatch) {
		return h, ErrNewer
	} else if err == nil {
		return h, nil
	}
	for i := pageHeader; i < len(page); i++ {
		was := page[i]
		for flip := 1; flip < 256; flip++ {
			page[i] = was ^ byte(flip)
			if h, err := parseHead(page); err == nil {
				return h, nil
			}
		}
		page[i] = was
	}
	return head{}, &Damage{err}
}
