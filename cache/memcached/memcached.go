// Package memcached keeps entries on memcached servers, which machines share.
package memcached

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"dvlcache/cache"
	"dvlcache/cache/stats"
)

// Config says how to reach memcached servers.
type Config struct {
	// Servers are HOST:PORT each, or the path of a Unix socket. Keys are
	// spread over them, so all clients have to list them in the same order.
	Servers []string
	// TLS, if not nil, is spoken with servers that are no Unix sockets.
	TLS *tls.Config
	// Secret, if not empty, signs what is stored: what others wrote, or
	// wrote elsewhere, is no record.
	Secret []byte
	// TTL is how long entries live after they were last written; 0: until
	// the servers need the room.
	TTL time.Duration
	// Count, if not nil, is told of each wait that timed out and connection
	// that was made anew. It may be called concurrently.
	Count func(stats.Counter)
}

const (
	// memcachedTimeout is for connecting, and for each answer.
	memcachedTimeout = time.Second
	// memcachedTries is how often an operation is tried.
	memcachedTries = 3
	// crowdPatience is how long a server is waited for that has no connection left.
	crowdPatience = 10 * time.Second
	// idleTime is how long a connection that isn't used stays open.
	idleTime = 100 * time.Millisecond
	// maxTries is how often others may come in between.
	maxTries = 1000
	// atOnce is how many operations of a group are under way at a time.
	atOnce = 8
	// leaseTime is how long a lease lives if its holder dies.
	leaseTime = 3 * cache.LifeSign
)

// Memcached is a Store on memcached servers, which machines share. Servers may
// drop any of it at any time: then it is a miss.
//
// All names begin with "dvlcache:", so that nothing of others is touched:
//
//	dvlcache:g                    the token of all that there is
//	dvlcache:g:NAMESPACE          the token of a namespace
//	dvlcache:e:NAMESPACE:KEY      a record, and the tokens it was written under
//	dvlcache:l:NAMESPACE AND KEY  a lease
//
// with hashes in the place of namespaces and keys. A record that was written
// under other tokens than those of now is cleared; and a token that was lost is
// drawn anew. A token says, in a byte behind it, which of the two it was drawn for.
type Store struct {
	config Config
	client *memcache.Client
	addrs  []net.Addr

	resting sync.Mutex
	idle    *time.Timer // until the connections are closed
}

var (
	_ cache.Store   = (*Store)(nil)
	_ cache.Clearer = (*Store)(nil)
	_ cache.Leaser  = (*Store)(nil)
	_ cache.Reader  = (*Store)(nil)
	_ cache.Grouper = (*Store)(nil)
)

// New returns the store on the given servers. It resolves their names,
// which may take three seconds, and connects to none yet.
func New(config Config) (*Store, error) {
	m := &Store{config: config}
	servers := &memcache.ServerList{}
	if err := resolve(servers, config.Servers); err != nil {
		return nil, fmt.Errorf("memcached: %w", err)
	}
	servers.Each(func(a net.Addr) error { m.addrs = append(m.addrs, a); return nil })
	m.client = memcache.NewFromSelector(servers)
	m.client.Timeout = memcachedTimeout
	m.client.MaxIdleConns = atOnce
	m.client.DialContext = m.dial
	return m, nil
}

// Close closes the connections.
func (m *Store) Close() error { return m.client.Close() }

// held is what the servers hold of an id at one time.
type held struct {
	item  *memcache.Item // nil: nothing
	entry *cache.Entry   // nil: nothing that counts
	gen   cache.Generation
	bad   *cache.RecordError
	// drawn says that no token is of a clear.
	drawn bool
}

// What a token was drawn for.
const (
	tokenMissing = 'm'
	tokenClear   = 'c'
)

func newToken(why byte) []byte {
	token := cache.NewToken()
	return append(token[:], why)
}

// look gets the tokens and the record of an id. Tokens that are missing are
// drawn, if draw is set; else nothing is found.
func (m *Store) look(ctx context.Context, id cache.ID, draw bool) (f held, err error) {
	names := []string{allTokenName, tokenName(id.Namespace), entryName(id)}
	for tries := 0; ; tries++ {
		if tries > 10 {
			return held{}, errors.New("memcached keeps nothing of what it is given")
		}
		var items map[string]*memcache.Item
		err := m.try(ctx, func() (err error) {
			items, err = m.client.GetMulti(names)
			return err
		})
		if err != nil {
			return held{}, err
		}
		missing := false
		f.drawn = true
		h := sha256.New()
		for _, name := range names[:2] {
			if it := items[name]; it != nil && len(it.Value) == len(cache.Token{})+1 {
				h.Write(it.Value)
				f.drawn = f.drawn && it.Value[len(cache.Token{})] == tokenMissing
				continue
			}
			if missing = true; !draw {
				return held{}, nil
			}
			if err := m.draw(ctx, name, items[name]); err != nil {
				return held{}, err
			}
		}
		if missing {
			continue
		}
		f.gen.Namespace = cache.Token(h.Sum(nil))
		f.item = items[names[2]]
		break
	}
	if f.item == nil {
		return f, nil
	}
	rec, err := m.open(id, f.gen.Namespace, f.item.Value)
	if err == nil && rec != nil {
		f.entry, err = cache.Unseal(id, rec)
	}
	if errors.As(err, &f.bad) || f.entry == nil {
		return f, nil
	}
	f.gen.Entry = f.entry.Token
	return f, nil
}

// draw makes a token, unless another was faster.
func (m *Store) draw(ctx context.Context, name string, bad *memcache.Item) error {
	item := &memcache.Item{Key: name, Value: newToken(tokenMissing)}
	err := m.try(ctx, func() error {
		if bad != nil { // it is no token
			return m.client.Set(item)
		}
		return m.client.Add(item)
	})
	if err == memcache.ErrNotStored {
		return nil
	}
	return err
}

// Get implements Store.
func (m *Store) Get(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	f, err := m.look(ctx, id, true)
	if err != nil {
		return nil, cache.Generation{}, err
	}
	if f.item == nil {
		// Without a token of its own, a result that was begun before a
		// refresh would be taken once what the refresh wrote is lost.
		empty := m.wrap(id, f.gen.Namespace, cache.Seal(id, &cache.Entry{Token: cache.NewToken()}))
		err := m.try(ctx, func() error { return m.client.Add(&memcache.Item{Key: entryName(id), Value: empty}) })
		if err != nil && err != memcache.ErrNotStored {
			return nil, cache.Generation{}, err
		}
		if f, err = m.look(ctx, id, true); err != nil {
			return nil, cache.Generation{}, err
		}
	}
	if f.bad != nil {
		return nil, f.gen, f.bad
	}
	if f.entry.Empty() {
		return nil, f.gen, nil
	}
	return f.entry, f.gen, nil
}

// Peek implements Reader.
func (m *Store) Peek(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	f, err := m.look(ctx, id, false)
	switch {
	case err != nil:
		return nil, cache.Generation{}, err
	case f.bad != nil:
		return nil, f.gen, f.bad
	case f.entry.Empty():
		return nil, f.gen, nil
	}
	return f.entry, f.gen, nil
}

// Update implements Store. Where an answer is lost it is tried again, so change
// has to see for itself whether it is done already.
func (m *Store) Update(ctx context.Context, id cache.ID, gen cache.Generation, change func(*cache.Entry) *cache.Entry) error {
	var renewed cache.Token // by a try of ours whose answer was lost
	for tries := 0; ; tries++ {
		if tries > maxTries {
			return errors.New("memcached keeps changing what it says")
		}
		f, err := m.look(ctx, id, true)
		if err != nil {
			return err
		}
		if renewed != (cache.Token{}) && f.gen.Entry == renewed {
			return nil
		}
		if f.bad != nil {
			if f.bad.Newer {
				return cache.ErrNewer
			}
			f.gen.Entry = gen.Entry // whatever it had is lost
		}
		if f.gen != gen {
			if sameTime := f.gen.Namespace == gen.Namespace; sameTime && f.item == nil || !sameTime && f.drawn {
				return cache.ErrLost
			}
			return cache.ErrSuperseded
		}
		old := f.entry
		if old.Empty() {
			old = nil
		}
		e := change(old)
		if e == nil {
			return nil
		}
		if e.Token == (cache.Token{}) {
			e.Token = f.gen.Entry
		} else if e.Token != f.gen.Entry {
			renewed = e.Token
		}
		value := m.wrap(id, gen.Namespace, cache.Seal(id, e))
		if len(value) > maxValue {
			return cache.ErrTooLarge // it would not be taken back
		}
		item := &memcache.Item{Key: entryName(id), Value: value, Expiration: m.expiration()}
		err = m.try(ctx, func() error {
			if f.item == nil {
				return m.client.Add(item)
			}
			item.CasID = f.item.CasID
			return m.client.CompareAndSwap(item)
		})
		switch err {
		case memcache.ErrCASConflict, memcache.ErrNotStored, memcache.ErrCacheMiss:
			// Another was faster, or it was evicted meanwhile.
			time.Sleep(rand.N(time.Duration(min(tries, 20)+1) * time.Millisecond))
			continue
		}
		return err
	}
}

// Delete implements Store.
func (m *Store) Delete(ctx context.Context, id cache.ID) (bool, error) {
	f, err := m.look(ctx, id, true)
	if err != nil {
		return false, err
	}
	gone := m.wrap(id, f.gen.Namespace, cache.Seal(id, &cache.Entry{Token: cache.NewToken()}))
	err = m.try(ctx, func() error {
		return m.client.Set(&memcache.Item{Key: entryName(id), Value: gone, Expiration: m.expiration()})
	})
	return err == nil && (f.bad != nil || !f.entry.Empty()), err
}

// Clear implements Clearer. Servers can't list what they hold, so the count is
// -1: unknown. What was cleared keeps its room until they need it.
func (m *Store) Clear(ctx context.Context, namespace string) (int, error) {
	return -1, m.renew(ctx, tokenName(namespace))
}

// ClearAll implements Clearer, as Clear does.
func (m *Store) ClearAll(ctx context.Context) (int, error) {
	return -1, m.renew(ctx, allTokenName)
}

func (m *Store) renew(ctx context.Context, name string) error {
	item := &memcache.Item{Key: name, Value: newToken(tokenClear)}
	return m.try(ctx, func() error { return m.client.Set(item) })
}
