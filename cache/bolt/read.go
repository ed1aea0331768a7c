package bolt

import (
	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/internal/parallel"
	"dvlcache/cache/key"
)

// What is only read is read from the pages themselves, each checked as it is come
// by (package pages), and not through bbolt, which would go over them again.

// viewLocked runs f on the file's tree. A file that isn't there is errNoFile.
func (b *Store) viewLocked(f func(*pages.Tree) error) error {
	m, err := b.mapFile()
	if err != nil {
		return err
	}
	defer m.close()
	return files.Guard(func() error {
		t, err := pages.New(m.data)
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
func readEntries(t *pages.Tree, ids []cache.ID, into []cache.Got) (err error) {
	var d pages.Bucket
	var token cache.Token
	tokens, records := make([]cache.Token, len(ids)), make([][]byte, len(ids))
	var arena []byte // for the records
	for i, id := range ids {
		if i == 0 || id.Namespace != ids[i-1].Namespace {
			if d, err = t.Bucket(bucketName(id.Namespace)); err != nil {
				return err
			}
			stored, err := d.Get(generationKey)
			if err != nil {
				return err
			}
			token = cache.Token{}
			copy(token[:], stored)
		}
		tokens[i] = token
		stored, err := d.Get(id.Key[:])
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
	parallel.Do(len(ids), func(i int) {
		into[i].Entry, into[i].Gen, into[i].Err = decode(ids[i], tokens[i], records[i])
	})
	return nil
}

// countEntries counts the entries of a namespace, or of all: what is neither the
// generation token nor a token left behind by a deletion.
func countEntries(t *pages.Tree, namespace *string) (n int, err error) {
	lost := func(err error) error { return err }
	var inner error
	err = t.Buckets([]byte{'n'}, func(name []byte, d pages.Bucket) bool {
		if name[0] == 'n' && (namespace == nil || string(name[1:]) == *namespace) {
			inner = d.Each(nil, func(k, v []byte) bool {
				if len(k) == len(key.Key{}) && !cache.RecordIsEmpty(v) {
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
