//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// programs are what programs do that they shouldn't. Each is written as prog in
// the case's folder, where N stands for a number, and is asked twice.
var programs = []struct {
	name, text string
	make       func(path string) // instead of text
	slow       bool
	flags      []string
	status     int  // 0: N is printed
	stored     bool // and stored
}{
	{name: "leaves a process behind", text: "#!/bin/sh\n(sleep 0.3; echo) >/dev/null 2>&1 </dev/null &\necho N\n", stored: true},
	{name: "leaves a process behind that holds stdout", slow: true, text: "#!/bin/sh\nsleep 30 2>/dev/null &\necho N\n"},
	{name: "closes stdout early", text: "#!/bin/sh\necho N\nexec >&-\n:\n", stored: true},
	{name: "closes all early", text: "#!/bin/sh\necho N\nexec >&- 2>&- <&-\n:\n", stored: true},
	{name: "closes stdout first", text: "#!/bin/sh\nexec >&-\necho N 2>/dev/null\nexit 0\n", status: statusNoNumber},
	{name: "prints binary", text: "#!/bin/sh\nprintf '\\000\\377\\033\\n\\200\\n\\000'\necho\necho N\n", stored: true},
	{name: "prints binary after its number", text: "#!/bin/sh\necho N\nprintf '\\000\\377\\033'\n", status: statusNoNumber},
	{name: "prints no newline", text: "#!/bin/sh\nprintf N\n", stored: true},
	{name: "prints 10 MB in a line", text: "#!/bin/sh\nhead -c 10000000 /dev/zero\necho\necho N\n", stored: true},
	{name: "prints 10 MB and its number in a line", text: "#!/bin/sh\nhead -c 10000000 /dev/zero\necho N\n", status: statusNoNumber},
	{name: "prints 100,000 lines", text: "#!/bin/sh\nyes 0.1 | head -n 100000\necho N\n", stored: true},
	{name: "prints nothing", text: "#!/bin/sh\n", status: statusNoNumber},
	{name: "prints NaN", text: "#!/bin/sh\necho nan\n", status: statusNoNumber},
	{name: "prints what is too large", text: "#!/bin/sh\necho 1e999\n", status: statusNoNumber},
	{name: "fails after its number", text: "#!/bin/sh\necho N\nexit 9\n", status: 9},
	{name: "changes itself", text: "#!/bin/sh\necho '#' >>\"$0\"\necho N\n"},
	{name: "replaces itself", text: "#!/bin/sh\ncp \"$0\" new && mv new \"$0\"\necho N\n"},
	{name: "removes itself", text: "#!/bin/sh\nrm \"$0\"\necho N\n"},
	{name: "removes its folder", text: "#!/bin/sh\nrm -r \"$PWD\"/*.txt; echo N\n", stored: true},
	{name: "removes the cache", text: "#!/bin/sh\nrm -rf \"$DVLCACHE_DIR\"\necho N\n"},
	{name: "never ends", slow: true, text: "#!/bin/sh\nwhile :; do sleep 0.1; done\n", flags: []string{"--timeout", "300ms"}, status: statusTimeout},
	{name: "never ends and listens to nobody", slow: true, text: "#!/bin/sh\ntrap '' TERM INT HUP\nwhile :; do sleep 0.1; done\n",
		flags: []string{"--timeout", "300ms", "--grace", "200ms"}, status: statusTimeout},
	{name: "stops itself", slow: true, text: "#!/bin/sh\nkill -STOP $$\n", flags: []string{"--timeout", "300ms"}, status: statusTimeout},
	{name: "reads what isn't there", text: "#!/bin/sh\nread line; cat; echo N\n", stored: true},
	{name: "has no #! line", text: "echo N\n", status: statusNotExecutable},
	{name: "has no interpreter", text: "#!/no/such/interpreter\necho N\n", status: statusNotFound},
	{name: "is its own interpreter", text: "#!./prog\necho N\n", status: statusNotExecutable},
	{name: "is empty", text: "", status: statusNotExecutable},
	{name: "is binary garbage", text: "\x7fELF\x02\x01\x01\x00garbage", status: statusNotExecutable},
	{name: "is a folder", make: func(path string) { os.Mkdir(path, 0o755) }, status: statusNotExecutable},
	{name: "is a dangling link", make: func(path string) { os.Symlink("nowhere", path) }, status: statusNotFound},
	{name: "is a link in a circle", make: func(path string) { os.Symlink("prog", path) }, status: statusNotExecutable},
	{name: "is a pipe", make: func(path string) { syscall.Mkfifo(path, 0o755) }, status: statusNotExecutable},
	{name: "lacks the run bit", make: func(path string) { os.WriteFile(path, []byte("#!/bin/sh\necho 1\n"), 0o644) }, status: statusNotExecutable},
	{name: "is missing", make: func(string) {}, status: statusNotFound},
}

// programFaults: whatever a program does, its number is printed if it gave one,
// and a failure is never stored.
func programFaults() (kinds []faultKind) {
	for _, p := range programs {
		kinds = append(kinds, faultKind{name: "the program " + p.name, slow: p.slow, plan: func(rng *rand.Rand) (string, func(*victim)) {
			n := 1000 + rng.IntN(9000)
			return fmt.Sprint(n), func(v *victim) {
				v.begin("small")
				path := filepath.Join(v.dir, "prog")
				make := func() {
					if p.make != nil {
						p.make(path)
					} else if err := writeProgram(path, strings.ReplaceAll(p.text, "N", fmt.Sprint(n))); err != nil {
						v.fail("%v", err)
					}
				}
				make()
				call := append(append([]string{"run"}, p.flags...), "--", "./prog")
				want := ""
				if p.status == 0 {
					want = fmt.Sprintln(n)
				}
				for range 2 {
					if r := v.run(call...); r.status != p.status || r.out != want {
						v.fail("status %d, %q\n%s", r.status, r.out, r.errs)
					}
					if p.stored {
						continue
					}
					os.RemoveAll(path) // as it was, if it is there no more
					make()
				}
				r := v.run("run", "--only-cached", "--", "./prog")
				if stored := r.status == 0 && r.out == want; stored != p.stored {
					v.fail("stored: %v; status %d, %q\n%s", stored, r.status, r.out, r.errs)
				}
				v.ask(3)
				v.sound()
				v.noLocks()
			}
		}})
	}
	return append(kinds, faultKind{name: "the program dies by a signal", plan: func(rng *rand.Rand) (string, func(*victim)) {
		signal, group := 1+rng.IntN(64), rng.IntN(3) == 0
		n := 1000 + rng.IntN(9000)
		return fmt.Sprint(signal, group, n), func(v *victim) {
			target := "$$"
			if group { // its own session's whole group
				target = "-$$"
			}
			text := fmt.Sprintf("#!/bin/sh\nulimit -c 0\nkill -%d %s\necho %d\n", signal, target, n)
			if err := writeProgram(filepath.Join(v.dir, "prog"), text); err != nil {
				v.fail("%v", err)
			}
			r := v.run("run", "--timeout", "500ms", "--grace", "100ms", "--", "./prog")
			cached := v.run("run", "--only-cached", "--", "./prog")
			switch {
			case r.status == 0 && r.out == fmt.Sprintln(n): // one that is ignored, or isn't there
				if cached.status != 0 || cached.out != r.out {
					v.fail("signal %d: it went on and isn't stored\n%s", signal, cached.errs)
				}
			case r.out != "" || r.status != 128+signal && r.status != statusTimeout && r.status != 2:
				v.fail("signal %d: status %d, %q\n%s", signal, r.status, r.out, r.errs)
			case cached.status != statusNotCached:
				v.fail("signal %d: something is stored: status %d, %q", signal, cached.status, cached.out)
			}
			v.noLocks()
		}
	}})
}
