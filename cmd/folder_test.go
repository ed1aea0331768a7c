//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// twoMounts returns two paths of one folder, as two machines have them.
//
// DVLCACHE_TEST_MOUNTS, if set, names them: two mounts of one export of NFS, say, each of
// which remembers for itself what is there. Else two mounts of bindfs stand in, which
// remember names that are there and that aren't for some seconds, and whose locks don't
// know of each other; and where these can't be mounted, the folder and a link to it.
func twoMounts(t *testing.T) (paths [2]string) {
	t.Helper()
	if given := os.Getenv("DVLCACHE_TEST_MOUNTS"); given != "" {
		a, b, _ := strings.Cut(given, ":")
		below := fmt.Sprintf("dvlcache-test-%d", rand.Uint64())
		if err := os.Mkdir(filepath.Join(a, below), 0o777); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(filepath.Join(a, below)) })
		return [2]string{filepath.Join(a, below), filepath.Join(b, below)}
	}
	systems, _ := os.ReadFile("/proc/filesystems")
	if bytes.Contains(systems, []byte("\tnfs")) {
		t.Log("this kernel knows NFS: DVLCACHE_TEST_MOUNTS=/mnt/a:/mnt/b has this run on two mounts of one export")
	} else {
		t.Log("no NFS is mounted for this: the kernel has no client for it (/proc/filesystems)")
	}
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range paths {
		paths[i] = filepath.Join(dir, fmt.Sprintf("mount%d", i))
		if err := os.Mkdir(paths[i], 0o777); err != nil {
			t.Fatal(err)
		}
		out, err := osexec.Command("bindfs", "-o", "attr_timeout=3,entry_timeout=3,negative_timeout=3", real, paths[i]).CombinedOutput()
		if err != nil {
			t.Logf("bindfs can't be mounted: %v %s; two names of one folder stand in", err, bytes.TrimSpace(out))
			os.Remove(paths[i])
			if err := os.Symlink(real, paths[i]); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Cleanup(func() { osexec.Command("umount", paths[i]).Run() })
	}
	return paths
}

// over runs a test on a folder that two machines have, each with a cache of its own beside
// it.
func over(t *testing.T, mounts [2]string, b *workbench, machine int) []string {
	return append(append([]string{}, b.env...), "DVLCACHE_FOLDER="+filepath.Join(mounts[machine], "cache"),
		"DVLCACHE_DIR="+b.path(fmt.Sprintf(".cache%d", machine)), "DVLCACHE_PATHS=none")
}

// TestFolderSharesWork: four processes on two machines that are asked for the same 500
// subsets evaluate each once.
func TestFolderSharesWork(t *testing.T) {
	mounts, b := twoMounts(t), newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\necho $1 >>calls\nsleep 0.02\necho 0.$((10000 + $1 * 7919 % 10007))1\n")
	const subsets = 500
	var wg sync.WaitGroup
	for p := range 4 {
		var lines strings.Builder
		for _, i := range rand.New(rand.NewPCG(uint64(p), 7)).Perm(subsets) {
			fmt.Fprintln(&lines, i)
		}
		wg.Go(func() {
			c := b.command("batch", "--jobs", "2", "--", "./train.sh")
			c.Env, c.Stdin = over(t, mounts, b, p%2), strings.NewReader(lines.String())
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil || stderr.Len() > 0 {
				t.Errorf("process %d: %v\n%s", p, err, &stderr)
			}
			n := 0
			for line := range strings.Lines(string(out)) {
				asked, got, _ := strings.Cut(strings.TrimSpace(line), "\t")
				i, _ := strconv.Atoi(asked)
				if n++; got != value(i) {
					t.Errorf("process %d: line %s is %q", p, asked, got)
				}
			}
			if n != subsets {
				t.Errorf("process %d: %d lines", p, n)
			}
		})
	}
	wg.Wait()
	if n := len(b.lines("calls")); n != subsets {
		t.Errorf("%d evaluations of %d subsets", n, subsets)
	}
}

// TestFolderSurvivesKills: of batches on two machines that are killed at any moment and
// begun again, each number that was printed is there.
func TestFolderSurvivesKills(t *testing.T) {
	mounts, b := twoMounts(t), newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\nsleep 0.00$(($1 % 8))\necho 0.$((10000 + $1 * 7919 % 10007))1\n")
	const subsets = 400
	rng := rand.New(rand.NewPCG(3, 5))
	var mu sync.Mutex
	printed := map[int]bool{}
	kills := 0
	var wg sync.WaitGroup
	for p := range 4 {
		order, pauses := rng.Perm(subsets), make([]time.Duration, 12)
		for i := range pauses {
			pauses[i] = time.Duration(rng.IntN(700)) * time.Millisecond
		}
		wg.Go(func() {
			var lines strings.Builder
			for _, i := range order {
				fmt.Fprintln(&lines, i)
			}
			for _, pause := range pauses {
				var out bytes.Buffer
				// The leases of those that were killed are waited for no longer than that.
				c := b.command("batch", "--jobs", "2", "--wait-timeout", "20ms", "--", "./train.sh")
				c.Env, c.Stdin, c.Stdout = over(t, mounts, b, p%2), strings.NewReader(lines.String()), &out
				if err := c.Start(); err != nil {
					t.Error(err)
					return
				}
				killed := time.AfterFunc(pause, func() { c.Process.Kill() })
				c.Wait()
				killed.Stop()
				mu.Lock()
				if s := c.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
					kills++
				}
				for line := range strings.Lines(out.String()) {
					if asked, _, whole := strings.Cut(line, "\t"); whole && strings.HasSuffix(line, "\n") {
						i, _ := strconv.Atoi(asked)
						printed[i] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if kills == 0 || len(printed) == 0 {
		t.Fatalf("%d kills, %d numbers printed", kills, len(printed))
	}
	t.Logf("%d kills, %d numbers printed", kills, len(printed))
	time.Sleep(3 * time.Second) // what was remembered of names is over
	for machine := range 2 {
		var lines strings.Builder
		for i := range printed {
			fmt.Fprintln(&lines, i)
		}
		c := b.command("batch", "--only-cached", "--", "./train.sh")
		c.Env, c.Stdin = over(t, mounts, b, machine), strings.NewReader(lines.String())
		out, err := c.Output()
		if err != nil || strings.Count(string(out), "\n") != len(printed) {
			t.Errorf("machine %d: %d lines of %d, %v", machine, strings.Count(string(out), "\n"), len(printed), err)
		}
		for line := range strings.Lines(string(out)) {
			asked, got, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if i, _ := strconv.Atoi(asked); got != value(i) {
				t.Errorf("machine %d: line %s is %q", machine, asked, got)
			}
		}
	}
	c := b.command("check")
	c.Env = over(t, mounts, b, 0)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("check: %s", out)
	}
}

// TestFolderCountsSamples: eight processes on two machines that each add 200 samples of one
// call are 1,600, of which none is lost and none counts twice.
func TestFolderCountsSamples(t *testing.T) {
	mounts, b := twoMounts(t), newWorkbench(t)
	b.write("train.sh", "#!/bin/sh\necho >>calls\necho 0.$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')\n")
	const processes, each = 8, 200
	var wg sync.WaitGroup
	for p := range processes {
		wg.Go(func() {
			for range each {
				c := b.command("run", "--repeat", "--rtol-stderr", "0", "--", "./train.sh")
				c.Env = over(t, mounts, b, p%2)
				var stderr bytes.Buffer
				c.Stderr = &stderr
				if err := c.Run(); err != nil || stderr.Len() > 0 {
					t.Errorf("process %d: %v\n%s", p, err, &stderr)
				}
			}
		})
	}
	wg.Wait()
	if n := len(b.lines("calls")); n != processes*each {
		t.Fatalf("%d evaluations", n)
	}
	for machine := range 2 {
		c := b.command("run", "--repeat", "--only-cached", "--format", "tsv", "--", "./train.sh")
		c.Env = over(t, mounts, b, machine)
		out, err := c.Output()
		if fields := strings.Fields(string(out)); err != nil || len(fields) < 3 || fields[2] != strconv.Itoa(processes*each) {
			t.Errorf("machine %d: %q, %v", machine, out, err)
		}
	}
}

// TestFolderDamagedPack: a pack that can't be read is told of once, not for each call, and
// all calls are evaluated and stored.
func TestFolderDamagedPack(t *testing.T) {
	b := newWorkbench(t)
	b.env = append(b.env, "DVLCACHE_FOLDER="+b.path("shared"))
	b.write("train.sh", "#!/bin/sh\necho $1 >>calls\necho 0.5\n")
	batch := []string{"batch", "--track", "args", "--", "./train.sh"}
	ask := func() (errs string) {
		c := b.command(batch...)
		c.Stdin = strings.NewReader("1\n2\n3\n4\n")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if out, err := c.Output(); err != nil || string(out) != "1\t0.5\n2\t0.5\n3\t0.5\n4\t0.5\n" {
			t.Errorf("%v: %s", err, out)
		}
		return stderr.String()
	}
	ask()
	if out, errs, status := b.run("compact"); status != 0 {
		t.Fatalf("%s%s", out, errs)
	}
	packs, err := filepath.Glob(b.path("shared/ns/*/*/pack/pack.*"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("%v, %v", packs, err)
	}
	if err := os.Truncate(packs[0], 0); err != nil {
		t.Fatal(err)
	}
	want := "dvlcache: " + filepath.Base(packs[0]) + " is damaged; what it may hold counts as a miss\nhint: dvlcache check --salvage keeps what can be read\n"
	if errs := ask(); errs != want {
		t.Errorf("it says %s", errs)
	}
	if out, errs, status := b.run("check", "--salvage"); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if errs := ask(); errs != "" {
		t.Errorf("it says %s", errs)
	}
	ask()
	if n := len(b.lines("calls")); n != 8 {
		t.Errorf("%d evaluations", n)
	}
}
