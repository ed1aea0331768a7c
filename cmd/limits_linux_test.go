package cmd

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
)

// TestAddressSpace: with as much as docs/guarantees.md asks for, all works.
func TestAddressSpace(t *testing.T) {
	b := newWorkbench(t)
	b.write("lines", "1\n2\n3\n4\n5\n6\n7\n8\n")
	b.write("p.sh", "#!/bin/sh\necho $1\n")
	for _, call := range []string{`run -- ./p.sh 1`, `run --only-cached -- ./p.sh 1`, `batch --jobs 8 --input lines -- ./p.sh`, `session --save -- "$0" run -- ./p.sh 9`, `list`, `verify`, `export`, `compact`, `check`} {
		c := b.command("-c", `ulimit -v 1500000 && exec "$0" `+call, b.binary)
		c.Path = "/bin/sh"
		var errs bytes.Buffer
		c.Stderr = &errs
		if err := c.Run(); err != nil {
			t.Errorf("%s: %v: %.500s", call, err, &errs)
		}
	}
}

// TestJobsUnderFewDescriptors: as many programs are watched side by side as leave the store
// what it needs, so that all that is evaluated is stored.
func TestJobsUnderFewDescriptors(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.env = append(b.env, "DVLCACHE_TRACK=reads")
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintln(&lines, i)
	}
	b.write("lines", lines.String())
	b.write("p.sh", "#!/bin/sh\nsleep 0.1\necho $1\n")
	c := b.command("-c", `ulimit -n 64 && exec "$0" batch --jobs 40 --input lines -- ./p.sh`, b.binary)
	c.Path = "/bin/sh"
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %.2000s", err, &errs)
	}
	if _, errs, status := b.run("batch", "--only-cached", "--input", "lines", "--", "./p.sh"); status != 0 {
		t.Fatalf("status %d: %.2000s", status, errs)
	}
}

// TestListThatIsNotStored: a number isn't stored without the list of what its program reads,
// and that is said.
func TestListThatIsNotStored(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.env = append(b.env, "DVLCACHE_TRACK=reads")
	b.write("p.sh", "#!/bin/sh\necho $1\n")
	b.run("run", "--track", "args", "--", "./p.sh", "0")
	lock := flock.New(filepath.Join(b.dir, ".cache", "cache.lock"))
	if ok, err := lock.TryRLock(); !ok {
		t.Fatal(err)
	}
	defer lock.Unlock()
	out, errs, status := b.run("run", "--lock-timeout", "10ms", "--", "./p.sh", "1")
	if status != 0 || out != "1\n" || !strings.Contains(errs, "its lock for longer than 10ms; the number is not stored") {
		t.Errorf("status %d, %q: %s", status, out, errs)
	}
}
