//go:build unix

package cmd

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	osexec "os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"dvlcache/cache/memcached/memcachedtest"
)

// server starts a memcached for the case.
func (v *victim) server(args ...string) *memcachedtest.Server {
	s := memcachedtest.StartUnix(v.torture, args...)
	v.set("DVLCACHE_MEMCACHED", s.Address)
	v.remote = true
	return s
}

// between has the calls talk to a server through something that does what it
// likes with the answers: it gets each and writes what it wants, and returns
// whether the connection lives on.
func (v *victim) between(s *memcachedtest.Server, meddle func(answer []byte, to io.Writer) bool) (end func()) {
	path := filepath.Join(filepath.Dir(s.Address), "p")
	l, err := net.Listen("unix", path)
	if err != nil {
		v.fail("%v", err)
		return func() {}
	}
	v.set("DVLCACHE_MEMCACHED", path)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer client.Close()
				server, err := net.Dial("unix", s.Address)
				if err != nil {
					return
				}
				defer server.Close()
				wg.Go(func() { io.Copy(server, client); server.Close() })
				buf := make([]byte, 64<<10)
				for {
					n, err := server.Read(buf)
					if err != nil || !meddle(buf[:n], client) {
						return
					}
				}
			})
		}
	})
	return func() { l.Close(); wg.Wait() }
}

// memcachedFaults: whatever the server does, numbers are right and printed.
func memcachedFaults() []faultKind {
	if _, err := osexec.LookPath("memcached"); err != nil {
		return nil
	}
	meddler := func(name string, slow bool, plan func(rng *rand.Rand) (string, func() func([]byte, io.Writer) bool)) faultKind {
		return faultKind{name: "memcached: " + name, slow: slow, plan: func(rng *rand.Rand) (string, func(*victim)) {
			i := 1000 + rng.IntN(9000)
			what, meddle := plan(rng)
			return fmt.Sprintf("%s, call %d", what, i), func(v *victim) {
				s := v.server()
				defer s.Kill()
				v.ask(i)
				end := v.between(s, meddle())
				defer end()
				v.ask(i)
				v.ask(i + 1)
				v.ask(i + 1)
			}
		}}
	}
	return []faultKind{
		{name: "memcached: killed", plan: func(rng *rand.Rand) (string, func(*victim)) {
			i, when := 1000+rng.IntN(9000), drawTime(rng, 40*time.Millisecond)
			return fmt.Sprint(i, when), func(v *victim) {
				s := v.server()
				defer s.Kill()
				v.ask(i)
				p := v.start(batchInput(1, 20), nil, "batch", "--", v.train)
				time.Sleep(when)
				s.Kill()
				if r := v.end(p); r.status != 0 || v.lines(r) != 20 {
					v.fail("a batch: status %d\n%s", r.status, r.errs)
				}
				v.ask(i)
			}
		}},
		{name: "memcached: started again, empty", plan: func(rng *rand.Rand) (string, func(*victim)) {
			i, when := 1000+rng.IntN(9000), drawTime(rng, 40*time.Millisecond)
			return fmt.Sprint(i, when), func(v *victim) {
				s := v.server()
				defer s.Kill()
				v.ask(i)
				p := v.start(batchInput(1, 20), nil, "batch", "--", v.train)
				time.Sleep(when)
				s.Kill()
				syscall.Unlink(s.Address)
				s.Restart()
				if r := v.end(p); r.status != 0 || v.lines(r) != 20 {
					v.fail("a batch: status %d\n%s", r.status, r.errs)
				}
				for range 2 {
					if said := v.ask(i); said != "" {
						v.fail("it said %s", said)
					}
				}
			}
		}},
		{name: "memcached: frozen", slow: true, plan: func(rng *rand.Rand) (string, func(*victim)) {
			i, when := 1000+rng.IntN(9000), drawTime(rng, 10*time.Millisecond)
			return fmt.Sprint(i, when), func(v *victim) {
				s := v.server()
				defer s.Kill()
				v.ask(i)
				p := v.start("", nil, v.call(i+1)...)
				time.Sleep(when)
				s.Signal(syscall.SIGSTOP)
				v.answered(i+1, v.end(p))
				v.ask(i)
				s.Signal(syscall.SIGCONT)
				v.ask(i)
			}
		}},
		{name: "memcached: full", plan: func(rng *rand.Rand) (string, func(*victim)) {
			i, rounds := 1000+rng.IntN(9000), 1+rng.IntN(6)
			return fmt.Sprint(i, rounds), func(v *victim) {
				s := v.server("-m", "4", "-I", "512k")
				defer s.Kill()
				v.ask(i)
				c, err := net.Dial("unix", s.Address)
				if err != nil {
					v.fail("%v", err)
					return
				}
				defer c.Close()
				junk := make([]byte, 400<<10)
				for n := range rounds * 4 {
					fmt.Fprintf(c, "set junk%d 0 0 %d\r\n%s\r\n", n, len(junk), junk)
					c.Read(make([]byte, 100))
				}
				v.ask(i)
				v.batch(1, 60)
				v.batch(1, 60)
				v.ask(i)
			}
		}},
		meddler("closes in mid-answer", false, func(rng *rand.Rand) (string, func() func([]byte, io.Writer) bool) {
			after := rng.IntN(1 << rng.IntN(11))
			return fmt.Sprint(after), func() func([]byte, io.Writer) bool {
				return func(answer []byte, to io.Writer) bool {
					n := min(after, len(answer))
					to.Write(answer[:n])
					return n == len(answer)
				}
			}
		}),
		meddler("answers byte by byte", true, func(rng *rand.Rand) (string, func() func([]byte, io.Writer) bool) {
			pause := time.Duration(1+rng.IntN(20)) * time.Millisecond
			return fmt.Sprint(pause), func() func([]byte, io.Writer) bool {
				return func(answer []byte, to io.Writer) bool {
					for i := range answer {
						if _, err := to.Write(answer[i : i+1]); err != nil {
							return false
						}
						time.Sleep(pause)
					}
					return true
				}
			}
		}),
		meddler("flips bits", false, func(rng *rand.Rand) (string, func() func([]byte, io.Writer) bool) {
			at, bit := rng.IntN(400), rng.IntN(8)
			return fmt.Sprint(at, bit), func() func([]byte, io.Writer) bool {
				return func(answer []byte, to io.Writer) bool {
					answer[at%len(answer)] ^= 1 << bit
					_, err := to.Write(answer)
					return err == nil
				}
			}
		}),
		meddler("answers out of turn", true, func(rng *rand.Rand) (string, func() func([]byte, io.Writer) bool) {
			first := []string{"END\r\n", "STORED\r\n", "NOT_STORED\r\n", "SERVER_ERROR out of memory\r\n", "VALUE x 0 5\r\nhello\r\nEND\r\n", "ERROR\r\n", "\x00\xff\r\n"}[rng.IntN(7)]
			return fmt.Sprintf("%q first", first), func() func([]byte, io.Writer) bool {
				var mu sync.Mutex
				late := []byte(first)
				return func(answer []byte, to io.Writer) bool {
					mu.Lock()
					defer mu.Unlock()
					// Each gets the answer to what was asked before.
					now := late
					late = append([]byte(nil), answer...)
					_, err := to.Write(now)
					return err == nil
				}
			}
		}),
	}
}
