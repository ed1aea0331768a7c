package cache

import (
	"context"
	"sync"
	"time"

	"dvlcache/cache/key"
)

// Memory is a Store within one process, gone with it.
type Memory struct {
	mu     sync.Mutex
	spaces map[string]*space
	leases map[ID]chan struct{} // closed at the holder's end
}

// space is one namespace.
type space struct {
	token   Token
	records map[key.Key][]byte // payloads: smaller than entries, and nobody else's
}

var (
	_ Store    = (*Memory)(nil)
	_ Clearer  = (*Memory)(nil)
	_ Measurer = (*Memory)(nil)
	_ Leaser   = (*Memory)(nil)
)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{spaces: map[string]*space{}, leases: map[ID]chan struct{}{}}
}

// Close does nothing: the store is as it was until nobody holds it any more.
func (m *Memory) Close() error { return nil }

// Get implements Store.
func (m *Memory) Get(_ context.Context, id ID) (*Entry, Generation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaces[id.Namespace]
	if s == nil {
		s = &space{token: NewToken(), records: map[key.Key][]byte{}}
		m.spaces[id.Namespace] = s
	}
	e, gen := s.read(id.Key)
	if e.Empty() {
		e = nil
	}
	return e, gen, nil
}

func (s *space) read(key key.Key) (*Entry, Generation) {
	payload, ok := s.records[key]
	if !ok {
		return nil, Generation{Namespace: s.token}
	}
	e, err := parseEntry(payload)
	if err != nil {
		panic(err) // it never left this process
	}
	return e, Generation{s.token, e.Token}
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, id ID, gen Generation, change func(*Entry) *Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaces[id.Namespace]
	if s == nil {
		return ErrSuperseded
	}
	e, now := s.read(id.Key)
	if now != gen {
		return ErrSuperseded
	}
	if e.Empty() {
		e = nil
	}
	if e = change(e); e == nil {
		return nil
	}
	if e.Token == (Token{}) {
		e.Token = now.Entry
	}
	s.records[id.Key] = appendEntry(nil, e)
	return nil
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, id ID) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaces[id.Namespace]
	if s == nil {
		return false, nil
	}
	e, _ := s.read(id.Key)
	s.records[id.Key] = appendEntry(nil, &Entry{Token: NewToken()})
	return !e.Empty(), nil
}

// Clear implements Clearer.
func (m *Memory) Clear(_ context.Context, namespace string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.spaces[namespace].count()
	delete(m.spaces, namespace)
	return n, nil
}

// ClearAll implements Clearer.
func (m *Memory) ClearAll(context.Context) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.spaces {
		n += s.count()
	}
	clear(m.spaces)
	return n, nil
}

// Usage implements Measurer. Bytes are those of the records.
func (m *Memory) Usage(_ context.Context, namespace *string) (u Usage, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, s := range m.spaces {
		if namespace == nil || *namespace == name {
			u.Entries += int64(s.count())
		}
		for _, r := range s.records {
			u.Bytes += int64(len(r))
		}
	}
	return u, nil
}

// count counts what is more than a token left behind by a deletion.
func (s *space) count() (n int) {
	if s == nil {
		return 0
	}
	for _, r := range s.records {
		if !holdsNothing(r) {
			n++
		}
	}
	return n
}

// Lease implements Leaser.
func (m *Memory) Lease(ctx context.Context, id ID, wait time.Duration) (*Lease, error) {
	m.mu.Lock()
	held, waited := m.leases[id]
	if !waited {
		defer m.mu.Unlock()
		return m.lease(id), nil
	}
	m.mu.Unlock()
	var expired <-chan time.Time
	if wait > 0 && wait < LifeSign { // its holder lives as long as we do
		t := time.NewTimer(wait)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-held:
		return NewLease(LeaseEnded, true, nil), nil
	case <-expired:
		return NewLease(LeaseTimeout, true, nil), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// lease takes a lease that nobody holds. Within one process a holder that is
// interrupted leaves nobody who should take over.
func (m *Memory) lease(id ID) *Lease {
	done := make(chan struct{})
	m.leases[id] = done
	return NewLease(LeaseHeld, false, func(bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.leases, id)
		close(done)
	})
}
