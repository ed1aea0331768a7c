package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"
)

// Peek implements Reader.
func (b *Bolt) Peek(ctx context.Context, id ID) (*Entry, Generation, error) {
	got := b.PeekAll(ctx, []ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// PeekAll implements Lister, by one look at the file.
func (b *Bolt) PeekAll(ctx context.Context, ids []ID) []Got {
	all := make([]Got, len(ids))
	err := b.viewOnly(ctx, func(t *tree) error { return readEntries(t, ids, all) })
	if err != nil && !errors.Is(err, errNoFile) {
		for i := range all {
			all[i] = Got{Err: err}
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
	id     ID
	record []byte
	// what it holds
	entry *Entry
	bad   *RecordError
}

// Each implements Lister. The file is locked for parts of it at a time.
func (b *Bolt) Each(ctx context.Context, r Range, f func(ID, *Entry, *RecordError) error) error {
	lowest, err := lowestKey(r.Prefix)
	if err != nil {
		return err
	}
	next := place{key: lowest[:]}
	if r.Namespace != nil {
		next.namespace = *r.Namespace
	}
	prefix := strings.ToLower(r.Prefix)
	within := func(id ID) bool { return prefix == "" || strings.HasPrefix(id.Key.String(), prefix) }
	for more := true; more; {
		var part []scanned
		err := b.viewOnly(ctx, func(t *tree) (err error) {
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
			if p := &part[i]; p.bad != nil || !p.entry.Empty() {
				if err := f(p.id, p.entry, p.bad); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// lowestKey is the lowest key that begins with these digits.
func lowestKey(prefix string) (k Key, err error) {
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
type place struct {
	namespace string
	key       []byte
}

// readFrom copies records from a place on, and says where to go on and whether
// there may be more. only keeps to one namespace; keys begin at lowest in each
// and go on while they are within.
func readFrom(t *tree, from place, only bool, lowest Key, within func(ID) bool) (part []scanned, next place, more bool, err error) {
	lost := func(err error) error { return err }
	var arena []byte // one piece of memory for all records
	full := false
	var inner error
	err = t.buckets(bucketName(from.namespace), func(name []byte, d bucketTree) bool {
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
		inner = d.each(begin, func(k, v []byte) bool {
			if len(k) != len(Key{}) {
				return true
			}
			id := ID{namespace, Key(k)}
			if !within(id) {
				return false
			}
			if len(part) > 0 && (len(arena)+len(v) > scanBytes || len(part) >= scanRecords) {
				next, full = place{namespace, id.Key[:]}, true
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
	inParallel(len(part), func(i int) {
		var err error
		p := &part[i]
		if p.entry, err = unsealOwn(p.id, p.record); err != nil {
			errors.As(err, &p.bad)
		}
	})
}

// Drop implements Pruner. What was refreshed or deleted leaves its token behind;
// see Generation.
func (b *Bolt) Drop(ctx context.Context, ids []ID, which func(ID, *Entry) bool) (n int, err error) {
	err = b.rewrite(ctx, func(tx *bbolt.Tx) error {
		drawers := drawersOf(tx)
		for _, id := range ids {
			bucket, err := drawers.of(id)
			if err != nil {
				return err
			}
			e, _, err := read(bucket, id)
			var bad *RecordError
			if errors.As(err, &bad) && bad.Newer || e == nil && bad == nil || e != nil && !which(id, e) {
				continue
			}
			n++
			if e != nil && e.Token != (Token{}) {
				err = bucket.Put(id.Key[:], seal(id, &Entry{Token: e.Token}))
			} else {
				err = bucket.Delete(id.Key[:])
			}
			if err != nil {
				return err
			}
		}
		if n == 0 {
			return errUnchanged
		}
		return nil
	})
	return n, err
}

// Compact gives back the disk space that the file doesn't need.
func (b *Bolt) Compact(ctx context.Context) error {
	err := b.rewrite(ctx, func(*bbolt.Tx) error { return errUnchanged })
	var compact *CompactError
	if errors.As(err, &compact) {
		return compact.Err
	}
	return err
}
