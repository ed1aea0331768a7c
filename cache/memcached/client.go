package memcached

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"dvlcache/cache"
	"dvlcache/cache/stats"
)

// resolve finds the addresses of servers, for which it waits no longer than for
// their answers.
func resolve(list *memcache.ServerList, servers []string) error {
	if !slices.ContainsFunc(servers, named) {
		return list.SetServers(servers...)
	}
	resolved := make(chan error, 1)
	go func() { resolved <- list.SetServers(servers...) }()
	select {
	case err := <-resolved:
		return err
	case <-time.After(memcachedTries * memcachedTimeout):
		return fmt.Errorf("the names %s can't be resolved in time", strings.Join(servers, ", "))
	}
}

// named reports whether somebody has to be asked for a server's address.
func named(server string) bool {
	_, err := netip.ParseAddrPort(server)
	return err != nil && !strings.Contains(server, "/")
}

func (m *Store) count(c stats.Counter) {
	if m.config.Count != nil {
		m.config.Count(c)
	}
}

func (m *Store) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := m.connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: conn}, nil
}

func (m *Store) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if m.config.TLS == nil || network == "unix" {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	// The name to verify is the one that was given, not what it resolved to.
	config := m.config.TLS.Clone()
	if i := slices.IndexFunc(m.addrs, func(a net.Addr) bool { return a.String() == address }); i >= 0 && config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(m.config.Servers[i])
	}
	return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
}

// final reports whether an error is an answer, rather than a failure to get
// one.
func final(err error) bool {
	for _, answer := range []error{nil, memcache.ErrCacheMiss, memcache.ErrCASConflict, memcache.ErrNotStored, memcache.ErrMalformedKey} {
		if err == answer {
			return true
		}
	}
	return strings.Contains(err.Error(), "too large")
}

// crowded reports whether an error is a server's that has as many connections as it
// takes: it says so and hangs up, and what it says may be lost by that.
func crowded(err error) bool {
	return strings.Contains(err.Error(), "Too many open connections") || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// try makes several tries of an operation, each on a new connection. Those of others,
// on a crowded server, are waited out.
func (m *Store) try(ctx context.Context, op func() error) error {
	defer m.rest()
	var err error
	start := time.Now()
	for i := 0; ; i++ {
		if i > 0 {
			m.count(stats.Reconnects)
			select {
			case <-time.After(rand.N(min(time.Duration(i*i)*40*time.Millisecond, time.Second))):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err = op(); final(err) {
			break
		}
		var timeout net.Error
		var connect *memcache.ConnectTimeoutError
		if errors.As(err, &timeout) && timeout.Timeout() || errors.As(err, &connect) {
			m.count(stats.Timeouts)
		}
		if i+1 >= memcachedTries && !(crowded(err) && time.Since(start) < crowdPatience) {
			break
		}
	}
	if err != nil && strings.Contains(err.Error(), "too large") {
		return fmt.Errorf("memcached %s: %w", strings.Join(m.config.Servers, ", "), cache.ErrTooLarge)
	}
	if final(err) {
		return err
	}
	return fmt.Errorf("memcached %s: %s", strings.Join(m.config.Servers, ", "), oneLine(err.Error()))
}

// rest closes the connections when none was used for a moment: a program may run for
// hours then, and the server has connections for others.
func (m *Store) rest() {
	m.resting.Lock()
	defer m.resting.Unlock()
	if m.idle == nil {
		m.idle = time.AfterFunc(idleTime, func() { m.client.Close() })
	}
	m.idle.Reset(idleTime)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// ServerStats is what one server says of itself.
type ServerStats struct {
	Server string
	Err    error             // it can't be asked
	Values map[string]string // as the protocol's "stats" names them: curr_items, bytes, evictions, uptime, …
}

// ServerStats asks all servers at once for their statistics, which each has a
// second to say. They are in the order of MemcachedConfig.Servers.
func (m *Store) ServerStats(ctx context.Context) []ServerStats {
	all := make([]ServerStats, len(m.addrs))
	var wg sync.WaitGroup
	for i, addr := range m.addrs {
		wg.Go(func() {
			all[i].Server = m.config.Servers[i]
			all[i].Values, all[i].Err = m.askStats(ctx, addr)
		})
	}
	wg.Wait()
	return all
}

func (m *Store) askStats(ctx context.Context, addr net.Addr) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, memcachedTimeout)
	defer cancel()
	conn, err := m.dial(ctx, addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(memcachedTimeout))
	if _, err := conn.Write([]byte("stats\r\n")); err != nil {
		return nil, err
	}
	values := map[string]string{}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() == "END" {
			return values, nil
		}
		fields := strings.SplitN(lines.Text(), " ", 3)
		if len(fields) < 3 || fields[0] != "STAT" {
			return nil, fmt.Errorf("it answers %q", oneLine(lines.Text()))
		}
		values[fields[1]] = fields[2]
	}
	return nil, errors.New("its answer breaks off")
}
