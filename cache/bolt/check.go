package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/durable"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/key"
)

// Check looks at the file's structure and at each record. It changes nothing;
// an error means that it could not look.
func (b *Store) Check(ctx context.Context) (r cache.Report, err error) {
	err = b.viewAll(ctx, (*pages.Tree).Sound)
	if err == nil {
		err = b.Each(ctx, cache.Range{}, func(_ cache.ID, _ *cache.Entry, bad *cache.RecordError) error {
			if bad != nil {
				r.Bad = append(r.Bad, *bad)
			} else {
				r.Entries++
			}
			return nil
		})
	}
	if broken(err) {
		r.Damage, err = err, nil
	} else if errors.Is(err, errNoFile) {
		err = nil
	}
	return r, err
}

// errOneHead says what it means that a tree may not be the last one.
var errOneHead = errors.New("one of the file's two heads: a number that was stored last may be missing, and one that was cleared or refreshed last may be back as it was before")

// Salvage copies what can be read into a fresh file, which takes the place of
// the old one; that is set aside. Records are taken only where the way to them
// from the file's head is whole: what lies elsewhere may have been cleared.
//
// Namespaces whose generation can't be read begin a new one, and so do all where one
// of the heads can't be, since the last change may be undone then: so that no
// evaluation which is under way is merged into what was there before a refresh.
func (b *Store) Salvage(ctx context.Context) (s cache.Salvaged, err error) {
	release, err := b.lock.acquire(ctx, false)
	if err != nil {
		return s, b.explain(err)
	}
	defer release()
	defer b.lock.goesOn()()
	fresh := &Store{path: b.path + ".salvaged", notice: b.notice}
	os.Remove(fresh.path) // of one that died
	defer os.Remove(fresh.path)
	if err := fresh.create(); err != nil {
		return s, b.explain(err)
	}
	data, err := files.ReadOwn(b.path)
	if err != nil {
		return s, err
	}
	t, last, err := salvageTree(data)
	if err == nil {
		err = fresh.fillFrom(&t, last, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s: nothing can be salvaged: %w", b.path, err)
	}
	// By a link, so that there is a file at any time.
	aside := files.AsideName(b.path)
	s.Aside = []string{aside}
	if os.Link(b.path, aside) != nil {
		err = os.Rename(b.path, aside)
	}
	if err == nil {
		err = os.Rename(fresh.path, b.path)
	}
	if err == nil {
		err = durable.Folder(filepath.Dir(b.path))
	}
	return s, b.explain(err)
}

// salvageTree is the tree of a damaged file. That from before a file was ours has
// nothing for us.
func salvageTree(data []byte) (t pages.Tree, last bool, err error) {
	if t, last, err = pages.Salvage(data); err == nil && !last && errors.Is(checkLayout(&t), errForeign) {
		err = errForeign
	}
	return t, last, err
}

// fillFrom copies the namespaces that a tree has into a fresh file, with their
// generations if it is the last tree that there was.
func (b *Store) fillFrom(t *pages.Tree, last bool, s *cache.Salvaged) error {
	if !last {
		s.Lose(errOneHead)
	}
	var failure error
	err := t.Buckets([]byte{'n'}, func(name []byte, d pages.Bucket) bool {
		if name[0] != 'n' {
			return false
		}
		failure = b.updateLocked(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			var putErr error
			err = d.Each(nil, func(k, v []byte) bool {
				switch {
				case string(k) == string(generationKey) && len(v) == len(cache.Token{}):
					if !last {
						return true
					}
				case len(k) == len(key.Key{}):
					id := cache.ID{Namespace: string(name[1:]), Key: key.Key(k)}
					e, err := cache.Unseal(id, v)
					var bad *cache.RecordError
					if errors.As(err, &bad) && !bad.Newer {
						s.Lose(bad)
						return true
					}
					if !e.Empty() {
						if e.List == nil {
							s.Entries++
						}
					}
				default:
					return true
				}
				putErr = bucket.Put(k, v)
				return putErr == nil
			}, s.Lose)
			return errors.Join(err, putErr)
		})
		return failure == nil
	}, s.Lose)
	if err = errors.Join(err, failure); err != nil {
		return err
	}
	return b.updateLocked(bothHeads)
}

// SalvageFrom takes over what can be read of another file, one that was set aside,
// as Import does with what is exported; and what is there already stays.
func (b *Store) SalvageFrom(ctx context.Context, path string) (s cache.Salvaged, err error) {
	data, err := files.ReadOwn(path)
	if err != nil {
		return s, err
	}
	t, last, err := salvageTree(data)
	if err != nil {
		return s, fmt.Errorf("%s: nothing can be salvaged: %w", path, err)
	}
	conflict := cache.ConflictMerge
	if !last {
		s.Lose(errOneHead)
		conflict = cache.ConflictKeep // what is there is newer
	}
	const group = 2000
	var entries []cache.Transfer
	var failure error
	flush := func() bool {
		var n cache.Transferred
		n, failure = cache.Import(ctx, b, entries, conflict)
		s.Entries += n.Added + n.Changed + n.Same
		entries = entries[:0]
		return failure == nil
	}
	err = t.Buckets([]byte{'n'}, func(name []byte, d pages.Bucket) bool {
		namespace, ok := strings.CutPrefix(string(name), "n")
		if !ok {
			return false
		}
		d.Each(nil, func(k, v []byte) bool {
			if len(k) != len(key.Key{}) {
				return true
			}
			id := cache.ID{Namespace: namespace, Key: key.Key(k)}
			e, err := cache.Unseal(id, v)
			if err != nil {
				s.Lose(err)
				return true
			}
			if e.Token = (cache.Token{}); !e.Empty() {
				entries = append(entries, cache.Transfer{ID: id, Entry: e})
			}
			return len(entries) < group || flush()
		}, s.Lose)
		return failure == nil
	}, s.Lose)
	if failure == nil && len(entries) > 0 {
		flush()
	}
	return s, errors.Join(err, failure)
}

// SetAside lists the files that were set aside.
func (b *Store) SetAside() []string {
	names, _ := filepath.Glob(b.path + ".broken-*")
	return names
}
