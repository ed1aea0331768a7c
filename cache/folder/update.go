package folder

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/key"
)

// Update implements Store.
func (s *Store) Update(ctx context.Context, id cache.ID, gen cache.Generation, change func(*cache.Entry) *cache.Entry) error {
	errs := s.UpdateAll(ctx, []cache.Change{{ID: id, Gen: gen, Change: change}})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// UpdateAll implements Grouper: what is to be written is one pack for each namespace.
func (s *Store) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	errs := make([]error, len(changes))
	failed := false
	for _, g := range groups(len(changes), func(i int) cache.ID { return changes[i].ID }) {
		own := make([]cache.Change, len(g.at))
		for i, at := range g.at {
			own[i] = changes[at]
		}
		for i, err := range s.updateGroup(ctx, g, own) {
			errs[g.at[i]] = s.explain(err)
			failed = failed || err != nil
		}
	}
	if !failed {
		return nil
	}
	return errs
}

// written is a record that is about to be written, or is.
type written struct {
	key    key.Key
	state  state // that it takes the place of
	record record
	of     []int // the changes that it is of
}

// all is an error for each of n things.
func all(n int, err error) []error { return slices.Repeat([]error{err}, n) }

func (s *Store) updateGroup(ctx context.Context, g *group, changes []cache.Change) []error {
	p, err := s.current(ctx, g.namespace, false)
	if err == nil && p == nil {
		err = cache.ErrSuperseded
	}
	if err != nil {
		return all(len(changes), err)
	}
	list, errs := s.applyAll(ctx, p, g.keys, changes)
	if slices.ContainsFunc(list, func(w *written) bool { return w.record.epoch > w.state.epoch }) {
		// What was deleted or refreshed before has to be known: it can't be told later from
		// what is done side by side.
		s.renewAll(p, g.keys)
		list, errs = s.applyAll(ctx, p, g.keys, changes)
	}
	if len(list) == 0 {
		return errs
	}
	if err = s.write(p, list); err != nil {
		if current, readErr := s.isCurrent(p); readErr == nil && !current {
			err = cache.ErrSuperseded // its folder was removed meanwhile
		}
	}
	if err == nil {
		err = s.verify(ctx, p, list, func(w *written, err error) {
			for _, i := range w.of {
				errs[i] = err
			}
		})
	}
	if err != nil {
		for _, w := range list {
			for _, i := range w.of {
				errs[i] = err
			}
		}
		return errs
	}
	s.removeCovered(p, list)
	s.tidy(ctx, p, list)
	return errs
}

// applyAll makes changes of what there is.
func (s *Store) applyAll(ctx context.Context, p *space, keys []key.Key, changes []cache.Change) (list []*written, errs []error) {
	states, err := s.read(ctx, p, keys)
	if err != nil {
		return nil, all(len(changes), err)
	}
	errs = make([]error, len(changes))
	known := map[key.Key]*written{}
	for i := range changes {
		w := known[keys[i]]
		if w == nil {
			w = &written{key: keys[i]}
			known[keys[i]] = w
		}
		if w.record.entry == nil {
			// Each read has its own: a change that comes to nothing may have changed another.
			w.state = states[i]
		}
		var changed bool
		if changed, errs[i] = s.apply(p, w, &changes[i]); changed {
			if len(w.of) == 0 {
				list = append(list, w)
			}
			w.of = append(w.of, i)
		}
	}
	return list, errs
}

// apply makes a change, and says whether there is something to write.
func (s *Store) apply(p *space, w *written, c *cache.Change) (changed bool, err error) {
	id := c.ID
	now := cache.Generation{Namespace: p.token, Entry: w.state.token()}
	old := w.state.entry
	if w.record.entry != nil { // by an earlier change
		now.Entry = w.record.entry.Token
		old, err = cache.UnsealOwn(id, cache.Seal(id, w.record.entry))
		if err != nil {
			return false, err
		}
	} else if bad := w.state.bad; bad != nil {
		if bad.Newer {
			return false, cache.ErrNewer
		}
		// Whatever token it had is lost; the namespace's holds.
		now.Entry, old = c.Gen.Entry, nil
	}
	if now != c.Gen || c.Gen.Namespace == (cache.Token{}) {
		return false, cache.ErrSuperseded
	}
	if old.Empty() {
		old = nil
	}
	claimed := map[uint64]int64{}
	if old != nil {
		old.Extend(func(origin uint64) int64 {
			// No other goroutine may add to it from now on.
			s.mu.Lock()
			defer s.mu.Unlock()
			n, ok := s.own[origin]
			if ok {
				claimed[origin] = n
				delete(s.own, origin)
			}
			return n
		})
	}
	e := c.Change(old)
	s.mu.Lock()
	for origin, n := range claimed {
		s.own[origin] = n
	}
	if e != nil {
		e.Extended(func(origin uint64, count int64) { s.own[origin] = max(count, s.own[origin]) })
	}
	s.mu.Unlock()
	if e == nil {
		return false, nil
	}
	if e.Token == (cache.Token{}) {
		e.Token = now.Entry
	}
	if w.record.entry == nil {
		w.record = record{id: s.newRecordID(), epoch: w.state.epoch}
		w.state.cover(&w.record)
	}
	if e.Token != now.Entry {
		w.record.epoch = refreshed(w.state.epoch)
	}
	w.record.entry = e
	return true, nil
}

// write writes records, durably: one in a file of its own, several in a pack.
func (s *Store) write(p *space, list []*written) error {
	if len(list) == 1 {
		w := list[0]
		frame := w.record.seal(cache.ID{Namespace: p.name, Key: w.key})
		return s.add(p, p.shard(shardOf(w.key)), looseName(w.key, w.record.id), func(f disk.File) error {
			_, err := f.Write(frame)
			return err
		})
	}
	slices.SortFunc(list, func(a, b *written) int { return bytes.Compare(a.key[:], b.key[:]) })
	return s.add(p, p.packDir(), packName(s.newRecordID()), func(f disk.File) error {
		to := pack.NewWriter(f)
		for _, w := range list {
			to.Add(w.key, w.record.seal(cache.ID{Namespace: p.name, Key: w.key}))
		}
		return to.Finish()
	})
}

// add adds a file to a folder of a period, durably and whole.
func (s *Store) add(p *space, dir, name string, write func(disk.File) error) error {
	if err := s.settle(p); err != nil {
		return err
	}
	err := s.addTo(dir, name, write)
	if errors.Is(err, fs.ErrNotExist) {
		// Who tidies up a disk removes empty folders, ours among them.
		s.lookAnew()
		if s.establish(p) == nil {
			err = s.addTo(dir, name, write)
		}
	}
	return err
}

func (s *Store) addTo(dir, name string, write func(disk.File) error) error {
	temp, err := s.fill(dir, write)
	if err == nil {
		err = s.place(temp, dir+"/"+name)
	}
	if err == nil {
		err = s.sys.Sync(dir)
	}
	return err
}

// verify looks whether what was written counts: whether the namespace was cleared, or an
// entry refreshed, before we were told of it. What counts from now on was not.
func (s *Store) verify(ctx context.Context, p *space, list []*written, refuse func(*written, error)) error {
	keys := make([]key.Key, len(list))
	for i, w := range list {
		keys[i] = w.key
	}
	if len(list) == 1 { // and its own folder has just been changed
		s.renew(p.packDir())
	} else {
		s.renewShards(p, keys)
	}
	states, err := s.read(context.WithoutCancel(ctx), p, keys)
	if err != nil {
		return err
	}
	current, err := s.isCurrent(p)
	if err != nil {
		return err
	}
	for i, w := range list {
		if !current || states[i].over(&w.record) {
			refuse(w, cache.ErrSuperseded)
		} else if !states[i].knows(w.record.id) {
			refuse(w, errGone)
		}
		w.state.records = append(w.state.records, states[i].records...)
	}
	return nil
}

var errGone = errors.New("somebody has removed what was stored")

// knows reports whether a record is there, or covered by one that is.
func (s *state) knows(id recordID) bool {
	return slices.ContainsFunc(s.records, func(r record) bool { return r.id == id || slices.Contains(r.covers, id) })
}

// over reports whether a record is of a period that has ended.
func (s *state) over(r *record) bool {
	return s.entry != nil && (s.epoch != r.epoch || s.entry.Token != r.entry.Token)
}

// removeCovered removes the files of records that others cover by now. That they stay is
// no harm.
func (s *Store) removeCovered(p *space, list []*written) {
	for _, w := range list {
		for i := range w.state.records {
			if r := &w.state.records[i]; r.loose && slices.Contains(w.record.covers, r.id) {
				s.sys.Remove(p.shard(shardOf(w.key)) + "/" + looseName(w.key, r.id))
			}
		}
	}
}

// mostDeletes is how often a deletion is begun anew, because somebody else deletes or
// refreshes the same entry.
const mostDeletes = 20

// Delete implements Store.
func (s *Store) Delete(ctx context.Context, id cache.ID) (had bool, err error) {
	if ok, err := s.format(false); !ok || err != nil {
		return false, err
	}
	for range mostDeletes {
		p, err := s.current(ctx, id.Namespace, true)
		if err != nil {
			return had, err
		}
		states, err := s.read(ctx, p, []key.Key{id.Key})
		if err != nil {
			return had, err
		}
		w := &written{key: id.Key, state: states[0]}
		had = had || w.state.bad != nil || !w.state.entry.Empty()
		// A token is left behind even where nothing was stored: an evaluation may be under
		// way.
		w.record = record{id: s.newRecordID(), epoch: deleted(w.state.epoch), entry: &cache.Entry{Token: s.newToken()}}
		w.state.cover(&w.record)
		counts := true
		if err = s.write(p, []*written{w}); err == nil {
			err = s.verify(ctx, p, []*written{w}, func(*written, error) { counts = false })
		}
		if err != nil {
			return had, s.explain(err)
		}
		if counts {
			s.removeCovered(p, []*written{w})
			return had, nil
		}
	}
	return had, errors.New("others keep refreshing the entry")
}
