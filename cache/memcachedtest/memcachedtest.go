// Package memcachedtest starts real memcached servers for tests.
package memcachedtest

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
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
}

// Start starts a server with further arguments and waits until it listens.
// Without memcached on the machine the test is skipped, or, in CI, fails.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	return start(t, address, append([]string{"-l", "127.0.0.1", "-p", port, "-U", "0"}, args...))
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
	s := &Server{Address: address, t: t, args: args}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Restart starts the server again, empty.
func (s *Server) Restart() {
	s.t.Helper()
	s.cmd = exec.Command("memcached", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	network := "tcp"
	if strings.Contains(s.Address, "/") {
		network = "unix"
	}
	for range 500 {
		if c, err := net.Dial(network, s.Address); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("memcached does not listen on %s", s.Address)
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
