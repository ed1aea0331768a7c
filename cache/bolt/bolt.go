// Package bolt keeps entries in one bbolt file, which the processes of a machine
// share.
package bolt

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
)

// Store is a Store in one bbolt file, shared by the processes of one machine.
//
// Each operation is behind a lock of our own (bbolt's polls and is unfair), which
// no process holds while a program runs. The file is opened for each operation and
// closed again; writes are synced to the disk before Update returns.
//
// Layout: the bucket "dvlcache" holds the layout's version under "layout". The
// bucket "n" + namespace holds its generation token under "generation" and its
// records under their keys (32 bytes, so never that word).
type Store struct {
	path   string
	lock   rwLock
	leases leases
	notice func(string)
	place  sync.Once // the look at the folder that it lies in
	noSync bool
}

var (
	_ cache.Store    = (*Store)(nil)
	_ cache.Clearer  = (*Store)(nil)
	_ cache.Measurer = (*Store)(nil)
	_ cache.Leaser   = (*Store)(nil)
	_ cache.Grouper  = (*Store)(nil)
	_ cache.Lister   = (*Store)(nil)
	_ cache.Pruner   = (*Store)(nil)
)

const layoutVersion = 1

var (
	metaBucket    = []byte("dvlcache")
	layoutKey     = []byte("layout")
	generationKey = []byte("generation")
)

// New returns the store in folder dir, which is made when something is
// first written. A process waits at most lockTimeout for the others (0: as
// long as it takes). notice is told, in one line, of a file that was set aside
// because it is broken.
func New(dir string, lockTimeout time.Duration, notice func(string)) *Store {
	if notice == nil {
		notice = func(string) {}
	}
	return &Store{
		path: filepath.Join(dir, "cache.db"),
		lock: rwLock{
			gate:    filepath.Join(dir, "gate.lock"),
			lock:    filepath.Join(dir, "cache.lock"),
			timeout: lockTimeout,
		},
		leases: leases{dir: filepath.Join(dir, "leases")},
		notice: notice,
	}
}

// NewSession returns a store in folder dir that is not meant to outlive the
// machine's next start: nothing is synced to the disk. The folder has to be
// there.
func NewSession(dir string, lockTimeout time.Duration, notice func(string)) *Store {
	b := New(dir, lockTimeout, notice)
	b.noSync = true
	return b
}

// Close does nothing: the file is open only while a method is at work.
func (b *Store) Close() error { return nil }

// Path is the file's path.
func (b *Store) Path() string { return b.path }

// Lease implements Leaser.
func (b *Store) Lease(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	return b.leases.acquire(ctx, id, wait)
}

// Get implements Store.
func (b *Store) Get(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	got := b.GetAll(ctx, []cache.ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// GetAll implements Grouper, by one look at the file, or two where a token is missing.
func (b *Store) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	all := make([]cache.Got, len(ids))
	err := b.view(ctx, func(t *pages.Tree) error { return readEntries(t, ids, all) })
	lacksToken := func(g cache.Got) bool { return g.Gen.Namespace == (cache.Token{}) }
	if (err == nil || errors.Is(err, errNoFile)) && slices.ContainsFunc(all, lacksToken) {
		err = b.update(ctx, func(tx *bbolt.Tx) error {
			buckets := bucketsOf(tx)
			for i, id := range ids {
				if !lacksToken(all[i]) {
					continue
				}
				bucket, err := buckets.of(id)
				if err == nil && bucket == nil {
					bucket, err = tx.CreateBucket(bucketName(id.Namespace))
				}
				if err != nil {
					return err
				}
				// Another process, or we ourselves just now, may have
				// been first, with the token or even with the entry.
				got := &all[i]
				if got.Entry, got.Gen, got.Err = read(bucket, id); !lacksToken(*got) {
					continue
				}
				got.Gen.Namespace = cache.NewToken()
				if err := bucket.Put(generationKey, got.Gen.Namespace[:]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		for i := range all {
			all[i] = cache.Got{Err: err}
		}
	}
	return all
}

// buckets fetches the buckets of namespaces in a transaction, after a look at
// all that bbolt comes by on the way to a record.
type buckets struct {
	tx   *bbolt.Tx
	tree *pages.Tree
}

func bucketsOf(tx *bbolt.Tx) *buckets { return &buckets{tx: tx} }

// of returns the bucket of an id's namespace, or nil.
func (d *buckets) of(id cache.ID) (*bbolt.Bucket, error) {
	if d.tree == nil {
		t, err := pages.Of(d.tx)
		if err != nil {
			return nil, err
		}
		d.tree = &t
	}
	name := bucketName(id.Namespace)
	if err := d.tree.Path(name, id.Key[:], generationKey); err != nil {
		return nil, err
	}
	return d.tx.Bucket(name), nil
}

// read takes an entry and its generation from a namespace's bucket, which may
// be nil.
func read(bucket *bbolt.Bucket, id cache.ID) (*cache.Entry, cache.Generation, error) {
	if bucket == nil {
		return nil, cache.Generation{}, nil
	}
	var token cache.Token
	copy(token[:], bucket.Get(generationKey))
	return decode(id, token, bytes.Clone(bucket.Get(id.Key[:])))
}

// decode makes an entry and its generation of what is stored of them, of which
// rec is nobody else's.
func decode(id cache.ID, token cache.Token, rec []byte) (*cache.Entry, cache.Generation, error) {
	gen := cache.Generation{Namespace: token}
	if rec == nil {
		return nil, gen, nil
	}
	e, err := cache.UnsealOwn(id, rec)
	if err != nil {
		return nil, gen, err
	}
	gen.Entry = e.Token
	if e.Empty() {
		e = nil
	}
	return e, gen, nil
}

// Update implements Store.
func (b *Store) Update(ctx context.Context, id cache.ID, gen cache.Generation, change func(*cache.Entry) *cache.Entry) error {
	return b.update(ctx, func(tx *bbolt.Tx) error {
		return updateOne(bucketsOf(tx), cache.Change{ID: id, Gen: gen, Change: change})
	})
}

// UpdateAll implements Grouper, in one transaction.
func (b *Store) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	errs := make([]error, len(changes))
	failed := false
	err := b.update(ctx, func(tx *bbolt.Tx) error {
		buckets := bucketsOf(tx)
		for i, c := range changes {
			errs[i] = updateOne(buckets, c)
			if errors.Is(errs[i], errUnchanged) {
				errs[i] = nil
			} else if broken(errs[i]) {
				return errs[i]
			}
			failed = failed || errs[i] != nil
		}
		return nil
	})
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
	} else if !failed {
		return nil
	}
	return errs
}

func updateOne(d *buckets, c cache.Change) error {
	bucket, err := d.of(c.ID)
	if err != nil {
		return err
	}
	old, now, err := read(bucket, c.ID)
	var bad *cache.RecordError
	if errors.As(err, &bad) {
		if bad.Newer {
			return cache.ErrNewer
		}
		// Whatever token it had is lost; the namespace's holds.
		now.Entry = c.Gen.Entry
	} else if err != nil {
		return err
	}
	if now != c.Gen || c.Gen.Namespace == (cache.Token{}) {
		return cache.ErrSuperseded
	}
	e := c.Change(old)
	if e == nil {
		return errUnchanged
	}
	if e.Token == (cache.Token{}) {
		e.Token = now.Entry
	}
	return bucket.Put(c.ID.Key[:], cache.Seal(c.ID, e))
}

// Delete implements Store.
func (b *Store) Delete(ctx context.Context, id cache.ID) (had bool, err error) {
	err = b.update(ctx, func(tx *bbolt.Tx) error {
		bucket, err := bucketsOf(tx).of(id)
		if err != nil {
			return err
		}
		if bucket == nil {
			return errUnchanged
		}
		e, _, err := read(bucket, id)
		had = e != nil || err != nil
		// A token is left behind even where nothing was stored: an
		// evaluation may be under way.
		return bucket.Put(id.Key[:], cache.Seal(id, &cache.Entry{Token: cache.NewToken()}))
	})
	return had, err
}

// Clear implements Clearer. The disk space is given back; if only that fails,
// the error is a *CompactError.
func (b *Store) Clear(ctx context.Context, namespace string) (n int, err error) {
	err = b.rewrite(ctx, func(tx *bbolt.Tx) (err error) {
		if n, err = countSound(tx, &namespace); err != nil {
			return err
		}
		if tx.Bucket(bucketName(namespace)) == nil {
			return errUnchanged
		}
		return tx.DeleteBucket(bucketName(namespace))
	})
	return n, err
}

// ClearAll implements Clearer, as Clear does.
func (b *Store) ClearAll(ctx context.Context) (n int, err error) {
	err = b.rewrite(ctx, func(tx *bbolt.Tx) (err error) {
		if n, err = countSound(tx, nil); err != nil {
			return err
		}
		var names [][]byte
		err = tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			if name[0] == 'n' {
				names = append(names, bytes.Clone(name))
			}
			return nil
		})
		for _, name := range names {
			if err == nil {
				err = tx.DeleteBucket(name)
			}
		}
		return err
	})
	return n, err
}

// soundTree is the tree of a transaction, each page of which has been checked: for
// whoever has bbolt go over all of them.
func soundTree(tx *bbolt.Tx) (t pages.Tree, err error) {
	if t, err = pages.Of(tx); err == nil {
		err = t.Sound()
	}
	return t, err
}

// countSound counts entries, once each page has been checked.
func countSound(tx *bbolt.Tx, namespace *string) (int, error) {
	t, err := soundTree(tx)
	if err != nil {
		return 0, err
	}
	return countEntries(&t, namespace)
}

// Usage implements Measurer.
func (b *Store) Usage(ctx context.Context, namespace *string) (u cache.Usage, err error) {
	err = b.viewAll(ctx, func(t *pages.Tree) error {
		if err := t.Sound(); err != nil {
			return err
		}
		n, err := countEntries(t, namespace)
		u = cache.Usage{Bytes: t.Size(), Entries: int64(n)}
		return err
	})
	if errors.Is(err, errNoFile) {
		err = nil
	}
	return u, err
}

func bucketName(namespace string) []byte { return append([]byte{'n'}, namespace...) }
