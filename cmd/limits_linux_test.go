package cmd

import (
	"bytes"
	"testing"
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
