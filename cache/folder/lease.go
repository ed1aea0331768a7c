package folder

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/folder/pack"
	"dvlcache/cache/key"
)

// A lease is a file that its holder makes, and renews by putting another in its place:
//
//	token of the holder | how often it was renewed, or abandonedCount
//
// A holder that ends removes it. One that hasn't changed for leaseTime, by the clock of who
// waits for it, is of a holder that died. Leases only save work: where a file system shows
// one to two who ask for it, both evaluate.
const (
	leaseSize      = 16 + 8
	abandonedCount = ^uint64(0)
	leaseTime      = 5 * cache.LifeSign
	// Who waits looks again after a part of the time that it has waited.
	shortestPause = 2 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	pausePart     = 16
	// nextSuffix ends the name of the file of who is about to seize a lease.
	nextSuffix = ".next"
)

// lease is one that we hold, or want.
type lease struct {
	store *Store
	name  string // of its file
	token [16]byte
}

func (l *lease) text(count uint64) []byte { return binary.LittleEndian.AppendUint64(l.token[:], count) }

func (s *Store) leaseOf(p *space, k key.Key) *lease {
	l := &lease{store: s, name: p.at("/lease/" + k.String())}
	s.random(l.token[:])
	return l
}

// take makes the lease's file, if there is none.
func (l *lease) take() (taken bool, err error) { return l.make(l.name) }

// make makes a file that says that it is ours, if there is none of that name.
func (l *lease) make(name string) (made bool, err error) {
	s := l.store
	dir := path.Dir(name)
	temp, err := s.scribble(dir, l.text(0))
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.make(dir); err == nil {
			temp, err = s.scribble(dir, l.text(0))
		}
	}
	if err != nil {
		return false, err
	}
	defer s.sys.Remove(temp)
	err = s.sys.Link(temp, name)
	if noLinks(err) {
		var f disk.File
		if f, err = s.sys.Create(name); err == nil {
			err = write(f, l.text(0))
		}
	}
	if err == nil {
		return true, nil
	}
	// Another has it, or it is done all the same.
	held, readErr := s.readFile(name)
	switch {
	case readErr == nil && l.mine(held):
		return true, nil
	case errors.Is(err, fs.ErrExist), again(err):
		return false, nil
	}
	return false, err
}

// scribble makes a file in a folder that need not outlive a crash.
func (s *Store) scribble(dir string, text []byte) (temp string, err error) {
	temp, f, err := s.create(dir)
	if err != nil {
		return "", err
	}
	if err = write(f, text); err != nil {
		s.sys.Remove(temp)
	}
	return temp, err
}

func write(f disk.File, text []byte) error {
	_, err := f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (l *lease) mine(text []byte) bool { return bytes.HasPrefix(text, l.token[:]) }

// put puts another text in the place of the lease's, if it is ours still.
func (l *lease) put(count uint64) (ours bool) {
	held, err := l.store.readFile(l.name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // who can't tell goes on
	}
	if !l.mine(held) {
		return false
	}
	if temp, err := l.store.scribble(path.Dir(l.name), l.text(count)); err == nil {
		if l.store.sys.Rename(temp, l.name) != nil {
			l.store.sys.Remove(temp)
		}
	}
	return true
}

// seize takes a lease whose holder died or gave it up, if its file holds this text still:
// who has made the file of the next holder puts it in its place. So there is one who does,
// and the lease is never absent meanwhile, which would say that its holder ended.
func (l *lease) seize(text []byte) (taken bool, err error) {
	s, next := l.store, l.name+nextSuffix
	if made, err := l.make(next); !made {
		return false, err // it is looked at again
	}
	held, err := s.readFile(l.name)
	if err == nil && !bytes.Equal(held, text) || errors.Is(err, fs.ErrNotExist) {
		s.sys.Remove(next) // another was faster
		return false, nil
	}
	if s.sys.Rename(next, l.name) == nil {
		return true, nil
	}
	s.sys.Remove(next)
	held, err = s.readFile(l.name) // it may be done all the same
	return err == nil && l.mine(held), nil
}

// Lease implements Leaser.
func (s *Store) Lease(ctx context.Context, id cache.ID, wait time.Duration) (*cache.Lease, error) {
	p, err := s.current(ctx, id.Namespace, true)
	if err != nil {
		return nil, err
	}
	l := s.leaseOf(p, id.Key)
	begun := time.Now()
	var seen []byte // what the file held when it last changed
	var since time.Time
	waited := false
	for pause := time.Duration(0); ; {
		if wait > 0 && pause > 0 {
			patience := begun
			if wait >= cache.LifeSign { // as long as it shows life
				patience = since
			}
			if pause = min(pause, wait-time.Since(patience)); pause <= 0 {
				return cache.NewLease(cache.LeaseTimeout, true, nil), nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		text, err := s.readFile(l.name)
		taken := false
		unchanged := time.Duration(0)
		if seen != nil && (err != nil || bytes.Equal(text, seen)) {
			unchanged = time.Since(since)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && waited:
			s.renewAll(p, []key.Key{id.Key}) // what its holder has stored
			return cache.NewLease(cache.LeaseEnded, true, nil), nil
		case errors.Is(err, fs.ErrNotExist):
			taken, err = l.take()
		case err == nil && len(text) == leaseSize && binary.LittleEndian.Uint64(text[16:]) == abandonedCount,
			unchanged > leaseTime:
			if unchanged > 2*leaseTime { // who was about to seize it died, too
				s.sys.Remove(l.name + nextSuffix)
			}
			taken, err = l.seize(text)
		case again(err), errors.Is(err, pack.ErrDamaged): // it is being replaced, or written
			err = nil
		}
		if err != nil {
			return nil, s.explain(err)
		}
		if taken {
			// Another machine may have stored the number just before.
			s.renewAll(p, []key.Key{id.Key})
			return cache.NewLease(cache.LeaseHeld, waited, l.hold()), nil
		}
		if seen == nil || !bytes.Equal(text, seen) {
			seen, since = append([]byte{}, text...), time.Now()
		}
		waited = waited || len(text) > 0
		pause = min(max(time.Since(begun)/pausePart, shortestPause), longestPause)
	}
}

// hold renews the lease until it is released.
func (l *lease) hold() (release func(ended bool)) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		every := time.NewTicker(cache.LifeSign)
		defer every.Stop()
		for count := uint64(1); ; count++ {
			select {
			case <-stop:
				return
			case <-every.C:
				if !l.put(count) {
					return // another has it by now
				}
			}
		}
	}()
	return func(ended bool) {
		close(stop)
		<-stopped
		if !ended {
			l.put(abandonedCount)
			return
		}
		if held, err := l.store.readFile(l.name); err == nil && l.mine(held) {
			l.store.sys.Remove(l.name)
		}
	}
}
