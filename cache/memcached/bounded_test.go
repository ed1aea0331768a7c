//go:build unix

package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/memcached/memcachedtest"
)

// answers serves what every request is answered with.
func answers(t *testing.T, answer func(w io.Writer)) string {
	t.Helper()
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
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(time.Minute))
				for in := bufio.NewScanner(c); in.Scan(); {
					w := bufio.NewWriter(c)
					answer(w)
					if w.Flush() != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestBelievesNoSize: what a server announces is refused before there is room made
// for it, in whatever it answers.
func TestBelievesNoSize(t *testing.T) {
	huge := func(line string) func(io.Writer) {
		return func(w io.Writer) { io.WriteString(w, line) }
	}
	// Made beforehand: what the server allocates would be measured too.
	numbered := func(line string) func(io.Writer) {
		var b strings.Builder
		for i := range 500_000 {
			fmt.Fprintf(&b, line, i)
		}
		return huge(b.String() + "END\r\n")
	}
	for name, answer := range map[string]func(io.Writer){
		"2e9 bytes":              huge("VALUE dvlcache:g 0 2000000000 1\r\n"),
		"2^32 - 1 bytes":         huge("VALUE dvlcache:g 0 4294967295\r\n"),
		"no size":                huge("VALUE dvlcache:g 0 -1 1\r\n"),
		"a little too much":      huge(fmt.Sprintf("VALUE dvlcache:g 0 %d 1\r\n", maxValue+1)),
		"after what is fine":     huge("VALUE dvlcache:g 0 16 1\r\n0123456789abcdef\r\nVALUE dvlcache:g 0 900000000 1\r\n"),
		"another's value":        huge("VALUE other 0 1000000000 1\r\n"),
		"a line without end":     huge(strings.Repeat("x", 64<<20)),
		"values without end":     numbered("VALUE dvlcache:%d 0 1 1\r\nx\r\n"),
		"statistics without end": numbered("STAT x%d 0\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := New(Config{Servers: []string{answers(t, answer)}})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			ctx, id := context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if e, _, err := m.Get(ctx, id); err == nil {
				t.Errorf("Get: %+v", e)
			}
			if _, err := m.Lease(ctx, id, time.Millisecond); err == nil {
				t.Error("it leases")
			}
			if s := m.ServerStats(ctx)[0]; s.Err == nil {
				t.Errorf("%d statistics", len(s.Values))
			}
			if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 200<<20 {
				t.Errorf("%d MB were allocated", (after.TotalAlloc-before.TotalAlloc)>>20)
			}
		})
	}
}

// TestStoresWhatItTakesBack: what would be refused when it is read isn't stored.
func TestStoresWhatItTakesBack(t *testing.T) {
	server := memcachedtest.Start(t, "-I", "64m", "-m", "256")
	m, err := New(Config{Servers: []string{server.Address}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, id := context.Background(), cache.ID{Namespace: "n", Key: key.Key{1}}
	for size, want := range map[int]error{maxValue - 1000: nil, maxValue: cache.ErrTooLarge, 4 * maxValue: cache.ErrTooLarge} {
		_, gen, err := m.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
			return &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: make([]byte, size)}}}
		})
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
	if e, _, err := m.Get(ctx, id); err != nil || len(e.Output.Text) != maxValue-1000 {
		t.Errorf("%+v, %v", e, err)
	}
}

// pieces is a connection that gives what it holds in pieces.
type pieces struct {
	net.Conn
	rest  []byte
	piece func() int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.piece())], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// TestBoundedHandsOn: answers within the bounds are handed on as they are, however
// they come in, be there a VALUE within a value; those beyond them never whole.
func TestBoundedHandsOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var answer strings.Builder
		for range rapid.IntRange(0, maxValues).Draw(t, "values") {
			value := rapid.SampledFrom([]string{"", "x", "VALUE a 0 2000000000\r\n", "END\r\n", strings.Repeat("y", 9000)}).Draw(t, "value")
			fmt.Fprintf(&answer, "VALUE a 0 %d%s\r\n%s\r\n", len(value), rapid.SampledFrom([]string{"", " 7"}).Draw(t, "cas"), value)
		}
		bad := rapid.Bool().Draw(t, "bad")
		end := "END\r\n"
		if bad {
			end = "VALUE a 0 2000000000 1\r\n"
		}
		whole := answer.String() + end
		c := &bounded{Conn: &pieces{rest: []byte(whole), piece: func() int { return rapid.IntRange(1, 5000).Draw(t, "piece") }}}
		got, err := io.ReadAll(c)
		if bad && (err == nil || len(got) >= len(whole)) || !bad && (err != nil || string(got) != whole) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(whole), err)
		}
	})
}
