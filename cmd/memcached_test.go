//go:build unix

package cmd

import (
	"fmt"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dvlcache/cache/memcached/memcachedtest"
)

func TestMemcachedCommands(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t)
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address)
	b.write("train.sh", "#!/bin/sh\necho >>calls\necho $1\n")
	for range 2 {
		if got := b.number("run", "--", "./train.sh", "1"); got != "1" {
			t.Fatal(got)
		}
	}
	out := strings.Join(strings.Fields(b.number("stats")), " ")
	for _, want := range []string{"hits 1 misses 1", "server " + server.Address + " items", "evictions 0", "entries - bytes", "memcached can't list its entries"} {
		if !strings.Contains(out, want) {
			t.Errorf("stats lacks %q:\n%s", want, out)
		}
	}
	// A session over it: what is new is on the server afterwards.
	b.number("session", "--save", "--", b.binary, "run", "--", "./train.sh", "2")
	if got := b.number("run", "--only-cached", "--", "./train.sh", "2"); got != "2" {
		t.Error(got)
	}
	if got := b.number("clear"); got != "entries (memcached can't count them) cleared: namespace default" {
		t.Error(got)
	}
	if _, _, status := b.run("run", "--only-cached", "--", "./train.sh", "1"); status != statusNotCached {
		t.Errorf("after the clear: status %d", status)
	}
	if got := b.number("clear", "--", "./train.sh", "1"); got != "0 entries cleared: ./train.sh 1, which is not in namespace default" {
		t.Error(got)
	}
	// Another secret.
	b.number("run", "--", "./train.sh", "3")
	b.env = append(b.env, "DVLCACHE_SECRET=s")
	if out, errs, _ := b.run("run", "--", "./train.sh", "3"); out != "3\n" || !strings.Contains(errs, "it is not signed with DVLCACHE_SECRET; it counts as a miss") {
		t.Errorf("%q\n%s", out, errs)
	}
	if n := len(b.lines("calls")); n != 4 {
		t.Errorf("%d evaluations", n)
	}
}

// TestMemcachedDown: the program is run, with one warning; --strict fails.
func TestMemcachedDown(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t)
	server.Kill()
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address)
	out, errs, status := b.run("run", "--", "echo", "1")
	if out != "1\n" || status != 0 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "connection refused; running without the cache") {
		t.Errorf("status %d, %q\n%s", status, out, errs)
	}
	if _, _, status := b.run("run", "--strict", "--", "echo", "1"); status != statusInternal {
		t.Errorf("--strict: status %d", status)
	}
	if out := b.number("stats", "--json"); !strings.Contains(out, `"errors":2`) || !strings.Contains(out, "connection refused") {
		t.Error(out)
	}
}

// TestMemcachedKilledMidway: 2,000 calls, the server is killed among them: all
// numbers are right.
func TestMemcachedKilledMidway(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t)
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 125 {
				if w == 0 && i == 50 {
					server.Kill()
				}
				want := strconv.Itoa(i % 50)
				if got := b.number("run", "--", "echo", want); got != want {
					t.Errorf("%s instead of %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

// TestTwoHosts: two network namespaces, a memcached in one: results, leases and
// merged moments are shared across.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := osexec.LookPath("ip"); err != nil {
		t.Skip("needs ip(8)")
	}
	if _, err := osexec.LookPath("memcached"); err != nil {
		t.Skip("needs memcached")
	}
	id := strconv.Itoa(os.Getpid() % 10000)
	one, two := "dvl"+id+"a", "dvl"+id+"b"
	ip := func(args string) error {
		out, err := osexec.Command("ip", strings.Fields(args)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %s", args, out)
		}
		return nil
	}
	t.Cleanup(func() { ip("netns del " + one); ip("netns del " + two) })
	for i, args := range []string{
		"netns add " + one, "netns add " + two,
		"link add " + one + " netns " + one + " type veth peer name " + two + " netns " + two,
		"-n " + one + " addr add 10.213.7.1/24 dev " + one, "-n " + two + " addr add 10.213.7.2/24 dev " + two,
		"-n " + one + " link set " + one + " up", "-n " + two + " link set " + two + " up", "-n " + one + " link set lo up",
	} {
		if err := ip(args); err != nil && i < 3 {
			t.Skip("namespaces can't be made here: ", err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	server := osexec.Command("ip", "netns", "exec", one, "memcached", "-l", "10.213.7.1", "-p", "11311", "-U", "0", "-u", "root")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	b := newWorkbench(t)
	b.env = append(b.env, "DVLCACHE_MEMCACHED=10.213.7.1:11311")
	// Each host has a cache folder and statistics of its own.
	on := func(host string, args ...string) string {
		c := b.command()
		c.Path, _ = osexec.LookPath("ip")
		c.Args = append([]string{"ip", "netns", "exec", host, b.binary}, args...)
		c.Env = append(c.Env, "DVLCACHE_DIR="+b.path(host))
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Errorf("%s: %q: %v", host, args, err)
		}
		return strings.TrimSpace(string(out))
	}
	b.wait("the server listens", func() bool { return strings.Contains(on(two, "stats"), "uptime") })
	b.write("train.sh", "#!/bin/sh\necho >>calls\nsleep 0.3\necho 0.$$7\n")
	var wg sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		wg.Go(func() { answers[i] = on([]string{one, two}[i%2], "run", "--", "./train.sh") })
	}
	wg.Wait()
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("answers differ: %q", answers)
		}
	}
	if n := len(b.lines("calls")); n != 1 {
		t.Errorf("%d evaluations", n)
	}
	for i := range 10 {
		on([]string{one, two}[i%2], "run", "--repeat", "--rtol-stderr", "0", "--", "./train.sh", "noisy")
	}
	if got := on(one, "run", "--format", "tsv", "--", "./train.sh", "noisy"); strings.Split(got, "\t")[2] != "10" {
		t.Errorf("merged: %s", got)
	}
}
