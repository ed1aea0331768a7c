package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"dvlcache/cache"
	"dvlcache/cache/bolt/pages"
	"dvlcache/cache/durable"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/internal/wire"
	"dvlcache/cache/share"
)

// Errors that stay within the bolt store.
var (
	errNoFile    = errors.New("there is no file yet")
	errUnchanged = errors.New("nothing to write")
	errForeign   = errors.New("it is not a file of dvlcache")
)

// damaged reports whether an error is of what was found on the pages, or of a panic
// or fault on the way there.
func damaged(err error) bool {
	var d *pages.Damage
	var f *files.Fault
	return errors.As(err, &d) || errors.As(err, &f)
}

// broken reports whether an error of opening or reading the file means that
// the file itself is no good, rather than that the system refused.
func broken(err error) bool {
	if damaged(err) || errors.Is(err, errForeign) {
		return true
	}
	for _, e := range []error{berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrInvalidMapping} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err != nil && strings.Contains(err.Error(), "file size too small")
}

// stat looks whether there is a file that can be ours; if not, its error is
// errNoFile or errForeign, or the system's.
func (b *Store) stat() (os.FileInfo, error) {
	info, err := os.Lstat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoFile
	case err != nil:
		return nil, err
	case info.Mode()&os.ModeSymlink != 0:
		return nil, &fs.PathError{Op: "open", Path: b.path, Err: files.ErrLink}
	case !info.Mode().IsRegular():
		return nil, errForeign
	case info.Size() == 0: // a creation that was cut short
		return nil, errNoFile
	}
	return info, nil
}

// open opens the file, which must exist, and checks that it is ours.
func (b *Store) open(readOnly bool) (*bbolt.DB, error) {
	if _, err := b.stat(); err != nil {
		return nil, err
	}
	db, err := b.openFile(b.path, readOnly)
	if err != nil {
		return nil, err
	}
	if err := files.Guard(func() error { return db.View(layoutOf) }); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func layoutOf(tx *bbolt.Tx) error {
	t, err := pages.Of(tx)
	if err != nil {
		return err
	}
	return checkLayout(&t)
}

func checkLayout(t *pages.Tree) error {
	meta, err := t.Bucket(metaBucket)
	if err != nil {
		return err
	}
	layout, err := meta.Get(layoutKey)
	if err != nil {
		return err
	}
	switch {
	case len(layout) != 1 || !wire.IsVersion(layout[0]):
		return errForeign
	case layout[0] > layoutVersion:
		return cache.ErrNewer
	}
	return nil
}

func (b *Store) openFile(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File
	err = files.Guard(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly:     readOnly,
			Timeout:      b.foreignTimeout(),
			NoSync:       b.noSync,
			NoGrowSync:   b.noSync,
			FreelistType: bbolt.FreelistArrayType, // the faster one to load
			NoStatistics: true,
			OpenFile: func(path string, flag int, _ os.FileMode) (*os.File, error) {
				if file, err = files.OpenOwn(path, flag); err != nil {
					return nil, err
				}
				info, err := file.Stat()
				if err == nil {
					err = pages.Check(file, info.Size())
				}
				if err != nil {
					file.Close()
					return nil, err
				}
				return file, nil
			},
		})
		return err
	})
	switch {
	case damaged(err):
		file.Close() // or its lock would stay
		return nil, err
	case errors.Is(err, berrors.ErrTimeout):
		return nil, cache.ErrLockTimeout
	}
	return db, err
}

// foreignTimeout is how long to wait for bbolt's own lock, which only a foreign
// program can hold.
func (b *Store) foreignTimeout() time.Duration { return max(b.lock.timeout, time.Second) }

// view runs f as viewOnly does, and, if the file is broken, on a fresh one that
// takes its place.
func (b *Store) view(ctx context.Context, f func(*pages.Tree) error) error {
	err := b.viewOnly(ctx, f)
	if !broken(err) {
		return err
	}
	// Only a writer may set the file aside, and only if it finds it broken
	// itself: another may have done so already.
	var found error
	if err := b.update(ctx, func(tx *bbolt.Tx) error {
		t, err := pages.Of(tx)
		if found = err; err == nil {
			found = f(&t)
		}
		if broken(found) {
			return found
		}
		return errUnchanged
	}); err != nil {
		return err
	}
	return b.explain(found)
}

// viewOnly runs f on the file's tree, beside other readers. Its error is
// errNoFile where nothing was ever written.
func (b *Store) viewOnly(ctx context.Context, f func(*pages.Tree) error) error {
	if _, err := os.Lstat(b.path); errors.Is(err, fs.ErrNotExist) {
		return errNoFile // and no lock files for it
	}
	release, err := b.lock.acquire(ctx, true)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoFile
	} else if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		// Who can't make a lock can read all the same: nobody writes, or
		// what is torn is found to be.
		release, err = func() {}, nil
	}
	if err != nil {
		return b.explain(err)
	}
	err = b.viewLocked(f)
	release()
	return b.explain(err)
}

// viewAll is viewOnly for who goes over all of the file, which may take longer than
// a writer that waits has patience for.
func (b *Store) viewAll(ctx context.Context, f func(*pages.Tree) error) error {
	return b.viewOnly(ctx, func(t *pages.Tree) error {
		defer b.lock.goesOn()()
		return f(t)
	})
}

// update runs f in a write transaction, alone, and commits unless f fails.
// errUnchanged from f means success without a commit. A file that is broken
// is set aside and f is run on a fresh one.
func (b *Store) update(ctx context.Context, f func(*bbolt.Tx) error) error {
	if !b.noSync { // a session's folder that is gone stays so
		if err := share.MakeAll(filepath.Dir(b.path)); err != nil {
			return b.explain(err)
		}
	}
	release, err := b.lock.acquire(ctx, false)
	if err != nil {
		return b.explain(err)
	}
	defer release()
	b.place.Do(func() {
		if name := networkFileSystem(filepath.Dir(b.path)); name != "" {
			b.notice(fmt.Sprintf("%s is on %s, where locks between machines can't be trusted; --folder DIR (DVLCACHE_FOLDER) needs none, or DVLCACHE_DIR names a folder on a local disk", filepath.Dir(b.path), name))
		}
		if dir := filepath.Dir(b.path); share.In(dir).Open {
			b.notice(fmt.Sprintf("everybody may write to %s, and so answer any number; chmod o-w %s", dir, dir))
		}
	})
	return b.explain(b.updateLocked(f))
}

func (b *Store) updateLocked(f func(*bbolt.Tx) error) error {
	attempt := func() error {
		return files.Guard(func() error {
			db, err := b.open(false)
			if errors.Is(err, errNoFile) {
				if err = b.create(); err == nil {
					db, err = b.open(false)
				}
			}
			if err != nil {
				return err
			}
			defer db.Close()
			return db.Update(f)
		})
	}
	err := attempt()
	if broken(err) {
		if asideErr := b.setAside(err); asideErr != nil {
			return fmt.Errorf("%w, and can't be set aside: %w", err, asideErr)
		}
		err = attempt()
	}
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return err
}

// create makes a file with our layout and puts it in place whole, so that a
// process that dies here leaves no half-made one under the name. Its folder may be
// as new, by us or by another process.
func (b *Store) create() error {
	err := b.replace(func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error {
			meta, err := tx.CreateBucket(metaBucket)
			if err != nil {
				return err
			}
			return meta.Put(layoutKey, []byte{layoutVersion})
		})
	})
	if err != nil || b.noSync {
		return err
	}
	return durable.Parents(filepath.Dir(b.path))
}

// replace fills a new file and renames it over the old one.
func (b *Store) replace(fill func(*bbolt.DB) error) error {
	temp := b.path + ".new"
	os.Remove(temp) // of a process that died; we hold the lock
	db, err := b.openFile(temp, false)
	if err != nil {
		return err
	}
	err = errors.Join(fill(db), db.Close())
	if err == nil {
		share.Like(temp, b.path)
		err = os.Rename(temp, b.path)
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	if b.noSync {
		return nil
	}
	return durable.Folder(filepath.Dir(b.path))
}

// setAside renames a broken file, which may still be of use to somebody.
func (b *Store) setAside(why error) error {
	aside := files.AsideName(b.path)
	err := os.Rename(b.path, aside)
	if err == nil {
		b.notice(fmt.Sprintf("%s can't be read: %v; it is kept as %s and a fresh one is begun; dvlcache check --salvage FILE takes over what can be read of it", b.path, why, filepath.Base(aside)))
	}
	return err
}

// CompactError says that entries were cleared and that only giving back the
// disk space failed.
type CompactError struct{ Err error }

func (e *CompactError) Error() string {
	return fmt.Sprintf("cleared, but the disk space could not be given back: %v", e.Err)
}

// Unwrap returns the cause.
func (e *CompactError) Unwrap() error { return e.Err }

// rewrite runs f as update does, and then copies what is left into a file that
// is as small as it can be.
func (b *Store) rewrite(ctx context.Context, f func(*bbolt.Tx) error) error {
	if _, err := os.Lstat(b.path); errors.Is(err, fs.ErrNotExist) {
		return nil // no cache, nothing to clear
	}
	release, err := b.lock.acquire(ctx, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no cache, nothing to clear
	} else if err != nil {
		return b.explain(err)
	}
	defer release()
	defer b.lock.goesOn()()
	b.leases.sweep()
	share.Sweep(filepath.Dir(b.path))
	if err := b.updateLocked(f); err != nil {
		return b.explain(err)
	}
	err = files.Guard(func() error {
		src, err := b.open(true)
		if err != nil {
			return err
		}
		defer src.Close()
		if err := src.View(func(tx *bbolt.Tx) error { _, err := soundTree(tx); return err }); err != nil {
			return err
		}
		return b.replace(func(dst *bbolt.DB) error {
			return errors.Join(bbolt.Compact(dst, src, 64<<20), dst.Update(bothHeads))
		})
	})
	if err != nil {
		return &CompactError{err}
	}
	return nil
}

// bothHeads changes nothing: once it is committed, either head of the file leads to
// all that is there, and not one of them to what was there before.
func bothHeads(*bbolt.Tx) error { return nil }

// explain puts the file's name before an error that has none.
func (b *Store) explain(err error) error {
	if errors.Is(err, pages.ErrNewer) {
		err = cache.ErrNewer
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; a group shares the cache after chmod -R g+rwXs %s", err, filepath.Dir(b.path))
	}
	var path *fs.PathError
	var bad *cache.RecordError
	if err == nil || errors.Is(err, errNoFile) || errors.As(err, &path) || errors.As(err, &bad) ||
		errors.Is(err, cache.ErrSuperseded) || errors.Is(err, cache.ErrLockTimeout) {
		return err
	}
	return fmt.Errorf("%s: %w", b.path, err)
}
