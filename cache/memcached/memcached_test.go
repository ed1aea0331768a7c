//go:build unix

package memcached

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/memcached/memcachedtest"
	"dvlcache/cache/stats"
	"dvlcache/cache/storetest"
)

func openMemcached(t testing.TB, config Config) *Store {
	t.Helper()
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestMemcached(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		server := memcachedtest.Start(t)
		storetest.Run(t, func(t *testing.T) cache.Store { return openMemcached(t, Config{Servers: []string{server.Address}}) })
	})
	t.Run("three servers, signed, expiring", func(t *testing.T) {
		var servers []string
		for range 3 {
			servers = append(servers, memcachedtest.Start(t).Address)
		}
		storetest.Run(t, func(t *testing.T) cache.Store {
			return openMemcached(t, Config{Servers: servers, Secret: []byte("s"), TTL: 60 * 24 * time.Hour})
		})
	})
	t.Run("unix", func(t *testing.T) {
		server := memcachedtest.StartUnix(t)
		storetest.Run(t, func(t *testing.T) cache.Store { return openMemcached(t, Config{Servers: []string{server.Address}}) })
	})
	t.Run("tls", func(t *testing.T) {
		dir := t.TempDir()
		config := certificates(t, dir)
		server := memcachedtest.Start(t, "-Z", "-o", fmt.Sprintf("ssl_chain_cert=%[1]s/server.pem,ssl_key=%[1]s/server.key,ssl_ca_cert=%[1]s/ca.pem,ssl_verify_mode=2", dir))
		storetest.Run(t, func(t *testing.T) cache.Store {
			return openMemcached(t, Config{Servers: []string{server.Address}, TLS: config})
		})
		for name, wrong := range map[string]*tls.Config{
			"no client certificate": {RootCAs: config.RootCAs},
			"an unknown authority":  {Certificates: config.Certificates},
		} {
			m := openMemcached(t, Config{Servers: []string{server.Address}, TLS: wrong})
			if _, _, err := m.Get(context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}); err == nil {
				t.Errorf("%s: it is let in", name)
			}
		}
	})
}

// certificates writes an authority, and a server's and a client's certificate
// of it, and returns the client's configuration.
func certificates(t *testing.T, dir string) *tls.Config {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, kind string, der []byte) {
		must(os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	var ca *x509.Certificate
	var caKey *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true,
		}
		if ca == nil {
			ca, caKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
		must(err)
		if name == "ca" {
			ca, err = x509.ParseCertificate(der)
			must(err)
		}
		write(name+".pem", "CERTIFICATE", der)
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		must(err)
		write(name+".key", "PRIVATE KEY", keyDER)
	}
	config, err := LoadTLS(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	must(err)
	return config
}

// number returns what a store has of an id: a number, "-" for a miss, or what
// is wrong with the record.
func number(t *testing.T, s cache.Store, id cache.ID) string {
	t.Helper()
	e, _, err := s.Get(context.Background(), id)
	var bad *cache.RecordError
	switch {
	case errors.As(err, &bad):
		return bad.Reason
	case err != nil:
		t.Fatal(err)
	case e == nil:
		return "-"
	}
	return fmt.Sprint(e.Find("last").Mean)
}

// ask speaks memcached's protocol by hand, as netcat would.
func ask(t *testing.T, c net.Conn, request string) string {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(line)
		for _, end := range []string{"END", "STORED", "DELETED", "NOT_FOUND", "ERROR"} {
			if strings.HasPrefix(line, end) {
				return all.String()
			}
		}
	}
}

// TestMemcachedClear touches neither another namespace nor a stranger's keys,
// and a token that is lost means misses.
func TestMemcachedClear(t *testing.T) {
	server := memcachedtest.Start(t)
	m := openMemcached(t, Config{Servers: []string{server.Address}})
	a, b := cache.ID{Namespace: "a", Key: key.Key{1}}, cache.ID{Namespace: "b", Key: key.Key{1}}
	storetest.Put(t, m, a, 1)
	storetest.Put(t, m, b, 2)
	raw := server.Dial()
	ask(t, raw, "set stranger 0 0 5\r\nhello\r\n")
	if _, err := m.Clear(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	if number(t, m, a) != "-" || number(t, m, b) != "2" || !strings.Contains(ask(t, raw, "get stranger\r\n"), "hello") {
		t.Errorf("after the clear: a %s, b %s", number(t, m, a), number(t, m, b))
	}
	ask(t, raw, "delete "+tokenName("b")+"\r\n")
	if got := number(t, m, b); got != "-" {
		t.Errorf("after the loss of the token: %s", got)
	}
	storetest.Put(t, m, b, 3)
	if got := number(t, m, b); got != "3" {
		t.Errorf("and then: %s", got)
	}
}

// TestMemcachedSecret: without the secret, or with another, a record is none;
// nor is one that was written by hand or copied to another key.
func TestMemcachedSecret(t *testing.T) {
	server := memcachedtest.Start(t)
	open := func(secret string) *Store {
		return openMemcached(t, Config{Servers: []string{server.Address}, Secret: []byte(secret)})
	}
	signed, plain, other := open("s1"), open(""), open("s2")
	id, id2 := cache.ID{Namespace: "n", Key: key.Key{1}}, cache.ID{Namespace: "n", Key: key.Key{2}}
	storetest.Put(t, signed, id, 1)
	for what, got := range map[string]string{
		"the secret":     number(t, signed, id),
		"no secret":      number(t, plain, id),
		"another secret": number(t, other, id),
	} {
		want := map[string]string{
			"the secret":     "1",
			"no secret":      "it is signed, and DVLCACHE_SECRET is not set",
			"another secret": "it is signed with another DVLCACHE_SECRET, or was changed",
		}[what]
		if got != want {
			t.Errorf("with %s: %s", what, got)
		}
	}
	raw := server.Dial()
	item, err := signed.client.Get(entryName(id))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, raw, fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", entryName(id2), len(item.Value), item.Value))
	if got := number(t, signed, id2); !strings.Contains(got, "was changed") {
		t.Errorf("a right record under another key: %s", got)
	}
	for _, poison := range []string{"", "0.99", "p" + strings.Repeat("x", 100), "s" + strings.Repeat("x", 100)} {
		ask(t, raw, fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", entryName(id), len(poison), poison))
		if got := number(t, signed, id); !strings.HasPrefix(got, "it is") {
			t.Errorf("%q: %s", poison, got)
		}
		// Without a secret it is no number either, for want of the token.
		if got := number(t, plain, id); got != "-" && !strings.HasPrefix(got, "it is") {
			t.Errorf("%q, without a secret: %s", poison, got)
		}
	}
	storetest.Put(t, plain, id, 5)
	if got := number(t, signed, id); got != "it is not signed with DVLCACHE_SECRET" {
		t.Errorf("an unsigned record: %s", got)
	}
	storetest.Put(t, signed, id, 6)
	if got := number(t, signed, id); got != "6" {
		t.Errorf("a bad record is not replaced: %s", got)
	}
}

// between is a proxy before a server that can hold answers back.
type between struct {
	address string
	hold    atomic.Bool // from now on drop what the server answers
	dropped atomic.Int64
}

func newBetween(t *testing.T, server string) *between {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &between{address: l.Addr().String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				upstream, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer upstream.Close()
				go io.Copy(upstream, client)
				buf := make([]byte, 64<<10)
				for {
					n, err := upstream.Read(buf)
					if err != nil {
						return
					}
					if b.hold.CompareAndSwap(true, false) {
						b.dropped.Add(1)
						return // the answer is lost with the connection
					}
					client.Write(buf[:n])
				}
			}()
		}
	}()
	return b
}

// TestMemcachedLostAnswer: a merge whose answer is lost is tried again, and
// counts once; so is one of a server that freezes just after it.
func TestMemcachedLostAnswer(t *testing.T) {
	server := memcachedtest.Start(t)
	proxy := newBetween(t, server.Address)
	var counts [stats.NumCounters]atomic.Int64
	m := openMemcached(t, Config{Servers: []string{proxy.address}, Count: func(c stats.Counter) { counts[c].Add(1) }})
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}
	_, gen, err := m.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		var once sync.Once
		err := m.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
			if e == nil {
				e = &cache.Entry{}
			}
			e.FindOrAdd("last").Add(cache.Sample{ID: uint64(i + 1), Value: 1}, "")
			once.Do(func() { proxy.hold.Store(true) }) // the answer to what is written next
			return e
		})
		proxy.hold.Store(false)
		if err != nil {
			t.Fatal(err)
		}
	}
	e, _, err := m.Get(ctx, id)
	if err != nil || e.Find("last").Count != 20 || proxy.dropped.Load() < 20 {
		t.Errorf("%d samples of 20, %d answers lost, %v", e.Find("last").Count, proxy.dropped.Load(), err)
	}
	if counts[stats.Reconnects].Load() < 20 {
		t.Errorf("%d connections were made anew", counts[stats.Reconnects].Load())
	}
}

// TestMemcachedSideBySide: callers that ask at once have connections of their
// own, and none of those is one made anew.
func TestMemcachedSideBySide(t *testing.T) {
	var reconnects atomic.Int64
	m := openMemcached(t, Config{Servers: []string{memcachedtest.Start(t).Address}, Count: func(c stats.Counter) {
		if c == stats.Reconnects {
			reconnects.Add(1)
		}
	}})
	var wg sync.WaitGroup
	for i := range byte(64) {
		wg.Go(func() {
			if _, _, err := m.Get(context.Background(), cache.ID{Namespace: "n", Key: key.Key{i}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := reconnects.Load(); n > 0 {
		t.Errorf("%d connections were made anew", n)
	}
}

// TestMemcachedFrozen: stopped in the middle of an update, then continued.
func TestMemcachedFrozen(t *testing.T) {
	server := memcachedtest.Start(t)
	// It goes on when one try has timed out and its request is in the queue.
	m := openMemcached(t, Config{Servers: []string{server.Address}, Count: func(c stats.Counter) {
		if c == stats.Timeouts {
			server.Signal(syscall.SIGCONT)
		}
	}})
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}
	_, gen, err := m.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	err = m.Update(ctx, id, gen, func(e *cache.Entry) *cache.Entry {
		if e == nil {
			e = &cache.Entry{}
		}
		e.FindOrAdd("last").Add(cache.Sample{ID: 7, Value: 1}, "1")
		once.Do(func() { server.Signal(syscall.SIGSTOP) })
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
	if e, _, err := m.Get(ctx, id); err != nil || e.Find("last").Count != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestMemcachedOutOfOrder: what goes wrong is an error soon, and no panic.
func TestMemcachedOutOfOrder(t *testing.T) {
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}
	serve := func(t *testing.T, answer func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); answer(c) }()
			}
		}()
		return l.Addr().String()
	}
	for name, answer := range map[string]func(net.Conn){
		"closes":  func(net.Conn) {},
		"garbage": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"breaks":  func(c net.Conn) { io.WriteString(c, "VALUE x 0 100 1\r\nab") },
		"silent":  func(c net.Conn) { time.Sleep(5 * time.Second) },
		"slow": func(c net.Conn) {
			for _, b := range []byte("VALUE dvlcache:g 0 16 1\r\n0123456789abcdef\r\nEND\r\n") {
				time.Sleep(100 * time.Millisecond)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		},
		"other key": func(c net.Conn) { io.WriteString(c, "VALUE other 0 1 1\r\na\r\nEND\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := openMemcached(t, Config{Servers: []string{serve(t, answer)}})
			if e, _, err := m.Get(ctx, id); err == nil || e != nil {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		server := memcachedtest.Start(t)
		m := openMemcached(t, Config{Servers: []string{server.Address}})
		storetest.Put(t, m, id, 1)
		server.Kill()
		if _, _, err := m.Get(ctx, id); err == nil {
			t.Error("a dead server answers")
		}
		server.Restart()
		if got := number(t, m, id); got != "-" {
			t.Errorf("restarted, it has %s", got)
		}
	})
	t.Run("too large", func(t *testing.T) {
		server := memcachedtest.Start(t)
		m := openMemcached(t, Config{Servers: []string{server.Address}})
		_, gen, err := m.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
			return &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: make([]byte, 2<<20)}}}
		})
		if err == nil || !strings.Contains(err.Error(), "too large") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no such host", func(t *testing.T) {
		if _, err := New(Config{Servers: []string{"127.0.0.1"}}); err == nil {
			t.Error("an address without a port is taken")
		}
	})
}

// TestMemcachedFull: what a full server drops is a miss, never another number.
func TestMemcachedFull(t *testing.T) {
	server := memcachedtest.Start(t, "-m", "2")
	m := openMemcached(t, Config{Servers: []string{server.Address}})
	ctx := context.Background()
	key := func(i int) cache.ID { return cache.ID{Namespace: "n", Key: key.Key{byte(i), byte(i >> 8)}} }
	const n = 4000
	for i := range n {
		id := key(i)
		_, gen, err := m.Get(ctx, id)
		if err == nil {
			err = m.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
				e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: make([]byte, 3000)}}}
				e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: float64(i)}, "")
				return e
			})
		}
		if err != nil && !errors.Is(err, cache.ErrSuperseded) { // its token may be dropped
			t.Fatal(err)
		}
	}
	misses := 0
	for i := range n {
		switch got := number(t, m, key(i)); got {
		case "-":
			misses++
		case fmt.Sprint(i):
		default:
			t.Fatalf("%d is %s", i, got)
		}
	}
	if misses == 0 || m.ServerStats(ctx)[0].Values["evictions"] == "0" {
		t.Errorf("%d misses: the server was not full", misses)
	}
}

func TestMemcachedTTL(t *testing.T) {
	server := memcachedtest.Start(t)
	m := openMemcached(t, Config{Servers: []string{server.Address}, TTL: time.Second})
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	// Its clock goes by whole seconds, so that the one may be over at once.
	for try := 0; ; try++ {
		storetest.Put(t, m, id, 1)
		if got := number(t, m, id); got == "1" {
			break
		} else if try == 100 {
			t.Fatal(got)
		}
	}
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		if number(t, m, id) == "-" {
			return
		}
	}
	t.Error("it does not expire")
}

func TestMemcachedServerStats(t *testing.T) {
	server := memcachedtest.Start(t)
	m := openMemcached(t, Config{Servers: []string{server.Address}})
	storetest.Put(t, m, cache.ID{Namespace: "n", Key: key.Key{1}}, 1)
	all := m.ServerStats(context.Background())
	if len(all) != 1 || all[0].Err != nil || all[0].Values["curr_items"] != "3" || all[0].Values["uptime"] == "" {
		t.Errorf("%+v", all)
	}
}
