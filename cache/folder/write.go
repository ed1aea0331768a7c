package folder

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"syscall"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/key"
)

// make makes a folder, and those above it that aren't there.
func (s *Store) make(dir string) error {
	err := s.sys.Mkdir(dir)
	if errors.Is(err, fs.ErrNotExist) && dir != "." {
		if err = s.make(path.Dir(dir)); err == nil {
			err = s.sys.Mkdir(dir)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// tempPrefix begins the names of files that aren't whole yet.
const tempPrefix = "new-"

func (s *Store) tempName(dir string) string {
	return path.Join(dir, tempPrefix+s.newRecordID().String())
}

func (s *Store) newRecordID() (id recordID) {
	s.random(id[:])
	return id
}

func (s *Store) newToken() (t cache.Token) {
	s.random(t[:])
	return t
}

// begin makes a file that others may be about to make as well: it is there then, theirs
// or ours.
func (s *Store) begin(dir, name string, text []byte) error {
	to := path.Join(dir, name)
	temp, err := s.fill(dir, func(f disk.File) error { _, err := f.Write(text); return err })
	if err != nil {
		return err
	}
	err = s.sys.Link(temp, to)
	if noLinks(err) {
		if _, err = s.readFile(to); errors.Is(err, fs.ErrNotExist) {
			err = s.sys.Rename(temp, to)
		}
	}
	s.sys.Remove(temp)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		// It may be done all the same.
		if _, readErr := s.readFile(to); readErr == nil {
			return nil
		}
	}
	return err
}

// noLinks reports whether an error means that a file system has no hard links.
func noLinks(err error) bool {
	for _, e := range []error{syscall.EPERM, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EMLINK, errors.ErrUnsupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// fill makes a file in a folder, durable but for its name, which is random. If that fails
// it is removed.
func (s *Store) fill(dir string, write func(f disk.File) error) (temp string, err error) {
	temp, f, err := s.create(dir)
	if err != nil {
		return "", err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		s.sys.Remove(temp)
	}
	return temp, s.unnamed(err, temp)
}

// create makes a file of a random name. One that is there already is ours, of a try whose
// answer was lost.
func (s *Store) create(dir string) (name string, f disk.File, err error) {
	for range 5 {
		name = s.tempName(dir)
		if f, err = s.sys.Create(name); err == nil {
			return name, f, nil
		}
		s.sys.Remove(name)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return "", nil, s.unnamed(err, name)
}

// unnamed is an error that has to do with a file of a random name, without that: the same of
// each file, so that it is told once. It has the store's folder instead.
func (s *Store) unnamed(err error, temp string) error {
	var of *fs.PathError
	if errors.As(err, &of) && path.Base(filepath.ToSlash(of.Path)) == path.Base(temp) {
		return &fs.PathError{Op: of.Op + " a file in", Path: s.dir, Err: of.Err}
	}
	return err
}

// place gives a file of a random name, which is durable, its name, as random. Whether that
// is there, in spite of who covers it or clears the namespace, is to be seen.
func (s *Store) place(temp, name string) error {
	var err error
	for range 3 {
		if err = s.sys.Rename(temp, name); err == nil {
			return nil
		}
		if s.isThere(name) || !s.isThere(temp) { // it was done all the same
			return nil
		}
	}
	s.sys.Remove(temp) // so that it isn't done later
	return s.unnamed(err, temp)
}

// isThere reports whether there is a file of ours.
func (s *Store) isThere(name string) bool {
	f, err := s.sys.Open(name)
	if err == nil {
		f.Close()
	}
	return !errors.Is(err, fs.ErrNotExist)
}

// renew has the file system look at a folder anew: it has to, where we change something
// in it.
func (s *Store) renew(dir string) {
	if temp, f, err := s.create(dir); err == nil {
		f.Close()
		s.sys.Remove(temp)
	}
}

// renewShards has it look anew at the folders of keys, and renewAll at that of the packs as
// well.
func (s *Store) renewShards(p *space, keys []key.Key) {
	for _, shard := range shardsOf(keys) {
		s.renew(p.shard(shard))
	}
}

func (s *Store) renewAll(p *space, keys []key.Key) {
	s.renewShards(p, keys)
	s.renew(p.packDir())
}
