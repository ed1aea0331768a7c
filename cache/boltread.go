package cache

import (
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
			err = checkLayout(&t)
		}
		if err != nil {
			return err
		}
		return f(&t)
	})
}

// readEntries gets entries from a file that nobody changes meanwhile.
func readEntries(t *tree, ids []ID, into []Got) (err error) {
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

// countEntries counts the entries of a namespace, or of all: what is neither the
// generation token nor a token left behind by a deletion.
func countEntries(t *tree, namespace *string) (n int, err error) {
	lost := func(err error) error { return err }
	var inner error
	err = t.buckets([]byte{'n'}, func(name []byte, d bucketTree) bool {
		if name[0] == 'n' && (namespace == nil || string(name[1:]) == *namespace) {
			inner = d.each(nil, func(k, v []byte) bool {
				if len(k) == len(Key{}) && !recordIsEmpty(v) {
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
