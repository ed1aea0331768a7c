package folder

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/key"
)

// Check looks at each file of the store. It changes nothing; an error means that it could
// not look.
func (s *Store) Check(ctx context.Context) (r cache.Report, err error) {
	damage := func(name string, err error) {
		r.Damage = errors.Join(r.Damage, s.path(name, err))
	}
	list, err := s.all(ctx, func(dir string, err error) { r.Damage = errors.Join(r.Damage, err) })
	if err != nil {
		return r, err
	}
	for _, p := range list {
		packs, release, err := s.openPacks(p)
		if err != nil {
			return r, s.explain(err)
		}
		for _, x := range packs {
			if err := x.Check(); errors.Is(err, pack.ErrDamaged) {
				damage(p.packDir()+"/"+x.name, err)
			} else if err != nil {
				release()
				return r, err
			}
		}
		release()
		_, err = s.scan(ctx, p, "", func(_ key.Key, st *state) error {
			if st.bad != nil {
				r.Bad = append(r.Bad, *st.bad)
			} else if !st.entry.Empty() && st.entry.List == nil {
				r.Entries++
			}
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// asidePrefix begins the names of packs that were set aside.
const asidePrefix = "broken-"

// Salvage sets aside what is damaged, after what can be read of it is put into another pack.
// An entry of which a record is lost is deleted, if it wasn't stored anew since. Where it can't
// be known whose records are, what was refreshed or deleted last may be back as it was before,
// which is told.
func (s *Store) Salvage(ctx context.Context) (r cache.Salvaged, err error) {
	list, err := s.all(ctx, func(_ string, err error) { r.Lost = append(r.Lost, err.Error()) })
	if err != nil {
		return r, err
	}
	for _, p := range list {
		if err := s.salvage(ctx, p, &r); err != nil {
			return r, s.explain(err)
		}
		n, err := s.count(ctx, p)
		if err != nil {
			return r, err
		}
		r.Entries += n
	}
	return r, nil
}

func (s *Store) salvage(ctx context.Context, p *space, r *cache.Salvaged) error {
	packs, release, err := s.openPacks(p)
	if err != nil {
		return err
	}
	defer release()
	for _, x := range packs {
		if err := x.Check(); err == nil {
			continue
		} else if !errors.Is(err, pack.ErrDamaged) {
			return err
		}
		if err := s.salvagePack(ctx, p, x, r); err != nil {
			return err
		}
	}
	var gone []key.Key
	_, err = s.scan(ctx, p, "", func(k key.Key, st *state) error {
		for _, bad := range st.damaged {
			if bad.loose && !bad.bad.Newer {
				name := p.shard(shardOf(k)) + "/" + looseName(k, bad.id)
				if err := s.setAside(name, r); err != nil {
					return err
				}
				r.Lost = append(r.Lost, bad.bad.Error())
				gone = append(gone, k)
			}
		}
		return nil
	})
	if err == nil {
		err = s.deleteAll(ctx, p, gone)
	}
	return err
}

func (s *Store) deleteAll(ctx context.Context, p *space, keys []key.Key) error {
	for _, k := range keys {
		if _, err := s.Delete(ctx, cache.ID{Namespace: p.name, Key: k}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) salvagePack(ctx context.Context, p *space, x *packFile, r *cache.Salvaged) error {
	lost := false
	var gone []key.Key
	var reasons []string // of each
	kept := packName(s.newRecordID())
	err := s.add(p, p.packDir(), kept, func(f disk.File) error {
		to := pack.NewWriter(f)
		if x.Bad == nil {
			for part := range x.Parts() {
				index, err := x.Part(part)
				if errors.Is(err, pack.ErrDamaged) {
					lost = true
					continue
				} else if err != nil {
					return err
				}
				for ; len(index) > 0; index = index[pack.IndexEntry:] {
					k := key.Key(index[:len(key.Key{})])
					frame, err := x.Frame(index)
					if err == nil {
						if got := openFrame(cache.ID{Namespace: p.name, Key: k}, frame, x.id, false); got.bad != nil && !got.bad.Newer {
							gone, reasons = append(gone, k), append(reasons, got.bad.Error())
							continue
						}
						to.Add(k, frame)
					} else if errors.Is(err, pack.ErrDamaged) {
						bad := &cache.RecordError{ID: cache.ID{Namespace: p.name, Key: k}, Reason: err.Error()}
						gone, reasons = append(gone, k), append(reasons, bad.Error())
					} else {
						return err
					}
				}
			}
		}
		return to.Finish()
	})
	if err == nil {
		err = s.confirm(p, kept)
	}
	if err != nil {
		return err
	}
	name := p.packDir() + "/" + x.name
	if lost || x.Bad != nil {
		r.Lose(s.path(name, errors.New("records of calls that aren't known; one that was refreshed or deleted last may be back as it was before")))
	}
	// As long as it is there, nothing is believed that was stored before; what was stored
	// since stays.
	states, err := s.read(ctx, p, gone)
	if err != nil {
		return err
	}
	var bad []key.Key
	for i, k := range gone {
		if states[i].bad != nil {
			bad = append(bad, k)
			r.Lost = append(r.Lost, reasons[i])
		}
	}
	if err := s.deleteAll(ctx, p, bad); err != nil {
		return err
	}
	return s.setAside(name, r)
}

// setAside renames a damaged file, which may still be of use to somebody.
func (s *Store) setAside(name string, r *cache.Salvaged) error {
	aside := path.Dir(name) + "/" + asidePrefix + path.Base(name)
	err := s.sys.Rename(name, aside)
	if err == nil {
		err = s.sys.Sync(path.Dir(name))
	}
	r.Aside = append(r.Aside, path.Base(aside))
	return err
}

// SetAside lists what Salvage has set aside, as paths.
func (s *Store) SetAside() (names []string) {
	list, err := s.all(context.Background(), func(string, error) {})
	if err != nil {
		return nil
	}
	for _, p := range list {
		dirs := []string{p.packDir()}
		for shard := range shards {
			dirs = append(dirs, p.shard(byte(shard)))
		}
		for _, dir := range dirs {
			below, _ := s.list(dir)
			for _, name := range below {
				if strings.HasPrefix(name, asidePrefix) {
					names = append(names, filepath.Join(s.dir, filepath.FromSlash(dir), name))
				}
			}
		}
	}
	return names
}
