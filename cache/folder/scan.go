package folder

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/internal/parallel"
	"dvlcache/cache/key"
)

// item is what there is of a key.
type item struct {
	key    key.Key
	pieces []piece
}

// gather returns what there is of the keys that begin with a byte, in their order: in these
// files of their own, and in packs. A pack that is damaged is passed over, where lost is
// told of it, and an error else.
func (s *Store) gather(p *space, first byte, names []string, list []*packFile, lost func(*packFile)) (items []item, err error) {
	byKey := map[key.Key]*item{}
	add := func(k key.Key, x piece) {
		it := byKey[k]
		if it == nil {
			it = &item{key: k}
			byKey[k] = it
		}
		it.pieces = append(it.pieces, x)
	}
	for _, name := range names {
		k, id, ok := parseLoose(name)
		if !ok || k[0] != first {
			continue
		}
		x := piece{named: id, loose: true}
		x.frame, err = s.readFile(p.shard(first>>4) + "/" + name)
		if x.lost = errors.Is(err, pack.ErrDamaged); err != nil && !x.lost {
			return nil, err
		}
		add(k, x)
	}
	var damaged []*packFile // they may hold any key
	for _, from := range list {
		err := from.Each(first, func(k key.Key, frame []byte) { add(k, piece{frame: frame, named: from.id}) })
		if errors.Is(err, pack.ErrDamaged) && lost != nil {
			damaged = append(damaged, from)
			lost(from)
		} else if err != nil {
			s.forgetPack(p, from)
			return nil, &packError{from, err}
		}
	}
	items = make([]item, 0, len(byKey))
	for _, it := range byKey {
		for _, x := range damaged {
			it.pieces = append(it.pieces, piece{named: x.id, lost: true})
		}
		items = append(items, *it)
	}
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.key[:], b.key[:]) })
	return items, nil
}

// packError is an error of reading a pack.
type packError struct {
	pack *packFile
	err  error
}

func (e *packError) Error() string { return e.pack.name + ": " + e.err.Error() }

// Unwrap returns the cause.
func (e *packError) Unwrap() error { return e.err }

// look returns what the records of all keys that begin with a byte say. What is damaged
// beyond them is told to lost.
func (s *Store) look(ctx context.Context, p *space, first byte, lost func(name string)) (items []item, states []state, err error) {
	for range mostTries {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if items, err = s.lookOnce(p, first, lost); !again(err) {
			break
		}
		s.renew(p.shard(first >> 4))
		s.renew(p.packDir())
	}
	if err != nil {
		return nil, nil, s.explain(err)
	}
	states = make([]state, len(items))
	parallel.Do(len(items), func(i int) {
		states[i] = resolve(openPieces(cache.ID{Namespace: p.name, Key: items[i].key}, items[i].pieces))
	})
	return items, states, nil
}

func (s *Store) lookOnce(p *space, first byte, lost func(name string)) ([]item, error) {
	names, err := s.list(p.shard(first >> 4))
	if err != nil {
		return nil, err
	}
	list, release, err := s.openPacks(p)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.gather(p, first, names, list, func(x *packFile) { lost(x.name) })
}

// scan calls f with what there is of each key of a period that begins with the digits.
func (s *Store) scan(ctx context.Context, p *space, prefix string, f func(key.Key, *state) error) (lost []string, err error) {
	note := func(name string) {
		if !slices.Contains(lost, name) {
			lost = append(lost, name)
		}
	}
	for first := range 256 {
		digits := fmt.Sprintf("%02x", first)
		if n := min(len(prefix), 2); digits[:n] != prefix[:n] {
			continue
		}
		items, states, err := s.look(ctx, p, byte(first), note)
		if err != nil {
			return lost, err
		}
		for i := range items {
			if ctx.Err() != nil {
				return lost, context.Cause(ctx)
			}
			if prefix != "" && !strings.HasPrefix(items[i].key.String(), prefix) {
				continue
			}
			if err := f(items[i].key, &states[i]); err != nil {
				return lost, err
			}
		}
	}
	return lost, nil
}

// folders are those of namespaces.
func (s *Store) folders() (dirs []string, err error) {
	names, err := s.list(namespaces)
	for _, name := range names {
		if isHash(name) {
			dirs = append(dirs, namespaces+"/"+name)
		}
	}
	return dirs, s.explain(err)
}

// isHash reports whether a name is 16 bytes in hexadecimal digits: a namespace's hash or a
// token.
func isHash(name string) bool {
	return len(name) == 32 && strings.Trim(name, "0123456789abcdef") == ""
}

// errNoCurrent is a CURRENT that somebody has removed: we replace it, and make it durable before
// anything is stored under it.
var errNoCurrent = errors.New("it is gone, and what the namespace held is not found any more; the next number stored there begins it anew")

// settledIn are the folders of periods of a namespace in which something may have been
// stored.
func (s *Store) settledIn(dir string) (periods []string) {
	names, _ := s.list(dir)
	for _, name := range names {
		period := dir + "/" + name
		if isHash(name) && s.isThere(period+"/"+settledName) {
			periods = append(periods, period)
		}
	}
	return periods
}

// all returns the namespaces, in the order of their names. One whose CURRENT can't be read,
// or is gone, is told to lost.
func (s *Store) all(ctx context.Context, lost func(dir string, err error)) (list []*space, err error) {
	if ok, err := s.format(false); !ok || err != nil {
		return nil, err
	}
	dirs, err := s.folders()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		namespace, _, err := s.readCurrent(dir)
		if again(err) {
			if lost != nil && len(s.settledIn(dir)) > 0 {
				lost(dir, s.path(dir+"/"+currentName, errNoCurrent))
			}
			continue // or it is being made
		} else if errors.Is(err, errCurrent) && lost != nil {
			lost(dir, err)
			continue
		} else if err != nil {
			return nil, s.explain(err)
		}
		p, err := s.current(ctx, namespace, false)
		if err != nil {
			return nil, err
		}
		if p != nil {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *space) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// Namespaces implements NamespaceLister.
func (s *Store) Namespaces(ctx context.Context) (names []string, err error) {
	list, err := s.all(ctx, nil)
	for _, p := range list {
		names = append(names, p.name)
	}
	return names, err
}

// spacesOf are those of a range.
func (s *Store) spacesOf(ctx context.Context, namespace *string, lost func(dir string, err error)) ([]*space, error) {
	if namespace == nil {
		return s.all(ctx, lost)
	}
	p, err := s.current(ctx, *namespace, false)
	if p == nil {
		return nil, err
	}
	return []*space{p}, err
}

// Each implements Lister.
func (s *Store) Each(ctx context.Context, r cache.Range, f func(cache.ID, *cache.Entry, *cache.RecordError) error) error {
	prefix := strings.ToLower(r.Prefix)
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	list, err := s.spacesOf(ctx, r.Namespace, nil)
	if err != nil {
		return err
	}
	for _, p := range list {
		lost, err := s.scan(ctx, p, prefix, func(k key.Key, st *state) error {
			id := cache.ID{Namespace: p.name, Key: k}
			if st.bad != nil {
				return f(id, nil, st.bad)
			}
			if st.entry.Empty() || st.entry.List != nil && !r.Lists {
				return nil
			}
			return f(id, st.entry, nil)
		})
		if err != nil {
			return err
		}
		for _, name := range lost {
			bad := &cache.RecordError{ID: cache.ID{Namespace: p.name}, Reason: name + " is damaged"}
			if err := f(bad.ID, nil, bad); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkPrefix looks whether a text can be the beginning of a key.
func checkPrefix(prefix string) error {
	if len(prefix) > 2*len(key.Key{}) {
		return fmt.Errorf("%q is longer than a key", prefix)
	}
	even := prefix
	if len(prefix)%2 == 1 {
		even += "0"
	}
	if _, err := hex.DecodeString(even); err != nil {
		return fmt.Errorf("%q is not the beginning of a key, which is in hexadecimal digits", prefix)
	}
	return nil
}

// count counts the entries of a period.
func (s *Store) count(ctx context.Context, p *space) (n int, err error) {
	_, err = s.scan(ctx, p, "", func(_ key.Key, st *state) error {
		if st.bad != nil || !st.entry.Empty() && st.entry.List == nil {
			n++
		}
		return nil
	})
	return n, err
}

// Usage implements Measurer.
func (s *Store) Usage(ctx context.Context, namespace *string) (u cache.Usage, err error) {
	list, err := s.spacesOf(ctx, nil, nil)
	if err != nil {
		return u, err
	}
	for _, p := range list {
		if namespace == nil || *namespace == p.name {
			n, err := s.count(ctx, p)
			if err != nil {
				return u, err
			}
			u.Entries += int64(n)
		}
	}
	u.Bytes, err = s.bytes(ctx, namespaces)
	return u, err
}

// bytes is the size of all files below a folder.
func (s *Store) bytes(ctx context.Context, dir string) (n int64, err error) {
	names, err := s.list(dir)
	if err != nil {
		return 0, s.explain(err)
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		below := dir + "/" + name
		if f, err := s.sys.Open(below); err == nil {
			size, _, err := f.Stat()
			f.Close()
			if err == nil {
				n += size
				continue
			}
		}
		if more, err := s.bytes(ctx, below); err == nil { // it may go meanwhile
			n += more
		}
	}
	return n, nil
}
