package folder

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/internal/wire"
)

// formatVersion is the layout's.
const formatVersion = 1

const (
	formatName  = "FORMAT"
	formatText  = "dvlcache folder "
	namespaces  = "ns"
	currentName = "CURRENT"
	currentText = "dvlcache generation 1\n"
)

// space is a namespace in one period, from one clear to the next.
type space struct {
	name    string
	dir     string // of the namespace
	token   cache.Token
	packs   packs
	settled bool // see settle
}

// periodOf is the folder of a period.
func periodOf(dir string, token cache.Token) string { return dir + "/" + hex.EncodeToString(token[:]) }

// at is the folder of the period, or one in it.
func (p *space) at(name string) string { return periodOf(p.dir, p.token) + name }

func (p *space) shard(shard byte) string { return p.at(fmt.Sprintf("/obj/%x", shard)) }
func (p *space) packDir() string         { return p.at("/pack") }

// folderOf is a namespace's folder.
func folderOf(namespace string) string {
	sum := sha256.Sum256([]byte(namespace))
	return namespaces + "/" + hex.EncodeToString(sum[:16])
}

// encodeCurrent is what CURRENT holds: twice the same, so that one wrong byte doesn't
// cost the whole namespace.
func encodeCurrent(namespace string, token cache.Token) []byte {
	b := wire.AppendBytes([]byte(currentText), namespace)
	b = append(b, token[:]...)
	sum := sha256.Sum256(b)
	b = append(b, sum[:16]...)
	return append(b, b...)
}

func parseCurrent(b []byte) (namespace string, token cache.Token, ok bool) {
	for _, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		rest, found := bytes.CutPrefix(half, []byte(currentText))
		if !found || len(rest) < 16 {
			continue
		}
		sum := sha256.Sum256(half[:len(half)-16])
		if !bytes.Equal(sum[:16], half[len(half)-16:]) {
			continue
		}
		in := wire.Reader{Rest: rest[:len(rest)-16]}
		namespace = string(in.Bytes())
		copy(token[:], in.Take(len(token)))
		if !in.Bad && len(in.Rest) == 0 {
			return namespace, token, true
		}
	}
	return "", token, false
}

// readFile reads a small file.
func (s *Store) readFile(name string) ([]byte, error) {
	f, err := s.sys.Open(name)
	if err != nil {
		return nil, foreign(err)
	}
	defer f.Close()
	size, _, err := f.Stat()
	if err != nil {
		return nil, foreign(err)
	}
	b := make([]byte, min(size, 1<<20))
	return b, pack.ReadFull(f, b, 0)
}

// foreign takes something that somebody has put in the place of a file of ours for that
// file, damaged: nothing can be read of it, and what it may have held is lost.
func foreign(err error) error {
	if errors.Is(err, disk.ErrForeign) {
		return fmt.Errorf("%w: %w", pack.ErrDamaged, disk.ErrForeign)
	}
	return err
}

// again reports whether an error of reading may be over when it is tried again: a name
// that has just been replaced or removed by another machine.
func again(err error) bool {
	return errors.Is(err, syscall.ESTALE) || errors.Is(err, fs.ErrNotExist)
}

// readCurrent reads a namespace's CURRENT. There is none: fs.ErrNotExist.
func (s *Store) readCurrent(dir string) (namespace string, token cache.Token, err error) {
	for try := range 4 {
		var b []byte
		b, err = s.readFile(dir + "/" + currentName)
		if errors.Is(err, syscall.ESTALE) {
			continue
		} else if err != nil && !errors.Is(err, pack.ErrDamaged) {
			return "", token, err
		}
		if len(b) == 0 && try < 3 { // being made, where there are no links
			time.Sleep(10 * time.Millisecond)
			continue
		}
		var ok bool
		if namespace, token, ok = parseCurrent(b); ok && folderOf(namespace) == dir {
			return namespace, token, nil
		}
		err = s.path(dir+"/"+currentName, errCurrent)
	}
	return "", token, err
}

var errCurrent = errors.New("it is damaged; dvlcache clear begins the namespace anew")

// current returns a namespace as it is now, or nil where there is none and it isn't to be
// made.
func (s *Store) current(ctx context.Context, namespace string, create bool) (*space, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if ok, err := s.format(create); !ok || err != nil {
		return nil, err
	}
	dir := folderOf(namespace)
	_, token, err := s.readCurrent(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return nil, nil
		}
		// Maybe the whole folder isn't there any more.
		if err := s.reopen(); err != nil {
			return nil, err
		}
		own := s.newToken()
		if err = s.prepare(dir, own); err == nil {
			// Whoever is first makes it: a link doesn't replace another's, as a rename
			// would that goes by what it remembers of the folder.
			err = s.begin(dir, currentName, encodeCurrent(namespace, own))
		}
		if err == nil {
			if _, token, err = s.readCurrent(dir); err == nil && token != own {
				s.removeAll(periodOf(dir, own))
			}
		}
	}
	if err != nil {
		return nil, s.explain(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.spaces[namespace]
	if p == nil || p.token != token {
		if p != nil {
			p.packs.close()
		}
		p = &space{name: namespace, dir: dir, token: token}
		s.spaces[namespace] = p
	}
	return p, nil
}

// madeName is a file in a period's folder that says when that was made.
const madeName = "MADE"

// prepare makes the folders of a period, before anybody knows of it: so nobody can have
// remembered that they aren't there.
func (s *Store) prepare(dir string, token cache.Token) error {
	p := &space{dir: dir, token: token}
	dirs := []string{p.packDir(), p.at("/lease")}
	for shard := range shards {
		dirs = append(dirs, p.shard(byte(shard)))
	}
	for _, dir := range dirs {
		if err := s.make(dir); err != nil {
			return err
		}
	}
	f, err := s.sys.Create(p.at("/" + madeName))
	if errors.Is(err, fs.ErrExist) { // ours, of a try whose answer was lost
		return nil
	} else if err != nil {
		return err
	}
	return f.Close()
}

// isCurrent reports whether a period goes on still.
func (s *Store) isCurrent(p *space) (bool, error) {
	_, token, err := s.readCurrent(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && token == p.token, err
}

// reopen looks the store's folder up anew, and makes it if it has gone.
func (s *Store) reopen() error {
	s.lookAnew()
	s.mu.Lock()
	s.known = false
	s.mu.Unlock()
	_, err := s.format(true)
	return err
}

// lookAnew has folders that are kept open looked up by their names again.
func (s *Store) lookAnew() {
	if d, ok := s.sys.(interface{ Reopen() }); ok {
		d.Reopen()
	}
}

// format looks whether the folder is one of ours, or makes it one.
func (s *Store) format(create bool) (ok bool, err error) {
	s.mu.Lock()
	known := s.known
	s.mu.Unlock()
	if known {
		return true, nil
	}
	for range 4 {
		var b []byte
		b, err = s.readFile(formatName)
		switch {
		case err == nil:
			if err := readFormat(string(b)); err != nil {
				return false, s.path(formatName, err)
			}
			s.mu.Lock()
			s.known = true
			s.mu.Unlock()
			return true, nil
		case errors.Is(err, syscall.ESTALE):
		case !errors.Is(err, fs.ErrNotExist):
			return false, s.explain(err)
		case !create:
			return false, nil
		default:
			if err = s.make("."); err == nil {
				err = s.begin(".", formatName, fmt.Appendf(nil, "%s%d\n", formatText, formatVersion))
			}
			if err != nil {
				return false, s.explain(err)
			}
		}
	}
	return false, s.explain(err)
}

func readFormat(text string) error {
	var version int
	if n, err := fmt.Sscanf(text, formatText+"%d\n", &version); n != 1 || err != nil || !strings.HasSuffix(text, "\n") {
		return errors.New("it is not that of a folder of dvlcache")
	}
	if version > formatVersion {
		return cache.ErrNewer
	}
	return nil
}

// settledName is a file in a period's folder that says that the folders in it, and all on the
// way to it, are known to stay.
const settledName = "SETTLED"

// settle makes durable that the folders of a period are there, and all on the way to them,
// CURRENT among it: whoever made them may not have come to that, or a crash have taken some.
// Where it is known, by us or by somebody else, it isn't done again.
func (s *Store) settle(p *space) error {
	s.mu.Lock()
	known := p.settled
	s.mu.Unlock()
	if known {
		return nil
	}
	f, err := s.sys.Open(p.at("/" + settledName))
	if err == nil {
		f.Close()
	} else if err := s.establish(p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.settled = true
	return nil
}

// establish makes the folders of a period that aren't there, and all of them durable. Of one
// that was cleared nothing is made again.
func (s *Store) establish(p *space) error {
	if current, err := s.isCurrent(p); err != nil || !current {
		return cmp.Or(err, s.path(p.at(""), fs.ErrNotExist))
	}
	if err := s.prepare(p.dir, p.token); err != nil {
		return err
	}
	for _, dir := range []string{p.at("/obj"), p.at(""), p.dir, namespaces, "."} {
		if err := s.sys.Sync(dir); err != nil {
			return err
		}
	}
	if f, err := s.sys.Create(p.at("/" + settledName)); err == nil {
		f.Close()
	}
	return nil
}
