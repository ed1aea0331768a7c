//go:build linux && (amd64 || arm64)

package watch

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var long = flag.Bool("watch.long", false, "run all of CPython's tests that concern us, which takes minutes")

var outcome = regexp.MustCompile(`(?m)^(\w+ \([\w.]+\)).* \.\.\. (ok|skipped|FAIL|ERROR|expected failure)`)

// TestCPython: CPython's own tests of what we could change end the same, one by
// one, with and without watching.
func TestCPython(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	if err := exec.Command("/usr/bin/python3", "-c", "import test.test_os").Run(); err != nil {
		t.Skip("needs python3 with its tests (libpython3-testsuite)")
	}
	tests := []string{"test_os", "test_posix", "test_tempfile"}
	if *long {
		tests = append(tests, "test_subprocess", "test_threading", "test_io", "test_signal")
	}
	env := prepareMatrix(t)
	p := testProgram{script: "exec /usr/bin/python3 -m test -v --timeout 300 " + strings.Join(tests, " ") + " 2>&1"}
	for _, user := range []bool{false, true} {
		if user && os.Getuid() != 0 {
			continue
		}
		bare, seen := runMatrix(t, p, env, user, false), runMatrix(t, p, env, user, true)
		x, y := outcomes(bare.out), outcomes(seen.out)
		if len(x) < 300 {
			t.Fatalf("only %d tests were run: %.2000s", len(x), bare.out)
		}
		if !slices.Equal(x, y) {
			t.Errorf("bare, not watched: %q\nwatched, not bare: %q", without(x, y), without(y, x))
		}
		if r := seen.report; r.Trace == nil || r.Unwatchable != "" {
			t.Errorf("not watched: %+v", r)
		}
	}
}

func outcomes(log string) (all []string) {
	for _, m := range outcome.FindAllStringSubmatch(log, -1) {
		all = append(all, m[1]+" "+m[2])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
