package folder

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
)

// Clear implements Clearer. The folder of what is cleared goes at once, as far as it can.
func (s *Store) Clear(ctx context.Context, namespace string) (int, error) {
	if ok, err := s.format(false); !ok || err != nil {
		return 0, err
	}
	p, err := s.current(ctx, namespace, false)
	if err == nil && p == nil { // or another machine has just made it
		s.renew(namespaces)
		s.renew(folderOf(namespace))
		if p, err = s.current(ctx, namespace, false); err == nil && p == nil {
			s.removeSettled(folderOf(namespace))
		}
	}
	if errors.Is(err, errCurrent) {
		// What it held can't be told any more.
		return 0, s.explain(s.replaceCurrent(folderOf(namespace), namespace, cache.Token{}))
	}
	if p == nil || err != nil {
		return 0, err
	}
	n, err := s.count(ctx, p)
	if err != nil {
		return 0, err
	}
	return n, s.explain(s.replaceCurrent(p.dir, namespace, p.token))
}

// ClearAll implements Clearer, as Clear does.
func (s *Store) ClearAll(ctx context.Context) (n int, err error) {
	if ok, err := s.format(false); !ok || err != nil {
		return 0, err
	}
	s.renew(namespaces)
	dirs, err := s.folders()
	if err != nil {
		return 0, err
	}
	for _, dir := range dirs {
		namespace, _, err := s.readCurrent(dir)
		if again(err) {
			s.renew(dir)
			namespace, _, err = s.readCurrent(dir)
		}
		switch {
		case again(err): // nobody has begun anything in it, or CURRENT is gone
			s.removeSettled(dir)
		case errors.Is(err, errCurrent):
			if err := s.removeCurrent(dir, dir); err != nil {
				return n, s.explain(err)
			}
		case err != nil:
			return n, s.explain(err)
		default:
			some, err := s.Clear(ctx, namespace)
			n += some
			if err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// replaceCurrent begins a new period of a namespace, if the one of the token goes on
// still, and removes the folders of those before.
func (s *Store) replaceCurrent(dir, namespace string, old cache.Token) error {
	fresh, begun := s.newToken(), time.Now()
	err := s.prepare(dir, fresh)
	temp := ""
	if err == nil {
		text := encodeCurrent(namespace, fresh)
		temp, err = s.fill(dir, func(f disk.File) error { _, err := f.Write(text); return err })
	}
	if isFull(err) {
		s.removeAll(periodOf(dir, fresh))
		return s.removeCurrent(dir, periodOf(dir, old))
	} else if err != nil {
		return err
	}
	for range 3 {
		if time.Since(begun) > age/2 {
			err = errors.New("it took so long that others may have removed what was made for it")
			break
		}
		if err = s.sys.Rename(temp, dir+"/"+currentName); err == nil {
			break
		}
		if _, token, readErr := s.readCurrent(dir); readErr == nil && token != old {
			err = nil // it was done all the same, or by somebody else
			break
		}
	}
	if err != nil {
		s.sys.Remove(temp) // so that it isn't done later
		return err
	}
	s.sys.Remove(temp)
	if err := s.sys.Sync(dir); err != nil {
		return err
	}
	s.removeAll(periodOf(dir, old))
	s.sweep(dir)
	return nil
}

// removeSettled removes what nothing finds any more, where CURRENT is gone. A period that
// is about to begin isn't settled yet; another machine may have begun one by now.
func (s *Store) removeSettled(dir string) {
	periods := s.settledIn(dir)
	if _, _, err := s.readCurrent(dir); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, period := range periods {
		s.removeAll(period)
	}
}

// isFull reports whether an error means that nothing can be written any more.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// removeCurrent ends a period without a next one, which the next miss begins, and removes a
// folder then.
func (s *Store) removeCurrent(dir, folder string) error {
	if err := s.sys.Remove(dir + "/" + currentName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.sys.Sync(dir); err != nil {
		return err
	}
	s.removeAll(folder)
	return nil
}

// sweep removes the folders of periods that are over and were left behind. Of a young one
// the period may be about to begin; see prepare. That some stay is no harm: nobody looks into
// them.
func (s *Store) sweep(dir string) {
	if d, ok := s.sys.(interface{ Sweep(dir string) }); ok {
		for _, dir := range []string{".", namespaces, dir} {
			d.Sweep(dir)
		}
	}
	names, err := s.list(dir)
	if err != nil {
		return
	}
	_, token, err := s.readCurrent(dir)
	if err != nil {
		return
	}
	// Once that can't be undone.
	if s.sys.Sync(dir) != nil {
		return
	}
	for _, name := range names {
		if isHash(name) && name != hex.EncodeToString(token[:]) {
			made := dir + "/" + name + "/" + madeName
			written, err := s.written(made)
			switch {
			case errors.Is(err, fs.ErrNotExist): // it is older than what is made now
				if f, err := s.sys.Create(made); err == nil {
					f.Close()
				}
			case err == nil && s.now(dir).Sub(written) > age:
				s.removeAll(dir + "/" + name)
			}
		}
	}
}

// removeAll removes a file, or a folder and all in it, as far as it can.
func (s *Store) removeAll(name string) {
	if err := s.sys.Remove(name); err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	names, err := s.sys.List(name)
	if err != nil {
		return
	}
	for _, below := range names {
		s.removeAll(name + "/" + below)
	}
	s.sys.Remove(name)
}
