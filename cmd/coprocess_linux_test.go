package cmd

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
)

// TestCoprocessSeesWhatIsRead: a batch that is asked line by line gives the new number
// after an edit of a module that a Python utility imports, and evaluates no line twice.
func TestCoprocessSeesWhatIsRead(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("train.py", "import sys, helpers\nprint(helpers.score(sys.argv[1]))\nopen('calls', 'a').write('x\\n')\n")
	edit := func(i int) {
		b.write("helpers.py", fmt.Sprintf("def score(subset):\n    return subset + '.%d'\n", i))
	}
	edit(0)
	if _, stderr, status := b.run("run", "--track", "reads", "--", "python3", "-B", "train.py", "0"); strings.Contains(stderr, "--track reads: ") {
		t.Skipf("nothing can be watched here: %s", stderr)
	} else if status != 0 {
		t.Fatal(stderr)
	}
	c := b.command("batch", "--track", "reads", "--", "python3", "-B", "train.py")
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	answers := bufio.NewReader(out)
	for i := range 5 {
		edit(i)
		for range 3 {
			for subset := range 2 {
				fmt.Fprintln(in, subset)
				want := fmt.Sprintf("%d\t%d.%d\n", subset, subset, i)
				if got, err := answers.ReadString('\n'); got != want {
					t.Fatalf("asked after edit %d: %q, want %q, %v", i, got, want, err)
				}
			}
		}
	}
	in.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if calls := len(b.lines("calls")); calls != 10 {
		t.Errorf("%d evaluations of 10 subsets and versions", calls)
	}
}
