//go:build unix

package cmd

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dvlcache/cache/memcached/memcachedtest"
	"dvlcache/exec/process/watch"
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

// TestMemcachedCrowded: more tasks than the server takes connections evaluate at once.
// None holds a connection meanwhile, and all that they print is stored.
func TestMemcachedCrowded(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t, "-c", "32")
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address, "DVLCACHE_TRACK=args")
	const tasks = 60
	b.write("train.sh", `#!/bin/sh
: >began.$1
while [ ! -e go ]; do sleep 0.1; done
echo $1
`)
	var wg sync.WaitGroup
	for i := range tasks {
		wg.Go(func() {
			if out, errs, status := b.run("run", "--", "./train.sh", strconv.Itoa(i)); out != strconv.Itoa(i)+"\n" || errs != "" || status != 0 {
				t.Errorf("task %d: status %d, %q\n%s", i, status, out, errs)
			}
		})
	}
	b.wait("all evaluate side by side", func() bool {
		began, _ := filepath.Glob(b.path("began.*"))
		return len(began) == tasks
	})
	b.write("go", "")
	wg.Wait()
	for i := range tasks {
		if _, errs, status := b.run("run", "--only-cached", "--", "./train.sh", strconv.Itoa(i)); status != 0 {
			t.Errorf("task %d isn't stored: %s", i, errs)
		}
	}
}

// TestStoredWhenBack: a store that can't be looked up when an evaluation begins gets its
// number all the same if it is back at the end.
func TestStoredWhenBack(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	var lock *os.File
	for _, c := range []struct {
		name       string
		away, back func(b *workbench)
		env, text  string
	}{
		{"memcached", func(*workbench) { server.Kill() }, func(*workbench) { server.Restart() },
			"DVLCACHE_MEMCACHED=" + server.Address, "connection refused"},
		{"bolt", func(b *workbench) {
			var err error
			if lock, err = os.Open(b.path(".cache/cache.lock")); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}, func(b *workbench) { lock.Close() }, "DVLCACHE_LOCK_TIMEOUT=300ms", "another process holds its lock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newWorkbench(t)
			b.env = append(b.env, "DVLCACHE_TRACK=auto", c.env)
			b.write("train.sh", "#!/bin/sh\n: >began\ncat gate\ncat data\n")
			b.write("data", "0.5\n")
			b.number("run", "--", "echo", "1") // there is a cache
			if err := syscall.Mkfifo(b.path("gate"), 0o600); err != nil {
				t.Fatal(err)
			}
			c.away(b)
			done, asked := make(chan struct{}), time.Now()
			go func() {
				defer close(done)
				if out, errs, _ := b.run("run", "--", "./train.sh", "1"); out != "0.5\n" || !strings.Contains(errs, c.text) {
					t.Errorf("%q\n%s", out, errs)
				}
			}()
			b.wait("it evaluates", func() bool { _, err := os.Stat(b.path("began")); return err == nil })
			inVain := time.Since(asked)
			c.back(b)
			time.Sleep(inVain + time.Second) // it has run for longer than the store was asked in vain
			b.write("gate", "")
			<-done
			if got := b.number("run", "--only-cached", "--", "./train.sh", "1"); got != "0.5" {
				t.Errorf("stored: %s", got)
			}
			if !watch.Supported {
				return
			}
			b.write("data", "0.75\n")
			if _, _, status := b.run("run", "--only-cached", "--", "./train.sh", "1"); status != statusNotCached {
				t.Errorf("after an edit: status %d", status)
			}
		})
	}
}

// TestOutageIsNoClear: a server that was started anew during a run is told as that.
func TestOutageIsNoClear(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t)
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address)
	b.write("train.sh", `#!/bin/sh
: >began.$1
while [ ! -e go.$1 ]; do sleep 0.1; done
echo 1
`)
	for name, c := range map[string]struct {
		meanwhile func()
		text      string
	}{
		"restart": {func() { server.Kill(); server.Restart() }, "the server has dropped what it held since the evaluation began"},
		"clear":   {func() { b.number("clear") }, "the cache was cleared, or this entry refreshed"},
	} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if out, errs, _ := b.run("run", "--", "./train.sh", name); out != "1\n" || !strings.Contains(errs, c.text) {
				t.Errorf("%s: %q\n%s", name, out, errs)
			}
		}()
		b.wait("it evaluates", func() bool { _, err := os.Stat(b.path("began." + name)); return err == nil })
		c.meanwhile()
		b.write("go."+name, "")
		<-done
	}
}

// TestSessionSavesWhatFits: an entry that is too large for the server doesn't keep the
// others from being saved.
func TestSessionSavesWhatFits(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	server := memcachedtest.Start(t, "-I", "32k", "-o", "slab_chunk_max=16384")
	b.env = append(b.env, "DVLCACHE_MEMCACHED="+server.Address, "DVLCACHE_TRACK=args")
	b.write("train.sh", `#!/bin/sh
case $1 in *7) head -c 50000 /dev/zero | tr '\0' x; echo; esac
echo $1
`)
	b.write("loop.sh", "seq 1 100 | "+b.binary+" batch --keep-output 64KiB -- ./train.sh {}\n")
	_, errs, status := b.run("session", "--save", "--", "sh", "loop.sh")
	if status != 0 || !strings.Contains(errs, "10 entries of the session not saved: too large for the server") || strings.Contains(errs, "kept in") {
		t.Errorf("status %d\n%s", status, errs)
	}
	saved := 0
	for i := range 100 {
		if _, _, status := b.run("run", "--only-cached", "--", "./train.sh", strconv.Itoa(i+1)); status == 0 {
			saved++
		}
	}
	if saved != 90 {
		t.Errorf("%d saved", saved)
	}
}
