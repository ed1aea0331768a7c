//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// victimCommand is a command that is killed or stopped in the middle.
type victimCommand struct {
	name string
	// lasts is how long it takes, more or less: the moment lies within.
	lasts time.Duration
	stdin string
	args  func(v *victim, i int) []string
	// answers is what the number that is asked for is, if it prints one alone.
	answers bool
	lines   bool // it prints the lines of a batch
	clears  bool // it forgets what the others have stored
}

var victimCommands = []victimCommand{
	{name: "run", lasts: 15 * time.Millisecond, answers: true, args: func(v *victim, i int) []string { return v.call(i) }},
	{name: "run --refresh", lasts: 15 * time.Millisecond, answers: true, args: func(v *victim, i int) []string { return v.call(i, "--refresh") }},
	{name: "run --repeat=5", lasts: 40 * time.Millisecond, answers: true, args: func(v *victim, i int) []string { return v.call(i, "--repeat=5") }},
	{name: "batch", lasts: 120 * time.Millisecond, lines: true, stdin: batchInput(20, 80), args: func(v *victim, _ int) []string {
		return []string{"batch", "--jobs", "2", "--", v.train}
	}},
	{name: "session --save", lasts: 50 * time.Millisecond, args: func(v *victim, i int) []string {
		return append([]string{"session", "--save", "--", v.binary}, v.call(i)...)
	}},
	{name: "clear of another namespace", lasts: 15 * time.Millisecond, args: func(*victim, int) []string {
		return []string{"clear", "--yes", "--namespace", "other"}
	}},
	{name: "clear --all", lasts: 15 * time.Millisecond, clears: true, args: func(*victim, int) []string {
		return []string{"clear", "--yes", "--all"}
	}},
	{name: "compact", lasts: 25 * time.Millisecond, args: func(*victim, int) []string { return []string{"compact"} }},
	{name: "import", lasts: 60 * time.Millisecond, args: func(v *victim, _ int) []string {
		return []string{"import", "--on-conflict", "merge", v.exported}
	}},
	{name: "import that replaces", lasts: 60 * time.Millisecond, args: func(v *victim, _ int) []string {
		return []string{"import", "--on-conflict", "replace", v.exported}
	}},
	{name: "prune", lasts: 25 * time.Millisecond, clears: true, args: func(*victim, int) []string {
		return []string{"prune", "--yes", "--max-entries", "15"}
	}},
	{name: "check --salvage", lasts: 20 * time.Millisecond, args: func(*victim, int) []string { return []string{"check", "--salvage"} }},
	{name: "export", lasts: 20 * time.Millisecond, args: func(v *victim, _ int) []string {
		return []string{"export", "--output", filepath.Join(v.dir, "exported")}
	}},
}

// moment is when to strike: a time after the start, or, so that the time in which
// a command writes is met as often as the rest, a time after it got the lock to
// do so.
type moment struct {
	after  time.Duration
	writes int // how often somebody gets the lock first
}

func drawMoment(rng *rand.Rand, lasts time.Duration) moment {
	if rng.IntN(2) == 0 {
		return moment{drawTime(rng, lasts), 0}
	}
	return moment{drawTime(rng, 3*time.Millisecond), 1 + rng.IntN(2)}
}

func drawTime(rng *rand.Rand, lasts time.Duration) time.Duration {
	return time.Duration(rng.Float64() * float64(lasts) * 1.2).Round(time.Microsecond)
}

func (m moment) String() string {
	if m.writes > 0 {
		return fmt.Sprintf("%v after %d got the lock", m.after, m.writes)
	}
	return fmt.Sprintf("after %v", m.after)
}

// await starts a process and waits for the moment.
func (v *victim) await(m moment, start func() *started) *started {
	// Who gets the lock to write touches its file.
	touched := func() (at time.Time) {
		if info, err := os.Stat(filepath.Join(v.cache, "cache.lock")); err == nil {
			at = info.ModTime()
		}
		return at
	}
	before := touched()
	p := start()
	for n := 0; n < m.writes && time.Since(p.began) < 250*time.Millisecond; {
		if now := touched(); !now.Equal(before) {
			before = now
			n++
		}
		time.Sleep(50 * time.Microsecond)
	}
	if m.writes > 0 {
		time.Sleep(m.after)
	} else {
		time.Sleep(m.after - time.Since(p.began))
	}
	return p
}

// took takes what a command printed before its end for printed.
func (v *victim) took(c victimCommand, i int, r ending) {
	switch {
	case c.lines:
		v.lines(r)
	case c.answers && strings.HasSuffix(r.out, "\n"):
		if r.out != value(i)+"\n" {
			v.fail("%s printed %q for call %d", c.name, r.out, i)
		} else if r.errs == "" {
			v.printed[i] = true
		}
	}
}

// forgetSessions removes what is kept of this victim's sessions that were killed
// before they were saved: it lies in memory.
func (v *victim) forgetSessions() {
	for _, prefix := range []string{sessionPrefix, keptPrefix} {
		for _, root := range []string{"/dev/shm", os.TempDir()} {
			folders, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
			for _, folder := range folders {
				if saves, _ := os.ReadFile(filepath.Join(folder, savesFile)); strings.Contains(string(saves), v.dir+"/") {
					os.RemoveAll(folder)
				}
			}
		}
	}
}

// killBeside kills a command, which begin starts and returns when its time has come, while
// calls from other on are under way beside it.
func (v *victim) killBeside(c victimCommand, i, beside, other int, begin func() *started) {
	var others []*started
	for n := range beside {
		others = append(others, v.start("", nil, v.call(other+n)...))
	}
	p := begin()
	p.Process.Kill()
	r := v.end(p)
	for n, p := range others {
		v.answered(other+n, v.end(p))
	}
	syscall.Kill(-p.Process.Pid, syscall.SIGKILL) // a session's command outlives it
	v.took(c, i, r)
	if c.clears {
		clear(v.printed)
	}
}

// killFaults: SIGKILL at any moment, beside others that go on.
func killFaults() (kinds []faultKind) {
	for _, c := range victimCommands {
		kinds = append(kinds, faultKind{name: "SIGKILL of " + c.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
			template := []string{"small", "small", "large", ""}[rng.IntN(4)]
			i, other := 1000+rng.IntN(5000), 7000+rng.IntN(1000)
			when := drawMoment(rng, c.lasts)
			beside := rng.IntN(3)
			what := fmt.Sprintf("%v, call %d, cache %q, %d others", when, i, template, beside)
			return what, func(v *victim) {
				if template != "" {
					v.begin(template)
					v.believe(20)
				}
				v.killBeside(c, i, beside, other, func() *started {
					return v.await(when, func() *started { return v.start(c.stdin, nil, c.args(v, i)...) })
				})
				v.noLocks()
				v.sound()
				v.noneLost()
				// Life goes on, without a word.
				for _, i := range []int{i, 1 + i%20, other} {
					if said := v.ask(i); said != "" {
						v.fail("after it: %s", said)
					}
				}
				v.noneLost()
				v.sound()
			}
		}})
	}
	return kinds
}

// stopFaults: SIGSTOP and Ctrl-Z at any moment; the others wait no longer than
// the lock timeout, and the stopped one ends well when it goes on.
func stopFaults() (kinds []faultKind) {
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP} {
		name := map[syscall.Signal]string{syscall.SIGSTOP: "SIGSTOP", syscall.SIGTSTP: "Ctrl-Z"}[sig]
		for _, c := range victimCommands {
			kinds = append(kinds, faultKind{name: name + " of " + c.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
				i, other := 1000+rng.IntN(5000), 7000+rng.IntN(1000)
				when := drawMoment(rng, c.lasts)
				killed := rng.IntN(3) == 0
				template := []string{"small", "large"}[rng.IntN(2)]
				what := fmt.Sprintf("%v, call %d, cache %q, killed then: %v", when, i, template, killed)
				return what, func(v *victim) {
					v.begin(template)
					v.believe(20)
					p := v.await(when, func() *started { return v.start(c.stdin, nil, c.args(v, i)...) })
					p.Process.Signal(sig)
					p.stopped = true
					v.ask(other)
					v.ask(5)
					if c.answers {
						v.ask(i)
					}
					ended := make(chan struct{})
					if killed {
						p.Process.Kill()
					} else {
						// Again and again: on a busy machine it may have
						// the Ctrl-Z still before it.
						go func() {
							for over := false; !over; {
								p.Process.Signal(syscall.SIGCONT)
								select {
								case <-ended:
									over = true
								case <-time.After(time.Second):
								}
							}
						}()
					}
					r := v.end(p)
					close(ended)
					// Before Go has set up its handling, Ctrl-Z in a
					// group of its own is discarded or stops it as any.
					if !killed && r.status != 0 {
						v.fail("it ended with status %d\n%s", r.status, r.errs)
					}
					syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
					v.took(c, i, r)
					if c.clears {
						clear(v.printed)
					}
					v.noLocks()
					v.sound()
					v.noneLost()
					if said := v.ask(other + 1); said != "" {
						v.fail("after it: %s", said)
					}
				}
			}})
		}
	}
	return append(kinds, faultKind{name: "a lock that is held for ever", plan: func(rng *rand.Rand) (string, func(*victim)) {
		name, shared := []string{"gate.lock", "cache.lock"}[rng.IntN(2)], rng.IntN(3) == 0
		fresh := 7000 + rng.IntN(1000)
		return fmt.Sprint(name, shared, fresh), func(v *victim) {
			v.begin("small")
			v.believe(smallCache)
			lock := v.hold(name, shared)
			hit, miss := v.start("", nil, v.call(3)...), v.start("", nil, v.call(fresh)...)
			said := v.answered(3, v.end(hit)) + v.answered(fresh, v.end(miss))
			if !strings.Contains(said, "holds its lock for longer than") {
				v.fail("it said %q", said)
			}
			lock.Unlock()
			v.goesOn(fresh)
		}
	}})
}
