//go:build linux && (amd64 || arm64)

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
	"syscall"
	"time"
)

// watcherFaults: who watches a program is killed, stopped, or out of descriptors, and
// programs do under watch what is hard to watch.
func watcherFaults() []faultKind {
	kinds := append(strikes(), fewDescriptors(), oddNames(), longNames())
	if python() == "" {
		return kinds
	}
	kinds = append(kinds, manyThreads())
	if _, err := osexec.LookPath("bash"); err == nil { // whose ulimit has -u
		kinds = append(kinds, forkBombs())
	}
	return kinds
}

// python is a Python that starts at once, which a shim doesn't.
func python() string {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if path, err := osexec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// reader is a program that prints a number of a file which no argument names.
type reader struct {
	*victim
	data  string // the file
	track string
	flags []string
	// unseen is set where not all can be seen, so that nothing is stored, and that said.
	unseen bool
}

func drawTrack(rng *rand.Rand) string { return []string{"auto", "reads"}[rng.IntN(2)] }

// reads gives the case a program, as ./prog, and its data.
func (v *victim) reads(track, data, text string) *reader {
	r := &reader{victim: v, data: filepath.Join(v.dir, data), track: track}
	if err := writeProgram(filepath.Join(v.dir, "prog"), text); err != nil {
		v.fail("%v", err)
	}
	return r
}

// edit writes a number into the data.
func (r *reader) edit(n int) {
	if err := os.WriteFile(r.data, fmt.Appendln(nil, n), 0o644); err != nil {
		r.fail("%v", err)
	}
}

func (r *reader) call(flags ...string) []string {
	call := append([]string{"run", "--track", r.track}, r.flags...)
	return append(append(call, flags...), "--", "./prog", "1")
}

// expect asks for the number.
func (r *reader) expect(n int, flags ...string) {
	r.Helper()
	r.is(n, r.run(r.call(flags...)...))
}

func (r *reader) is(n int, e ending) {
	r.Helper()
	if e.status != 0 || e.out != fmt.Sprintln(n) {
		r.fail("status %d, %q instead of %d\n%s", e.status, e.out, n, e.errs)
	}
}

// goesOn checks what has to hold once the fault is over, with a in the data: what was
// printed without a word is stored, and each edit gives its own number, and a hit.
func (r *reader) goesOn(a, b int, stored bool) {
	r.Helper()
	r.nothingRuns(nil)
	if stored {
		r.expect(a, "--only-cached")
	}
	for _, n := range []int{a, b, a} {
		r.edit(n)
		e := r.run(r.call()...)
		r.is(n, e)
		if !r.unseen {
			r.expect(n, "--only-cached")
		} else if !strings.Contains(e.errs, "not stored") {
			r.fail("it isn't said that not all was seen: %q", e.errs)
		}
	}
	r.nothingRuns(nil)
	if refused, err := os.ReadFile(filepath.Join(r.dir, "refused")); err == nil || strings.Contains(r.said, "not implemented") {
		r.fail("a call was refused: %q\n%s", refused, r.said)
	}
	r.noLocks()
	r.sound()
}

// seenProcess is one that there was; its start tells it from a later one of its ID.
type seenProcess struct {
	pid    int
	parent int
	name   string
	start  string
}

// processes are all that there are.
func processes() (all []seenProcess) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile("/proc/" + e.Name() + "/stat")
		before, after, ok := bytes.Cut(stat, []byte(") "))
		fields := strings.Fields(string(after))
		if !ok || len(fields) < 20 || fields[0] == "Z" {
			continue
		}
		_, name, _ := bytes.Cut(before, []byte("("))
		parent, _ := strconv.Atoi(fields[1])
		all = append(all, seenProcess{pid, parent, string(name), fields[19]})
	}
	return all
}

// keepers are those of a dvlcache. The first has to come soon.
func (v *victim) keepers(of *started) (found []seenProcess) {
	for len(found) == 0 && time.Since(of.began) < 5*time.Second && syscall.Kill(of.Process.Pid, 0) == nil {
		for _, p := range processes() {
			if p.parent == of.Process.Pid && p.name == "dvlcache-keeper" {
				found = append(found, p)
			}
		}
	}
	return found
}

// nothingRuns checks that nothing of the case runs any more, nor one of those who kept
// it.
func (v *victim) nothingRuns(keepers []seenProcess) {
	v.Helper()
	var left []seenProcess
	for deadline := time.Now().Add(tortureSlack); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left = nil
		for _, p := range processes() {
			at, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.pid))
			for _, k := range keepers {
				if k.pid == p.pid && k.start == p.start {
					at = v.dir
				}
			}
			if at == v.dir {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	v.fail("%d processes are left: %v", len(left), left)
	for _, p := range left {
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// gated looks at files, and so does what it starts beside it, for which it waits or
// which it leaves behind. It goes on when the gate lets it.
const gated = `#!/bin/sh
look() {
	i=0
	while [ $i -lt $1 ]; do
		i=$((i+1))
		if [ ! -f data ] || [ -e nowhere ]; then echo $i >>refused; fi
	done
}
read x <data
{ BESIDE; echo looked >beside; } </dev/null >/dev/null 2>&1 &
: >began
look 50
read line <gate
look 50
AFTER
echo $x
`

// gate makes a pipe that holds those up who read it, until it is opened.
func (v *victim) gate(name string) *os.File {
	path := filepath.Join(v.dir, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		v.fail("%v", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		v.fail("%v", err)
	}
	return f
}

// open lets each of a hundred go on, and those who come later as well.
func open(gate *os.File) { gate.Write(bytes.Repeat([]byte("\n"), 100)) }

// strikes are signals to dvlcache while it watches, and to its keeper.
func strikes() (kinds []faultKind) {
	for _, target := range []string{"dvlcache", "the keeper"} {
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
			name := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGSTOP: "SIGSTOP"}[sig]
			kinds = append(kinds, faultKind{name: "watcher: " + name + " of " + target, plan: func(rng *rand.Rand) (string, func(*victim)) {
				s := strike{
					sig: sig, keeper: target == "the keeper", track: drawTrack(rng), a: 1000 + rng.IntN(4000), b: 5000 + rng.IntN(4000),
					batch: rng.IntN(3) == 0, leaves: rng.IntN(2) == 0, edited: rng.IntN(4) == 0, killed: sig == syscall.SIGSTOP && rng.IntN(3) == 0,
					begun: rng.IntN(2) == 0, after: drawTime(rng, 15*time.Millisecond), lasts: drawTime(rng, 30*time.Millisecond),
				}
				return fmt.Sprintf("%+v", s), s.inject
			}})
		}
	}
	return kinds
}

// strike is one of them.
type strike struct {
	sig    syscall.Signal
	keeper bool // or dvlcache
	track  string
	a, b   int
	batch  bool
	leaves bool // the program leaves a process behind
	edited bool // the data, at that moment
	killed bool // after it was stopped; else it goes on
	begun  bool // it comes after the program has begun; else as soon as may be
	after  time.Duration
	lasts  time.Duration // a stop
}

func (s strike) inject(v *victim) {
	beside, after := "look 500", "wait"
	if s.leaves {
		beside, after = "look 50; read line <later; look 50", ""
	}
	r := v.reads(s.track, "data", strings.NewReplacer("BESIDE", beside, "AFTER", after).Replace(gated))
	r.edit(s.a)
	gate, later := v.gate("gate"), v.gate("later")
	defer gate.Close()
	defer later.Close()
	began := func() bool {
		_, err := os.Stat(filepath.Join(v.dir, "began"))
		return err == nil
	}

	args, stdin := r.call(), ""
	if s.batch {
		args, stdin = []string{"batch", "--track", s.track, "--jobs", "2", "--", "./prog"}, batchInput(1, 3)
	}
	p := v.start(stdin, nil, args...)
	for s.begun && !began() && time.Since(p.began) < 10*time.Second {
		time.Sleep(100 * time.Microsecond)
	}
	var keepers, targets []seenProcess
	if s.keeper || s.begun {
		keepers = v.keepers(p)
	}
	targets = []seenProcess{{pid: p.Process.Pid}}
	if s.keeper {
		targets = keepers
	}
	send := func(sig syscall.Signal) {
		for _, t := range targets {
			syscall.Kill(t.pid, sig)
		}
	}
	time.Sleep(s.after)
	send(s.sig)
	p.stopped = s.sig == syscall.SIGSTOP
	if s.edited {
		r.edit(s.b)
	}
	if s.sig == syscall.SIGSTOP {
		time.Sleep(s.lasts)
		if s.killed {
			send(syscall.SIGKILL)
		} else {
			send(syscall.SIGCONT)
		}
	}
	open(gate)
	e := v.end(p)
	open(later)
	dies := !s.keeper && (s.killed || s.sig == syscall.SIGKILL)
	if !dies && e.status != 0 || dies && e.status != 0 && e.status != 128+int(syscall.SIGKILL) {
		v.fail("status %d\n%s", e.status, e.errs)
	}
	v.nothingRuns(keepers)
	if looked, err := os.ReadFile(filepath.Join(v.dir, "beside")); began() && string(looked) != "looked\n" {
		v.fail("what ran beside was told otherwise: %q, %v", looked, err)
	}
	lines := 0
	for line := range strings.Lines(e.out) {
		_, number, ok := strings.Cut(line, "\t")
		if !ok {
			number = line
		}
		if number != fmt.Sprintln(s.a) && !(s.edited && number == fmt.Sprintln(s.b)) {
			v.fail("it printed %q", line)
		}
		lines++
	}
	if !dies && lines != map[bool]int{false: 1, true: 3}[s.batch] {
		v.fail("it printed %q", e.out)
	}
	// The gate stays open for what comes.
	if s.edited {
		r.goesOn(s.b, s.a, false)
	} else {
		r.goesOn(s.a, s.b, e.errs == "" && lines > 0)
	}
}

// fewDescriptors: dvlcache, and what it watches, have few of them.
func fewDescriptors() faultKind {
	return faultKind{name: "watcher: few descriptors", plan: func(rng *rand.Rand) (string, func(*victim)) {
		n, track, batch := fewestFiles+rng.IntN(20), drawTrack(rng), rng.IntN(3) == 0
		a, b := 1000+rng.IntN(4000), 5000+rng.IntN(4000)
		return fmt.Sprint(n, track, batch, a, b), func(v *victim) {
			r := v.reads(track, "data", "#!/bin/sh\nread x <data\nfor f in *; do [ -e $f ]; done\necho $x\n")
			r.edit(a)
			args, stdin, want := r.call(), "", fmt.Sprintln(a)
			if batch {
				args, stdin = []string{"batch", "--track", track, "--jobs", "3", "--", "./prog"}, "1\n"
				want = fmt.Sprintf("1\t%d\n", a)
			}
			stored := false
			for range 2 {
				e := v.end(v.start(stdin, []string{"sh", "-c", `ulimit -n ` + strconv.Itoa(n) + `; exec "$@"`, "sh"}, args...))
				// Under reads nothing runs that can't be watched.
				refused := track == "reads" && strings.Contains(e.errs, "reads can't be watched") &&
					(e.status == statusInternal && e.out == "" || batch && e.status == 1 && e.out == "1\tNA\n")
				if !refused && (e.status != 0 || e.out != want) {
					v.fail("status %d, %q instead of %q\n%s", e.status, e.out, want, e.errs)
				}
				stored = stored || e.out == want && e.errs == ""
			}
			r.goesOn(a, b, stored)
		}
	}}
}

// oddNames are names that are no UTF-8, of a file that is read and of others in a
// folder that is listed.
func oddNames() faultKind {
	return faultKind{name: "watcher: names that are no UTF-8", plan: func(rng *rand.Rand) (string, func(*victim)) {
		name := func() string {
			b := []byte{0x80 + byte(rng.IntN(128))}
			for range rng.IntN(20) {
				if c := byte(1 + rng.IntN(255)); !strings.ContainsRune("/'\n", rune(c)) {
					b = append(b, c)
				}
			}
			return string(b) + "\xff"
		}
		folder, data, other := name(), name(), name()+"2"
		track, a, b := drawTrack(rng), 1000+rng.IntN(4000), 5000+rng.IntN(4000)
		return fmt.Sprintf("%q %q %q %s %d %d", folder, data, other, track, a, b), func(v *victim) {
			os.Mkdir(filepath.Join(v.dir, folder), 0o755)
			list := "for f in '" + folder + "'/*; do n=$((n+1)); done\n"
			r := v.reads(track, folder+"/"+data, "#!/bin/sh\nn=0\n"+list+"read x <'"+folder+"/"+data+"'\necho $((x+n-1))\n")
			r.edit(a)
			r.expect(a)
			// Another name in the folder is another number.
			path := filepath.Join(v.dir, folder, other)
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				v.fail("%v", err)
			}
			r.expect(a + 1)
			r.expect(a+1, "--only-cached")
			os.Remove(path)
			r.goesOn(a, b, true)
			exported := filepath.Join(v.dir, "exported")
			v.run("export", "--output", exported)
			v.set("DVLCACHE_DIR", v.cache+"2")
			v.run("import", exported)
			r.expect(a, "--only-cached")
			r.edit(b)
			r.expect(b, "--only-cached")
			r.edit(a + 1)
			r.expect(a + 1)
		}
	}}
}

// longNames are as long as a name may be, and longer.
func longNames() faultKind {
	return faultKind{name: "watcher: names of 4,095 bytes and more", plan: func(rng *rand.Rand) (string, func(*victim)) {
		absolute, longer := rng.IntN(2) == 0, 1+rng.IntN(3)
		track, a, b := drawTrack(rng), 1000+rng.IntN(4000), 5000+rng.IntN(4000)
		return fmt.Sprint(absolute, longer, track, a, b), func(v *victim) {
			name := func(n int, base string) string {
				begin := "."
				if absolute {
					begin = v.dir
				}
				n -= len(begin) + len(base)
				return begin + strings.Repeat("/", 1+(n-1)%2) + strings.Repeat("./", (n-1)/2) + base
			}
			text := "#!/bin/sh\nread x <" + name(4095, "data") + "\n"
			for _, n := range []int{4095, 4095 + longer} {
				text += "if [ -e " + name(n, "nowhere") + " ]; then echo there >>refused; fi\n"
			}
			text += "[ ! -e " + name(4095+longer, "data") + " ] || echo long >>refused\necho $x\n"
			r := v.reads(track, "data", text)
			r.unseen = !absolute // behind the working directory they are longer than a name may be
			r.edit(a)
			e := v.run(r.call()...)
			r.is(a, e)
			r.goesOn(a, b, e.errs == "")
		}
	}}
}

// forkBombs fork without end until their limit, and end or don't.
func forkBombs() faultKind {
	return faultKind{name: "watcher: a program that forks until its limit", slow: true, plan: func(rng *rand.Rand) (string, func(*victim)) {
		n, ends := 30+rng.IntN(50), rng.IntN(2) == 0
		track, a, b := drawTrack(rng), 1000+rng.IntN(4000), 5000+rng.IntN(4000)
		return fmt.Sprint(n, ends, track, a, b), func(v *victim) {
			most := n
			if os.Getuid() != 0 { // all that we run counts
				for _, p := range processes() {
					tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
					most += len(tasks)
				}
			}
			forks := "#!" + python() + `
import os, time
first = os.getpid()
refused = 0
while not refused or ENDLESS:
    try:
        os.fork()
    except BlockingIOError:
        refused += 1
        time.sleep(0.05)
    open("data").close()
if os.getpid() == first:
    time.sleep(0.2)
    print(open("data").read().strip())
`
			endless := map[bool]string{false: "True", true: "False"}[ends]
			r := v.reads(track, "data", strings.Replace(forks, "ENDLESS", endless, 1))
			r.edit(a)
			v.unprivileged()
			if !ends {
				r.flags = []string{"--timeout", "500ms", "--grace", "100ms"}
			}
			limit := []string{"bash", "-c", `ulimit -u ` + strconv.Itoa(most) + `; exec "$@"`, "bash"}
			e := v.end(v.start("", limit, r.call()...))
			if ends {
				r.is(a, e)
			} else if e.status != statusTimeout || e.out != "" {
				v.fail("status %d, %q\n%s", e.status, e.out, e.errs)
			}
			v.nothingRuns(nil)
			// Without the limit it would not end.
			v.reads(track, "data", "#!/bin/sh\nread x <data\necho $x\n")
			r.goesOn(a, b, false)
		}
	}}
}

// manyThreads are a thousand that open files at once.
func manyThreads() faultKind {
	return faultKind{name: "watcher: a thousand threads that open files", slow: true, plan: func(rng *rand.Rand) (string, func(*victim)) {
		track, a, b := drawTrack(rng), 1000+rng.IntN(4000), 5000+rng.IntN(4000)
		return fmt.Sprint(track, a, b), func(v *victim) {
			r := v.reads(track, "data", "#!"+python()+`
import threading
read = []
together = threading.Barrier(1000)
def run():
    together.wait()
    for i in range(3):
        read.append(int(open("data").read()))
threading.stack_size(65536)
threads = [threading.Thread(target=run) for i in range(1000)]
for t in threads: t.start()
for t in threads: t.join()
assert len(read) == 3000
print(sum(read) // 3000)
`)
			r.edit(a)
			e := v.run(r.call()...)
			r.is(a, e)
			r.goesOn(a, b, e.errs == "")
		}
	}}
}
