package folder

import (
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/key"
)

const (
	// mostLoose is how many records of a shard lie in files of their own before they are
	// put into a pack: each is a file more, and a name more to list.
	mostLoose = 32
	// mostAlike is how many packs of a size there are before they are put into one, and
	// largestMerged, in bytes, up to which size of all together: who waits for that is
	// somebody whose number was stored.
	mostAlike     = 4
	largestMerged = 64 << 20
	// age is how old a file is that nobody is still at work with: one that isn't whole, or
	// a list that no entry shares yet.
	age = time.Hour
)

// sizeClass is the class of a pack's size, four times as large each.
func sizeClass(size int64) int { return bits.Len64(uint64(size)>>12) / 2 }

// tidy keeps files few after a write, unless another goroutine does that already. Other
// processes may do so beside it: what both write is the same.
func (s *Store) tidy(ctx context.Context, p *space, list []*written) {
	if !s.tidying.TryLock() {
		return
	}
	defer s.tidying.Unlock()
	if len(list) == 1 {
		shard := shardOf(list[0].key)
		names, err := s.list(p.shard(shard))
		if err != nil || len(names) <= mostLoose {
			return
		}
		s.repack(ctx, p, []byte{shard}, nil, nil)
	}
	packs, release, err := s.openPacks(p)
	if err != nil {
		return
	}
	release()
	if len(packs) < mostAlike {
		return
	}
	for range 20 {
		alike := s.alike(p)
		if alike == nil || s.repack(ctx, p, nil, alike, nil) != nil {
			return
		}
	}
}

// alike returns the names of packs that are to be put into one, or nil.
func (s *Store) alike(p *space) (names []string) {
	packs, release, err := s.openPacks(p)
	if err != nil {
		return nil
	}
	defer release()
	classes := map[int][]*packFile{}
	for _, x := range packs {
		if x.Bad == nil {
			classes[sizeClass(x.Size)] = append(classes[sizeClass(x.Size)], x)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		var sum int64
		for _, x := range classes[class] {
			sum += x.Size
		}
		if len(classes[class]) >= mostAlike && sum <= largestMerged {
			for _, x := range classes[class] {
				names = append(names, x.name)
			}
			return names
		}
	}
	return nil
}

// repack puts what these shards hold in files of their own, and these packs, into one pack,
// and then removes them. Of records that others among them cover nothing is left, and what
// keep refuses. What can't be read stays where it is.
func (s *Store) repack(ctx context.Context, p *space, of []byte, packs []string, keep func(key.Key, *state) bool) error {
	var broken []string // packs in which damage was found on the way
	for {
		err := s.repackOnce(ctx, p, of, slices.DeleteFunc(slices.Clone(packs), func(name string) bool { return slices.Contains(broken, name) }), keep)
		var bad *packError
		if !errors.As(err, &bad) || !errors.Is(err, pack.ErrDamaged) {
			return err
		}
		broken = append(broken, bad.pack.name)
	}
}

func (s *Store) repackOnce(ctx context.Context, p *space, of []byte, packs []string, keep func(key.Key, *state) bool) error {
	list, release, err := s.openPacks(p)
	if err != nil {
		return err
	}
	defer release()
	list = slices.DeleteFunc(slices.Clone(list), func(x *packFile) bool { return x.Bad != nil || !slices.Contains(packs, x.name) })
	if len(list) < len(packs) && len(of) == 0 {
		return nil // another is faster
	}
	var done []string // files of their own that are in the new pack
	add := func(to *pack.Writer) error {
		for first := range 256 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			var names []string
			if shard := byte(first >> 4); slices.Contains(of, shard) {
				if names, err = s.list(p.shard(shard)); err != nil {
					return err
				}
			}
			items, err := s.gather(p, byte(first), names, list, nil)
			if err != nil {
				return err
			}
			for i := range items {
				done = append(done, s.repackKey(p, to, &items[i], keep)...)
			}
		}
		return nil
	}
	name, n := packName(s.newRecordID()), 0
	err = s.add(p, p.packDir(), name, func(f disk.File) error {
		to := pack.NewWriter(f)
		done = nil
		if err := add(to); err != nil {
			return err
		}
		n = to.Count()
		return to.Finish()
	})
	if err != nil {
		return err
	}
	if err := s.confirm(p, name); err != nil {
		return err
	}
	if n == 0 {
		s.sys.Remove(p.packDir() + "/" + name)
	}
	touched := map[string]bool{p.packDir(): true}
	for _, file := range done {
		s.sys.Remove(file)
		touched[file[:strings.LastIndexByte(file, '/')]] = true
	}
	for _, x := range list {
		s.sys.Remove(p.packDir() + "/" + x.name)
	}
	for _, dir := range slices.Sorted(maps.Keys(touched)) {
		if err := s.sys.Sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// confirm looks whether a new pack is there, before anything goes that is in it: who is
// stopped for long finds its file swept away before it has its name.
func (s *Store) confirm(p *space, name string) error {
	f, err := s.sys.Open(p.packDir() + "/" + name)
	if err == nil {
		f.Close()
	}
	return err
}

// repackKey adds what there is of a key to a pack, and returns the files that are not
// needed then.
func (s *Store) repackKey(p *space, to *pack.Writer, it *item, keep func(key.Key, *state) bool) (done []string) {
	id := cache.ID{Namespace: p.name, Key: it.key}
	st := resolve(openPieces(id, it.pieces))
	for i := range st.records {
		if r := &st.records[i]; r.loose && !slices.Contains(st.damaged, r) {
			done = append(done, p.shard(shardOf(it.key))+"/"+looseName(it.key, r.id))
		}
	}
	for _, r := range st.damaged {
		if !r.loose {
			to.Add(it.key, r.frame) // it stays as it is
		}
	}
	switch {
	case len(st.heads) == 0:
	case st.bad == nil && st.entry.Empty() && st.entry.Token == (cache.Token{}) && st.epoch == 0: // pruned
	case st.bad == nil && keep != nil && !keep(it.key, &st):
	case len(st.heads) == 1:
		to.Add(it.key, st.heads[0].frame)
	default:
		joined := record{id: s.newRecordID(), epoch: st.epoch, entry: st.entry}
		heads := state{records: slices.DeleteFunc(slices.Clone(st.records), func(r record) bool { return r.bad != nil })}
		heads.cover(&joined)
		to.Add(it.key, joined.seal(id))
	}
	return done
}

// Compact puts all records of each namespace into one pack, and forgets lists of inputs
// that no entry shares any more, and files that were never finished.
func (s *Store) Compact(ctx context.Context) error {
	list, err := s.all(ctx, func(string, error) {})
	if err != nil {
		return err
	}
	for _, p := range list {
		s.sweep(p.dir)
		if err := s.compact(ctx, p); err != nil && !again(err) { // cleared meanwhile
			return s.explain(err)
		}
		s.sweepTemps(p)
	}
	return nil
}

func (s *Store) compact(ctx context.Context, p *space) error {
	s.tidying.Lock()
	defer s.tidying.Unlock()
	lists, shared := map[key.Key]bool{}, map[key.Key]bool{}
	_, err := s.scan(ctx, p, "", func(k key.Key, st *state) error {
		if st.entry == nil {
			return nil
		}
		if st.entry.List != nil {
			lists[k] = true
		}
		for _, v := range st.entry.Variants() {
			for _, k := range v.Inputs.Shared {
				shared[k] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var loose []byte // shards
	for shard := range shards {
		names, err := s.list(p.shard(byte(shard)))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(names, func(name string) bool { _, _, ok := parseLoose(name); return ok }) {
			loose = append(loose, byte(shard))
		}
	}
	packs, release, err := s.openPacks(p)
	if err != nil {
		return err
	}
	var names []string
	now, old := s.now(p.packDir()), map[recordID]bool{}
	for _, x := range packs {
		names = append(names, x.name)
		old[x.id] = now.Sub(x.made) > age
	}
	release()
	if len(loose) == 0 && len(names) == 0 {
		return nil
	}
	return s.repack(ctx, p, loose, names, func(k key.Key, st *state) bool {
		// Who is about to store an entry that shares a list has stored the list before.
		young := slices.ContainsFunc(st.heads, func(r *record) bool { return !old[r.pack] })
		return st.entry.List == nil || !lists[k] || shared[k] || young
	})
}

// sweepTemps removes files of a namespace that were begun long ago and never finished, by
// the file system's own clock.
func (s *Store) sweepTemps(p *space) {
	dirs := []string{p.dir, p.packDir(), p.at("/lease")}
	for shard := range shards {
		dirs = append(dirs, p.shard(byte(shard)))
	}
	var now time.Time
	for _, dir := range dirs {
		names, err := s.list(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if !strings.HasPrefix(name, tempPrefix) {
				continue
			}
			if now.IsZero() {
				now = s.now(dir)
			}
			if written, err := s.written(dir + "/" + name); err == nil && now.Sub(written) > age {
				s.sys.Remove(dir + "/" + name)
			}
		}
	}
}

// now is the file system's time.
func (s *Store) now(dir string) time.Time {
	temp, f, err := s.create(dir)
	if err != nil {
		return time.Time{}
	}
	defer s.sys.Remove(temp)
	defer f.Close()
	_, t, _ := f.Stat()
	return t
}

// written is when a file was written.
func (s *Store) written(name string) (t time.Time, err error) {
	f, err := s.sys.Open(name)
	if err != nil {
		return t, err
	}
	defer f.Close()
	_, t, err = f.Stat()
	return t, err
}

// Drop implements Pruner. What was refreshed or deleted leaves its token behind; see
// cache.Generation.
func (s *Store) Drop(ctx context.Context, ids []cache.ID, which func(cache.ID, *cache.Entry) bool) (n int, err error) {
	for _, g := range groups(len(ids), func(i int) cache.ID { return ids[i] }) {
		p, err := s.current(ctx, g.namespace, false)
		if p == nil || err != nil {
			return n, err
		}
		states, err := s.read(ctx, p, g.keys)
		if err != nil {
			return n, err
		}
		var list []*written
		for i := range states {
			st := &states[i]
			if st.bad != nil && st.bad.Newer || st.bad == nil && st.entry.Empty() {
				continue
			}
			if st.bad == nil && !which(cache.ID{Namespace: p.name, Key: g.keys[i]}, st.entry) {
				continue
			}
			w := &written{key: g.keys[i], state: *st}
			w.record = record{id: s.newRecordID(), epoch: st.epoch, entry: &cache.Entry{Token: st.token()}}
			st.cover(&w.record)
			list = append(list, w)
		}
		if len(list) == 0 {
			continue
		}
		if err := s.write(p, list); again(err) {
			continue // it is being cleared
		} else if err != nil {
			return n, s.explain(err)
		}
		n += len(list)
		s.removeCovered(p, list)
		if err := s.compact(ctx, p); err != nil && !again(err) {
			return n, s.explain(err)
		}
	}
	return n, nil
}
