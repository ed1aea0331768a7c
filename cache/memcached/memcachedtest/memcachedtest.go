// Package memcachedtest starts real memcached servers for tests.
package memcachedtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Server is a memcached of a test's own, on a loopback address or a Unix
// socket. It ends with the test.
type Server struct {
	// Address is HOST:PORT or the path of a socket.
	Address string

	t    testing.TB
	args []string
	cmd  *exec.Cmd
	host string
}

// Start starts a server with further arguments and waits until it listens.
// Without memcached on the machine the test is skipped, or, in CI, fails.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, "", append([]string{"-U", "0"}, args...))
}

// StartUnix starts a server on a Unix socket.
func StartUnix(t testing.TB, args ...string) *Server {
	t.Helper()
	// A socket's path has to be short.
	dir, err := os.MkdirTemp("", "mc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	return start(t, path, append([]string{"-s", path}, args...))
}

func start(t testing.TB, address string, args []string) *Server {
	t.Helper()
	if _, err := exec.LookPath("memcached"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI has no memcached")
		}
		t.Skip("needs memcached")
	}
	if me, err := user.Current(); err == nil && me.Uid == "0" {
		args = append(args, "-u", "root") // it refuses to be root unasked
	}
	s := &Server{Address: address, t: t, args: args, host: "127.0.0.1"}
	if runtime.GOOS == "linux" && !slices.Contains(args, "-Z") { // a certificate is for that
		// A server that is killed is away: its port may be another test's by then, but
		// not on an address of its own.
		s.host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Restart starts the server again, empty.
func (s *Server) Restart() {
	s.t.Helper()
	args, env, listens := s.args, os.Environ(), func() bool {
		c, err := net.Dial("unix", s.Address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if !strings.Contains(s.Address, "/") {
		// It chooses a port itself, which then is no other program's, and
		// writes it to a file when it listens.
		chosen := "-1"
		if s.Address != "" {
			_, chosen, _ = net.SplitHostPort(s.Address)
		}
		port := filepath.Join(s.t.TempDir(), "port")
		args, env = append([]string{"-l", s.host, "-p", chosen}, args...), append(env, "MEMCACHED_PORT_FILENAME="+port)
		listens = func() bool {
			line, _ := os.ReadFile(port)
			_, chosen, ok := strings.Cut(strings.TrimSpace(string(line)), "TCP INET: ")
			if ok {
				s.Address = net.JoinHostPort(s.host, chosen)
			}
			return ok
		}
	}
	s.cmd = exec.Command("memcached", args...)
	s.cmd.Env = env
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if listens() {
			return
		}
	}
	s.t.Fatalf("memcached %q does not listen", args)
}

// Kill ends the server by SIGKILL.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Signal sends a signal to the server.
func (s *Server) Signal(sig os.Signal) { s.cmd.Process.Signal(sig) }

// Dial connects to the server, to speak its protocol by hand.
func (s *Server) Dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}
