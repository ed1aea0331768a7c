package folder

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"dvlcache/cache/folder/pack"
)

// packFile is a pack's file that is open to be read.
type packFile struct {
	*pack.Pack
	name  string
	id    recordID
	file  interface{ Close() error }
	made  time.Time // by the file system's clock
	users int       // see packs
}

// packName is the name of a pack's file.
func packName(id recordID) string { return "pack." + id.String() }

// parsePack takes the name of a pack's file apart.
func parsePack(name string) (id recordID, ok bool) {
	digits, ok := strings.CutPrefix(name, "pack.")
	if !ok || len(digits) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil
}

// packs are those of a period that are kept open, so that who looks up much opens each
// once. They never change.
type packs struct{ open map[string]*packFile }

// mostOpen is how many packs are kept open.
const mostOpen = 64

// close closes those that nobody reads; the others go when that ends.
func (x *packs) close() {
	for name, p := range x.open {
		delete(x.open, name)
		if p.users--; p.users == 0 {
			p.file.Close()
		}
	}
}

// openPacks opens the packs that there are. They stay open until release is called.
func (s *Store) openPacks(p *space) (list []*packFile, release func(), err error) {
	names, err := s.list(p.packDir())
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, x := range list {
			if x.users--; x.users == 0 {
				x.file.Close()
			}
		}
	}
	there := map[string]bool{}
	for _, name := range names {
		id, ok := parsePack(name)
		if !ok {
			continue
		}
		there[name] = true
		x, err := s.openPack(p, name, id)
		if err != nil {
			release()
			return nil, nil, err
		}
		list = append(list, x)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, x := range p.packs.open {
		if !there[name] || len(p.packs.open) > mostOpen {
			delete(p.packs.open, name)
			if x.users--; x.users == 0 {
				x.file.Close()
			}
		}
	}
	return list, release, nil
}

// forgetPack has a pack opened anew the next time.
func (s *Store) forgetPack(p *space, x *packFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.packs.open[x.name] == x {
		delete(p.packs.open, x.name)
		x.users-- // whoever reads it is another
	}
}

// openFile opens a pack's file.
func (s *Store) openFile(name string) (*packFile, error) {
	f, err := s.sys.Open(name)
	if err != nil {
		return nil, err
	}
	x := &packFile{file: f}
	size, made, err := f.Stat()
	if err == nil {
		x.made = made
		x.Pack, err = pack.Open(f, size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return x, nil
}

// openPack opens a pack, or returns the one that is open, for one user more.
func (s *Store) openPack(p *space, name string, id recordID) (*packFile, error) {
	s.mu.Lock()
	x := p.packs.open[name]
	if x != nil {
		x.users++
	}
	s.mu.Unlock()
	if x != nil {
		return x, nil
	}
	x, err := s.openFile(p.packDir() + "/" + name)
	if bad := foreign(err); errors.Is(bad, pack.ErrDamaged) {
		x, err = &packFile{Pack: &pack.Pack{Bad: bad}, file: io.NopCloser(nil)}, nil
	} else if err != nil {
		return nil, err
	}
	x.name, x.id = name, id
	s.mu.Lock()
	defer s.mu.Unlock()
	x.users = 1
	if p.packs.open[name] == nil && s.spaces[p.name] == p {
		if p.packs.open == nil {
			p.packs.open = map[string]*packFile{}
		}
		p.packs.open[name] = x
		x.users = 2
	}
	return x, nil
}
