// Package folder keeps entries in a folder that machines share: on NFS, Lustre, GPFS or
// any disk, without a server and without locks.
//
// Nothing in it is ever rewritten or appended to. What is stored of a call is a set of
// records, each written once: an Update writes one that covers those it has read, and who
// reads joins what is left, which are those that were written side by side
// (cache.Entry.Join). So two that write at once lose nothing, and need no lock.
//
//	FORMAT                                 the layout's version
//	ns/<hash>/CURRENT                      the namespace's token and name, replaced by rename
//	ns/<hash>/<token>/obj/<kk>/<key>.<id>  a record; kk are the first two digits of the key
//	ns/<hash>/<token>/pack/pack.<id>       a pack of them; see pack.go
//	ns/<hash>/<token>/lease/<key>          a lease
//
// Whoever deletes or refreshes an entry begins a new epoch of it, which records of the old
// one no longer count in. Whoever clears a namespace gives it a new token, and so another
// folder.
//
// What is written has another name until it is durable. What is read is looked up by
// listing a folder, since file systems remember what isn't there; a record's folder before
// that of the packs, since records move from there to here; and once more from the
// beginning where a name that was listed has gone.
package folder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
)

// Store is a Store in a folder.
type Store struct {
	dir    string
	sys    disk.System
	random func([]byte)

	mu     sync.Mutex
	known  bool // the folder's format
	spaces map[string]*space
	// own says of each series' origin that is ours how many samples we have given it, at
	// most: what another machine shows us may be older.
	own map[uint64]int64

	tidying sync.Mutex
}

var (
	_ cache.Store    = (*Store)(nil)
	_ cache.Clearer  = (*Store)(nil)
	_ cache.Measurer = (*Store)(nil)
	_ cache.Leaser   = (*Store)(nil)
	_ cache.Grouper  = (*Store)(nil)
	_ cache.Lister   = (*Store)(nil)
	_ cache.Pruner   = (*Store)(nil)

	_ cache.NamespaceLister = (*Store)(nil)
)

// New returns the store in folder dir, which is made when something is first written. What
// is made in it is as open as the folder is; see package share.
func New(dir string) *Store { return newStore(dir, disk.New(dir)) }

func newStore(dir string, sys disk.System) *Store {
	random := func(b []byte) { rand.Read(b) } // never fails: see crypto/rand.Read
	return &Store{dir: dir, sys: sys, random: random, spaces: map[string]*space{}, own: map[uint64]int64{}}
}

// Close closes the files that were kept open.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.spaces {
		p.packs.close()
	}
	clear(s.spaces)
	if d, ok := s.sys.(interface{ Close() }); ok {
		d.Close()
	}
	return nil
}

// Path is the folder's path.
func (s *Store) Path() string { return s.dir }

// Get implements Store.
func (s *Store) Get(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	got := s.GetAll(ctx, []cache.ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// Peek implements Reader.
func (s *Store) Peek(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	got := s.PeekAll(ctx, []cache.ID{id})[0]
	return got.Entry, got.Gen, got.Err
}

// GetAll implements Grouper.
func (s *Store) GetAll(ctx context.Context, ids []cache.ID) []cache.Got { return s.get(ctx, ids, true) }

// PeekAll implements Lister.
func (s *Store) PeekAll(ctx context.Context, ids []cache.ID) []cache.Got {
	return s.get(ctx, ids, false)
}

func (s *Store) get(ctx context.Context, ids []cache.ID, create bool) []cache.Got {
	all := make([]cache.Got, len(ids))
	for _, g := range groups(len(ids), func(i int) cache.ID { return ids[i] }) {
		p, err := s.current(ctx, g.namespace, create)
		var states []state
		if err == nil && p != nil {
			states, err = s.read(ctx, p, g.keys)
		}
		for i, at := range g.at {
			got := &all[at]
			switch {
			case err != nil:
				got.Err = err
			case p != nil:
				st := &states[i]
				got.Gen = cache.Generation{Namespace: p.token, Entry: st.token()}
				if st.bad != nil {
					got.Err = st.bad
				} else if !st.entry.Empty() {
					got.Entry = st.entry
				}
			}
		}
	}
	return all
}

// explain says what to do about an error that the user can mend.
func (s *Store) explain(err error) error {
	var known *PermissionError
	if errors.Is(err, fs.ErrPermission) && !errors.As(err, &known) {
		return &PermissionError{s.dir, err}
	}
	return err
}

// path puts a file's path before an error.
func (s *Store) path(name string, err error) error {
	return &fs.PathError{Op: "read", Path: filepath.Join(s.dir, filepath.FromSlash(name)), Err: err}
}

// PermissionError is a file or folder of the store that we may not use.
type PermissionError struct {
	Dir string // the store's
	Err error  // which has the path
}

func (e *PermissionError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PermissionError) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *PermissionError) Hint() string {
	dir := e.Dir
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrPermission) && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	if dir != e.Dir { // whose modes don't matter, then
		return fmt.Sprintf("the way to it is through %[1]s, which lets only some pass: chmod g+x %[1]s", dir)
	}
	return fmt.Sprintf("a group shares a folder whose modes say so: chgrp -R GROUP %[1]s; find %[1]s -type d -exec chmod 2770 {} +; find %[1]s -type f -exec chmod 660 {} +", e.Dir)
}
