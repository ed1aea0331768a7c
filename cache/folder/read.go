package folder

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"dvlcache/cache"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/internal/parallel"
	"dvlcache/cache/key"
)

// group is what of many things is about one namespace.
type group struct {
	namespace string
	keys      []key.Key
	at        []int // their places among all
}

// groups sorts n things by namespace.
func groups(n int, id func(i int) cache.ID) (all []*group) {
	for i := range n {
		id := id(i)
		at := slices.IndexFunc(all, func(g *group) bool { return g.namespace == id.Namespace })
		if at < 0 {
			at = len(all)
			all = append(all, &group{namespace: id.Namespace})
		}
		all[at].keys = append(all[at].keys, id.Key)
		all[at].at = append(all[at].at, i)
	}
	return all
}

// mostTries is how often a look is begun anew because names that were listed had gone.
const mostTries = 40

// read reads what there is of keys.
func (s *Store) read(ctx context.Context, p *space, keys []key.Key) (states []state, err error) {
	for range mostTries {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if states, err = s.readOnce(p, keys); !again(err) {
			return states, s.explain(err)
		}
		s.renewAll(p, keys) // it may be told of what has long gone
	}
	return nil, err
}

// shards is how many folders the records of a period lie in that have files of their own.
const shards = 16

// shardOf says in which of them those of a key lie.
func shardOf(k key.Key) byte { return k[0] >> 4 }

// shardsOf are the shards of keys, each once.
func shardsOf(keys []key.Key) (list []byte) {
	var seen [shards]bool
	for _, k := range keys {
		if s := shardOf(k); !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return list
}

// piece is a frame of a key, and where it was found.
type piece struct {
	frame []byte
	named recordID
	loose bool
	lost  bool // it can't be read; there is no frame
}

// readOnce is read without a second try.
func (s *Store) readOnce(p *space, keys []key.Key) ([]state, error) {
	pieces := make([][]piece, len(keys))
	if err := s.readLoose(p, keys, pieces); err != nil {
		return nil, err
	}
	list, release, err := s.openPacks(p)
	if err != nil {
		return nil, err
	}
	defer release()
	for i, k := range keys {
		for _, x := range list {
			frames, err := x.Find(k)
			if errors.Is(err, pack.ErrDamaged) {
				pieces[i] = append(pieces[i], piece{named: x.id, lost: true})
			} else if err != nil {
				s.forgetPack(p, x)
				return nil, err
			}
			for _, frame := range frames {
				pieces[i] = append(pieces[i], piece{frame: frame, named: x.id})
			}
		}
	}
	states := make([]state, len(keys))
	parallel.Do(len(keys), func(i int) {
		if len(pieces[i]) > 0 {
			states[i] = resolve(openPieces(cache.ID{Namespace: p.name, Key: keys[i]}, pieces[i]))
		}
	})
	return states, nil
}

func openPieces(id cache.ID, pieces []piece) []record {
	records := make([]record, len(pieces))
	for i, x := range pieces {
		if x.lost {
			bad := &cache.RecordError{ID: id, Reason: "it is cut short"}
			if !x.loose {
				bad.Reason, bad.File = "the pack that may hold it is damaged", packName(x.named)
			}
			records[i] = record{id: x.named, bad: bad, loose: x.loose}
		} else {
			records[i] = openFrame(id, x.frame, x.named, x.loose)
		}
	}
	return records
}

// readLoose reads the records of keys that lie in files of their own.
func (s *Store) readLoose(p *space, keys []key.Key, pieces [][]piece) error {
	var places map[key.Key][]int
	for _, shard := range shardsOf(keys) {
		names, err := s.list(p.shard(shard))
		if err != nil {
			return err
		}
		for _, name := range names {
			k, id, ok := parseLoose(name)
			if !ok {
				continue
			}
			if places == nil {
				places = make(map[key.Key][]int, len(keys))
				for i, k := range keys {
					places[k] = append(places[k], i)
				}
			}
			for _, i := range places[k] {
				x := piece{named: id, loose: true}
				x.frame, err = s.readFile(p.shard(shard) + "/" + name)
				if x.lost = errors.Is(err, pack.ErrDamaged); err != nil && !x.lost {
					return err
				}
				pieces[i] = append(pieces[i], x)
			}
		}
	}
	return nil
}

// list lists a folder, which may not be there.
func (s *Store) list(dir string) ([]string, error) {
	names, err := s.sys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return names, err
}
