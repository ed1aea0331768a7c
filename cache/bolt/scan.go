package bolt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/internal/parallel"
	"dvlcache/cache/key"
)

// Peek implements Reader.
func (b *Store) Peek(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	got := b.PeekAll(ctx, []cache.ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// PeekAll implements Lister, by one look at the file.
func (b *Store) PeekAll(ctx context.Context, ids []cache.ID) []cache.Got {
	all := make([]cache.Got, len(ids))
	err := b.viewOnly(ctx, func(t *pages.Tree) error { return readEntries(t, ids, all) })
	if err != nil && !errors.Is(err, errNoFile) {
		for i := range all {
			all[i] = cache.Got{Err: err}
		}
	}
	return all
}

const (
	// scanBytes and scanRecords are how much is read at a time: as much as
	// the file may be locked for without being in anybody's way.
	scanBytes   = 1 << 20
	scanRecords = 10_000
)

// scanned is a record as it lies in the file.
type scanned struct {
	id     cache.ID
	record []byte
	// what it holds
	entry *cache.Entry
	bad   *cache.RecordError
}

// Each implements Lister. The file is locked for parts of it at a time.
func (b *Store) Each(ctx context.Context, r cache.Range, f func(cache.ID, *cache.Entry, *cache.RecordError) error) error {
	lowest, err := lowestKey(r.Prefix)
	if err != nil {
		return err
	}
	next := cursor{key: lowest[:]}
	if r.Namespace != nil {
		next.namespace = *r.Namespace
	}
	prefix := strings.ToLower(r.Prefix)
	within := func(id cache.ID) bool { return prefix == "" || strings.HasPrefix(id.Key.String(), prefix) }
	for more := true; more; {
		var part []scanned
		err := b.viewOnly(ctx, func(t *pages.Tree) (err error) {
			part, next, more, err = readFrom(t, next, r.Namespace != nil, lowest, within)
			return err
		})
		if errors.Is(err, errNoFile) {
			return nil
		} else if err != nil {
			return err
		}
		unsealAll(part)
		for i := range part {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if p := &part[i]; p.bad != nil || !p.entry.Empty() && (r.Lists || p.entry.List == nil) {
				if err := f(p.id, p.entry, p.bad); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Namespaces implements NamespaceLister.
func (b *Store) Namespaces(ctx context.Context) (names []string, err error) {
	err = b.viewOnly(ctx, func(t *pages.Tree) error {
		names = nil
		return t.Buckets(bucketName(""), func(name []byte, _ pages.Bucket) bool {
			if name[0] != 'n' {
				return false // beyond the last
			}
			names = append(names, string(name[1:]))
			return true
		}, func(err error) error { return err })
	})
	if errors.Is(err, errNoFile) {
		return nil, nil
	}
	return names, err
}

// lowestKey is the lowest key that begins with these digits.
func lowestKey(prefix string) (k key.Key, err error) {
	if len(prefix) > 2*len(k) {
		return k, fmt.Errorf("%q is longer than a key", prefix)
	}
	digits := prefix + strings.Repeat("0", 2*len(k)-len(prefix))
	if _, err := hex.Decode(k[:], []byte(digits)); err != nil {
		return k, fmt.Errorf("%q is not the beginning of a key, which is in hexadecimal digits", prefix)
	}
	return k, nil
}

// place is where a scan goes on: at a key of a namespace.
type cursor struct {
	namespace string
	key       []byte
}

// readFrom copies records from a place on, and says where to go on and whether
// there may be more. only keeps to one namespace; keys begin at lowest in each
// and go on while they are within.
func readFrom(t *pages.Tree, from cursor, only bool, lowest key.Key, within func(cache.ID) bool) (part []scanned, next cursor, more bool, err error) {
	lost := func(err error) error { return err }
	var arena []byte // one piece of memory for all records
	full := false
	var inner error
	err = t.Buckets(bucketName(from.namespace), func(name []byte, d pages.Bucket) bool {
		if name[0] != 'n' {
			return false // beyond the last
		}
		namespace := string(name[1:])
		begin := lowest[:]
		if namespace == from.namespace {
			begin = from.key
		} else if only {
			return false
		}
		inner = d.Each(begin, func(k, v []byte) bool {
			if len(k) != len(key.Key{}) {
				return true
			}
			id := cache.ID{Namespace: namespace, Key: key.Key(k)}
			if !within(id) {
				return false
			}
			if len(part) > 0 && (len(arena)+len(v) > scanBytes || len(part) >= scanRecords) {
				next, full = cursor{namespace, id.Key[:]}, true
				return false
			}
			if len(arena)+len(v) > cap(arena) {
				arena = make([]byte, 0, max(len(v), scanBytes))
			}
			at := len(arena)
			arena = append(arena, v...)
			part = append(part, scanned{id: id, record: arena[at:len(arena):len(arena)]})
			return true
		}, lost)
		return inner == nil && !full
	}, lost)
	if err == nil {
		err = inner
	}
	return part, next, full, err
}

// unsealAll decodes records, on all processors.
func unsealAll(part []scanned) {
	parallel.Do(len(part), func(i int) {
		var err error
		p := &part[i]
		if p.entry, err = cache.UnsealOwn(p.id, p.record); err != nil {
			errors.As(err, &p.bad)
		}
	})
}
