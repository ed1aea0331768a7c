package bolt

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"

	"dvlcache/cache"
	"dvlcache/cache/key"
)

// Drop implements Pruner. What was refreshed or deleted leaves its token behind;
// see Generation.
func (b *Store) Drop(ctx context.Context, ids []cache.ID, which func(cache.ID, *cache.Entry) bool) (n int, err error) {
	err = b.rewrite(ctx, func(tx *bbolt.Tx) error {
		buckets := bucketsOf(tx)
		for _, id := range ids {
			bucket, err := buckets.of(id)
			if err != nil {
				return err
			}
			e, _, err := read(bucket, id)
			var bad *cache.RecordError
			if errors.As(err, &bad) && bad.Newer || e == nil && bad == nil || e != nil && !which(id, e) {
				continue
			}
			n++
			if e != nil && e.Token != (cache.Token{}) {
				err = bucket.Put(id.Key[:], cache.Seal(id, &cache.Entry{Token: e.Token}))
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
		return forgetLists(tx)
	})
	return n, err
}

// Compact gives back the disk space that the file doesn't need, and forgets lists of
// inputs that no entry shares any more.
func (b *Store) Compact(ctx context.Context) error {
	err := b.rewrite(ctx, forgetLists)
	var compact *CompactError
	if errors.As(err, &compact) {
		return compact.Err
	}
	return err
}

// forgetLists deletes the lists of inputs that no entry refers to. Who is about to
// refer to one puts it in the same transaction, if it isn't there.
func forgetLists(tx *bbolt.Tx) error {
	if _, err := soundTree(tx); err != nil {
		return err
	}
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		if name[0] != 'n' {
			return nil
		}
		lists, shared := map[key.Key]bool{}, map[key.Key]bool{}
		err := bucket.ForEach(func(k, v []byte) error {
			if len(k) != len(key.Key{}) {
				return nil
			}
			id := cache.ID{Namespace: string(name[1:]), Key: key.Key(k)}
			e, err := cache.Unseal(id, v)
			if err != nil {
				return nil // it refers to nothing that could be read
			}
			if e.List != nil {
				lists[id.Key] = true
			}
			for _, v := range e.Variants() {
				for _, k := range v.Inputs.Shared {
					shared[k] = true
				}
			}
			return nil
		})
		for k := range lists {
			if err == nil && !shared[k] {
				err = bucket.Delete(k[:])
			}
		}
		return err
	})
}
