//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cutShort prints another number where a signal comes while it runs.
const cutShort = `#!/bin/sh
trap 'echo 0.3; exit 0' USR1 USR2 TERM INT HUP
i=0
while test $i -lt 5; do sleep 0.01; i=$((i+1)); done
echo 0.$((10000 + $1 * 7919 % 10007))1
`

// signalFaults: what a program prints because of a signal is never stored, whenever it
// comes, and to whom.
func signalFaults() (kinds []faultKind) {
	for _, command := range [][]string{
		{"run", "--", "./short.sh"},
		{"run", "--repeat", "--", "./short.sh"},
		{"run", "--converge", "--max-repetitions", "4", "--", "./short.sh"},
		{"batch", "--jobs", "2", "--input", "lines", "--", "./short.sh"},
	} {
		name, _, _ := strings.Cut(strings.Join(command, " "), " --")
		if command[1] != "--" && name == "run" {
			name += " " + command[1]
		}
		kinds = append(kinds, faultKind{name: "a signal passed on by " + name, plan: func(rng *rand.Rand) (string, func(*victim)) {
			sig := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}[rng.IntN(5)]
			i, after := 1000+rng.IntN(5000), drawTime(rng, 120*time.Millisecond)
			return fmt.Sprintf("%v, call %d, after %v", sig, i, after), func(v *victim) {
				v.begin("small")
				if err := writeProgram(filepath.Join(v.dir, "short.sh"), cutShort); err != nil {
					v.fail("%v", err)
				}
				args := command
				if name == "batch" {
					var lines strings.Builder
					for k := range 6 {
						fmt.Fprintln(&lines, i+k%4) // some come twice
					}
					if err := os.WriteFile(filepath.Join(v.dir, "lines"), []byte(lines.String()), 0o600); err != nil {
						v.fail("%v", err)
					}
				} else {
					args = append(append([]string(nil), args...), strconv.Itoa(i))
				}
				p := v.start("", nil, args...)
				time.Sleep(after)
				p.Process.Signal(sig)
				v.end(p)
				for k := range 4 {
					r := v.run("run", "--only-cached", "--", "./short.sh", strconv.Itoa(i+k))
					if r.status == 0 && r.out != value(i+k)+"\n" || r.status != 0 && r.status != statusNotCached {
						v.fail("call %d: status %d, %q\n%s", i+k, r.status, r.out, r.errs)
					}
				}
				v.noLocks()
				v.sound()
			}
		}})
	}
	return kinds
}

// otherDataFaults: while a batch runs its data are others for a while. What was
// evaluated then answers nobody who asks under the data of before.
func otherDataFaults() []faultKind {
	return []faultKind{{name: "other data for a while", plan: func(rng *rand.Rand) (string, func(*victim)) {
		after, lasts := drawTime(rng, 100*time.Millisecond), drawTime(rng, 100*time.Millisecond)
		declared := rng.IntN(2) == 0
		return fmt.Sprintf("after %v for %v, declared: %v", after, lasts, declared), func(v *victim) {
			v.begin("small")
			path := filepath.Join(v.dir, "data")
			write := func(text string) {
				temp := path + ".new"
				if err := os.WriteFile(temp, []byte(text+"\n"), 0o600); err != nil {
					v.fail("%v", err)
				} else if err := os.Rename(temp, path); err != nil {
					v.fail("%v", err)
				}
			}
			write("0.25")
			if err := writeProgram(filepath.Join(v.dir, "read.sh"), "#!/bin/sh\nsleep 0.01\nx=$(cat data)\nsleep 0.02\necho $x\n"); err != nil {
				v.fail("%v", err)
			}
			var depends []string
			if declared {
				depends = []string{"--depends-on", "data"}
			}
			batch := append(append([]string{"batch", "--jobs", "2"}, depends...), "--", "./read.sh")
			p := v.start("1\n2\n1\n3\n2\n1\n4\n", nil, batch...)
			time.Sleep(after)
			write("0.75")
			time.Sleep(lasts)
			write("0.25")
			v.end(p)
			for k := 1; k <= 4; k++ {
				call := append(append([]string{"run", "--only-cached"}, depends...), "--", "./read.sh", strconv.Itoa(k))
				if r := v.run(call...); r.status == 0 && r.out != "0.25\n" {
					v.fail("line %d is %q", k, r.out)
				}
			}
			v.noLocks()
			v.sound()
		}
	}}}
}

// nestedFaults: lines of a batch ask for other lines of it and of a batch beside it.
func nestedFaults() []faultKind {
	return []faultKind{{name: "lines that ask for other lines", plan: func(rng *rand.Rand) (string, func(*victim)) {
		jobs, order := 1+rng.IntN(3), rng.Perm(12)
		return fmt.Sprint(jobs, order), func(v *victim) {
			v.begin("small")
			// Line n asks for line n - 3, if there is one.
			text := fmt.Sprintf("#!/bin/sh\nif test $1 -gt 3; then x=$(%s run -- ./nested.sh $(($1 - 3))); echo $((x + 1)); else echo 1; fi\n", v.binary)
			if err := writeProgram(filepath.Join(v.dir, "nested.sh"), text); err != nil {
				v.fail("%v", err)
			}
			var inputs [2]strings.Builder
			for k := range order {
				fmt.Fprintln(&inputs[0], order[k]+1)
				fmt.Fprintln(&inputs[1], order[len(order)-1-k]+1)
			}
			var both []*started
			for i := range inputs {
				both = append(both, v.start(inputs[i].String(), nil, "batch", "--jobs", strconv.Itoa(jobs), "--wait-timeout", "1h", "--", "./nested.sh"))
			}
			for _, p := range both {
				r := v.end(p)
				for line := range strings.Lines(r.out) {
					asked, got, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
					n, _ := strconv.Atoi(asked)
					if got != strconv.Itoa((n+2)/3) {
						v.fail("line %s is %q", asked, got)
					}
				}
				if r.status != 0 || strings.Count(r.out, "\n") != len(order) {
					v.fail("status %d, %q\n%s", r.status, r.out, r.errs)
				}
			}
			v.noLocks()
			v.sound()
		}
	}}}
}
