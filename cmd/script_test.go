package cmd

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binaryDir is where tests build the program.
var binaryDir string

// buildBinary builds the real program once: tests that start hundreds of
// processes, or measure one, need it as users have it.
var buildBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "dvlcache")
	// As the Makefile builds it, so that no package is compiled twice.
	build := osexec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// tests are the tests, with what has to be done before and after.
type tests struct{ *testing.M }

func (t tests) Run() int {
	// Most tests wait for processes most of the time.
	flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
	var err error
	if binaryDir, err = os.MkdirTemp("", "dvlcache-test-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(binaryDir)
	// Where SIGHUP is ignored, as below nohup, what we start would ignore it, too: unless
	// we catch it.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	return t.M.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"dvlcache": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// writeProgram writes a file that is to be run. A process that another goroutine
// starts meanwhile has our open files for a moment, and one that is open for
// writing can't be run ("text file busy").
func writeProgram(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o755)
}

// TestScript runs the scripts in testdata/script, each in a folder, and with a
// cache, of its own.
func TestScript(t *testing.T) {
	t.Parallel()
	iris, err := filepath.Abs("../docs/examples/iris")
	if err != nil {
		t.Fatal(err)
	}
	copiesElsewhere(t)
	built, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "../testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DVLCACHE_DIR", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			env.Setenv("IRIS", iris)
			// For scripts that start thousands of processes.
			env.Setenv("BUILT", filepath.Dir(built))
			// Or each call would take a second under the race detector.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return filepath.WalkDir(env.WorkDir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				text, err := os.ReadFile(path)
				if err == nil {
					err = os.Remove(path) // a process may have it open
				}
				if err == nil {
					err = writeProgram(path, string(text))
				}
				return errors.Join(err, os.Chmod(path, 0o644)) // scripts say what is to be run
			})
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"lines": lines,
		},
		Condition:           hasModule,
		RequireExplicitExec: true,
	})
}

// copiesElsewhere sees to it that scripts copy files by a process of its own, exec cp: cp alone
// writes them in this process, as writeProgram must not.
func copiesElsewhere(t *testing.T) {
	t.Helper()
	scripts, err := filepath.Glob("../testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, "no scripts")
	}
	alone := regexp.MustCompile(`(?m)^(\[[^]]*\] *)*cp +(\S+)`)
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		for _, cp := range alone.FindAllStringSubmatch(commands, -1) {
			if what := cp[2]; what != "stdout" && what != "stderr" {
				t.Errorf("%s: %q: write exec cp, or a program is \"text file busy\" now and then", filepath.Base(script), cp[0])
			}
		}
	}
}

// hasModule is the condition python:MODULE, of the system's Python: what is installed with
// another isn't found below a HOME of the test's own.
func hasModule(condition string) (bool, error) {
	module, ok := strings.CutPrefix(condition, "python:")
	if !ok {
		return false, fmt.Errorf("unknown condition %s", condition)
	}
	return osexec.Command("/usr/bin/python3", "-c", "import "+module).Run() == nil, nil
}

// exits runs a command and compares its exit status: exits 65 dvlcache run …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARG...]")
	}
	got := 0
	var exit *osexec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit status %d, not %s", got, args[0])
	}
}

// lines compares the number of lines of a file, of which 0 need no file: the
// utilities of the scripts write one for each evaluation.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	n := 0
	if data, err := os.ReadFile(ts.MkAbs(args[0])); err == nil {
		for _, b := range data {
			if b == '\n' {
				n++
			}
		}
	}
	if same := strconv.Itoa(n) == args[1]; same == neg {
		ts.Fatalf("%s has %d lines", args[0], n)
	}
}
