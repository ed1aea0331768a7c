//go:build unix

package cmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"go.etcd.io/bbolt"
)

// The torture breaks what can break, one fault after the other, and looks after
// each whether the promises of docs/guarantees.md hold. `make torture` is the
// long form.
var (
	tortureTime   = flag.Duration("torture.time", 0, "inject faults for this long (0: each kind once)")
	tortureFaults = flag.Int("torture.faults", 0, "inject this many faults (0: as many as there is time for)")
	tortureSeed   = flag.Uint64("torture.seed", 1, "where the faults come from")
	tortureOnly   = flag.Int("torture.only", -1, "inject only the fault of this number")
	tortureKind   = flag.String("torture.kind", "", "inject only faults of kinds that this expression matches")
	tortureUpdate = flag.Bool("torture.update", false, "write the counts into docs/guarantees.md")
)

// A faultKind is one way in which things go wrong. plan draws all that is left
// to chance, so that a seed and a number always give the same fault; it returns
// what will happen in words, and what makes it happen.
type faultKind struct {
	name string
	slow bool // takes seconds: drawn a tenth as often
	plan func(rng *rand.Rand) (what string, inject func(v *victim))
}

// faultKinds are all kinds there are.
func faultKinds() []faultKind {
	return slices.Concat(killFaults(), folderFaults(), stopFaults(), storageFaults(), placeFaults(), limitFaults(), headFaults(), heldLockFaults(), memcachedFaults(), programFaults(), clockFaults(), signalFaults(), otherDataFaults(), nestedFaults(), watcherFaults())
}

// plannedFault is a fault that is yet to happen.
type plannedFault struct {
	number int
	kind   string
	what   string
	inject func(*victim)
}

// faults yields the faults of a seed, in their order: rounds in which each kind
// comes once, the slow ones in each tenth.
func faults(seed uint64, kinds []faultKind) func(yield func(plannedFault) bool) {
	return func(yield func(plannedFault) bool) {
		n := 0
		for round := uint64(0); ; round++ {
			for _, k := range rand.New(rand.NewPCG(seed, ^round)).Perm(len(kinds)) {
				if kinds[k].slow && round%10 != 0 {
					continue
				}
				what, inject := kinds[k].plan(rand.New(rand.NewPCG(seed, uint64(n))))
				if !yield(plannedFault{n, kinds[k].name, what, inject}) {
					return
				}
				n++
			}
		}
	}
}

// TestTortureSeeds: the same seed gives the same faults, another one others.
func TestTortureSeeds(t *testing.T) {
	story := func(seed uint64) string {
		h := sha256.New()
		for f := range faults(seed, faultKinds()) {
			fmt.Fprintln(h, f.number, f.kind, f.what)
			if f.number == 1000 {
				break
			}
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
	if first := story(1); first != story(1) || first == story(2) {
		t.Error("the faults are not the seed's")
	}
}

// torture is one run.
type torture struct {
	testing.TB
	dir       string // readable by everybody, for the sake of other users
	binary    string
	exported  string            // what the largest of them exports
	train     string            // the program, old enough for its digest to be remembered
	templates map[string]string // folders of caches to start with
	uids      func() uint32     // users of whom nothing runs
	mu        sync.Mutex
	counts    map[string]int
	calls     int
	slowest   map[bool]time.Duration // of the calls on memcached, and of the others
}

const (
	tortureLockTimeout = time.Second
	// tortureSlack is what a busy machine may add: a call that takes longer
	// than both hangs.
	tortureSlack = 2 * time.Minute

	smallCache, largeCache = 30, 1200 // entries
)

func newTorture(t *testing.T) *torture {
	dir, err := os.MkdirTemp("", "dvlcache-torture-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	tor := &torture{TB: t, dir: dir, counts: map[string]int{}, slowest: map[bool]time.Duration{}, templates: map[string]string{}}
	built, err := buildBinary()
	if err != nil {
		t.Fatal(err)
	}
	tor.binary = filepath.Join(dir, "dvlcache")
	data, err := os.ReadFile(built)
	if err == nil {
		err = writeProgram(tor.binary, string(data))
	}
	if err != nil {
		t.Fatal(err)
	}
	uid := uint32(200000)
	tor.uids = func() uint32 {
		tor.mu.Lock()
		defer tor.mu.Unlock()
		uid++
		return uid
	}
	tor.train = filepath.Join(dir, "train.sh")
	if err := writeProgram(tor.train, trainScript); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond)
	for name, entries := range map[string]int{"small": smallCache, "large": largeCache} {
		v := tor.newVictim(-1)
		v.batch(1, entries)
		v.env = append(v.env, "DVLCACHE_NAMESPACE=other")
		v.batch(1, 10)
		if name == "large" {
			tor.exported = filepath.Join(dir, "exported.jsonl")
			v.run("export", "--output", tor.exported)
		}
		os.Remove(filepath.Join(v.dir, "out"))
		tor.templates[name] = v.cache
		if v.failed {
			t.FailNow()
		}
	}
	return tor
}

// trainScript prints a number that its argument alone makes, and costs little.
const trainScript = "#!/bin/sh\necho 0.$((10000 + $1 * 7919 % 10007))1\n"

// value is the number of call i. It ends so that a mean of many is written alike.
func value(i int) string { return "0." + strconv.Itoa(10000+i*7919%10007) + "1" }

// victim is one case: a folder, a cache, and what has been found out about
// them.
type victim struct {
	*torture
	fault   plannedFault
	dir     string
	cache   string
	env     []string
	attr    *syscall.SysProcAttr // of the calls
	printed map[int]bool         // numbers that were printed and have to be stored
	failed  bool
	said    string // what all calls said on stderr
	remote  bool   // it is memcached
	limit   time.Duration
}

func (tor *torture) newVictim(n int) *victim {
	dir := filepath.Join(tor.dir, strconv.Itoa(n)+"-"+strconv.FormatInt(time.Now().UnixNano(), 36))
	if err := os.Mkdir(dir, 0o755); err != nil {
		tor.Fatal(err)
	}
	v := &victim{torture: tor, dir: dir, cache: filepath.Join(dir, "cache"), printed: map[int]bool{}, limit: tortureLockTimeout + tortureSlack}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DVLCACHE_") && !strings.HasPrefix(kv, "XDG_") {
			v.env = append(v.env, kv)
		}
	}
	v.env = append(v.env, "DVLCACHE_DIR="+v.cache, "XDG_CONFIG_HOME="+dir, "DVLCACHE_PATHS=none",
		"DVLCACHE_LOCK_TIMEOUT="+tortureLockTimeout.String(), "DVLCACHE_WAIT_TIMEOUT=2s")
	return v
}

// begin gives the case a cache that was used before.
func (v *victim) begin(template string) {
	v.Helper()
	from := v.templates[template]
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		to := v.cache + strings.TrimPrefix(path, from)
		if name := d.Name(); err != nil || name == "digests" || name == "marks" { // megabytes of nothing
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		return err
	})
	if err != nil {
		v.fail("%v", err)
	}
}

func (v *victim) fail(format string, args ...any) {
	v.failed = true
	v.Errorf("fault %d (%s: %s): %s", v.fault.number, v.fault.kind, v.fault.what, fmt.Sprintf(format, args...))
}

// ending is what came of a call.
type ending struct {
	out, errs string
	status    int // 128+N after signal N
}

// started is a call under way.
type started struct {
	*osexec.Cmd
	out, errs bytes.Buffer
	args      []string
	began     time.Time
	expired   *time.Timer
	hung      bool
	mayCrash  bool
	stopped   bool // by us, so that its time says nothing
}

// start starts dvlcache, or, if wrap is not empty, a command that starts it.
// Each call has a group of its own.
func (v *victim) start(stdin string, wrap []string, args ...string) *started {
	line := slices.Concat(wrap, []string{v.binary}, args)
	p := &started{Cmd: osexec.Command(line[0], line[1:]...), args: args, began: time.Now()}
	p.Cmd.Dir, p.Cmd.Env = v.dir, slices.Clone(v.env)
	p.Cmd.Stdin, p.Cmd.Stdout, p.Cmd.Stderr = strings.NewReader(stdin), &p.out, &p.errs
	p.Cmd.WaitDelay = 10 * time.Second // what it left behind may hold its pipes
	p.SysProcAttr = &syscall.SysProcAttr{}
	if v.attr != nil {
		*p.SysProcAttr = *v.attr
	}
	p.SysProcAttr.Setpgid = true
	if err := p.Start(); err != nil {
		v.fail("%q: %v", args, err)
		return p
	}
	p.expired = time.AfterFunc(v.limit, func() {
		p.hung = true
		syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	})
	return p
}

var panicked = regexp.MustCompile(`(?m)^(panic:|fatal error:|goroutine \d+|runtime:|unexpected fault|SIG[A-Z]+: )|\.go:\d+`)

// end waits for a call. Whatever befell it, it neither hangs nor shows a
// panic.
func (v *victim) end(p *started) ending {
	if p.Process == nil {
		return ending{status: -1}
	}
	p.Wait()
	p.expired.Stop()
	took := time.Since(p.began)
	r := ending{out: p.out.String(), errs: p.errs.String(), status: p.ProcessState.ExitCode()}
	if s := p.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		r.status = 128 + int(s.Signal())
	}
	if p.hung {
		v.fail("%q hangs; it said %q", p.args, r.errs)
	}
	if !p.mayCrash && panicked.MatchString(r.errs) {
		v.fail("%q panicked: %.2000s", p.args, r.errs)
	}
	v.mu.Lock()
	v.calls++
	if !p.stopped {
		v.slowest[v.remote] = max(v.slowest[v.remote], took)
	}
	v.mu.Unlock()
	v.said += r.errs
	return r
}

// run runs dvlcache to its end.
func (v *victim) run(args ...string) ending { return v.end(v.start("", nil, args...)) }

// ask asks for the number of call i and gets it, whatever happened before. It
// returns what was said on stderr.
func (v *victim) ask(i int, flags ...string) string {
	v.Helper()
	return v.answered(i, v.run(v.call(i, flags...)...))
}

func (v *victim) call(i int, flags ...string) []string {
	return slices.Concat([]string{"run"}, flags, []string{"--", v.train, strconv.Itoa(i)})
}

func (v *victim) answered(i int, r ending) string {
	v.Helper()
	if r.status != 0 || r.out != value(i)+"\n" {
		v.fail("call %d: status %d, %q instead of %s\n%s", i, r.status, r.out, value(i), r.errs)
	} else if r.errs == "" {
		v.printed[i] = true
	}
	return r.errs
}

// batchInput is the input of a batch of the calls from one to another.
func batchInput(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// batch asks for many numbers at once.
func (v *victim) batch(from, to int) string {
	v.Helper()
	p := v.start(batchInput(from, to), nil, "batch", "--jobs", "2", "--", v.train)
	r := v.end(p)
	if n := v.lines(r); r.status != 0 || n != to-from+1 {
		v.fail("a batch: status %d, %d lines\n%s", r.status, n, r.errs)
	}
	return r.errs
}

// lines checks the lines that a batch printed whole, and counts them.
func (v *victim) lines(r ending) (n int) {
	v.Helper()
	for line := range strings.Lines(r.out) {
		if !strings.HasSuffix(line, "\n") {
			break // it was killed
		}
		input, got, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		i, err := strconv.Atoi(input)
		if err != nil || got != value(i) {
			v.fail("a batch printed %q: %s", line, r.errs)
			continue
		}
		if r.errs == "" {
			v.printed[i] = true
		}
		n++
	}
	return n
}

// believe takes the numbers that the caches begin with for printed.
func (v *victim) believe(n int) {
	for i := 1; i <= n; i++ {
		v.printed[i] = true
	}
}

// noneLost checks that each number that was printed is stored, and right.
func (v *victim) noneLost() {
	v.Helper()
	var in strings.Builder
	for i := range v.printed {
		fmt.Fprintln(&in, i)
	}
	if in.Len() == 0 {
		return
	}
	r := v.end(v.start(in.String(), nil, "batch", "--only-cached", "--jobs", "2", "--", v.train))
	if n := v.lines(r); r.status != 0 || n != len(v.printed) {
		v.fail("of %d numbers that were printed %d are stored; status %d\n%s", len(v.printed), n, r.status, r.errs)
	}
}

// noLocks checks that no lock is held any more, and that no lease is left of
// calls that have ended.
func (v *victim) noLocks() {
	v.Helper()
	if _, err := os.Stat(v.cache); err != nil {
		return // it died before it made one
	}
	for _, name := range []string{"gate.lock", "cache.lock"} {
		l := flock.New(filepath.Join(v.cache, name))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if ok, err := l.TryLockContext(ctx, 10*time.Millisecond); !ok {
			v.fail("%s is held: %v", name, err)
		}
		cancel()
		l.Unlock()
	}
	left, _ := os.ReadDir(filepath.Join(v.cache, "leases"))
	for _, f := range left {
		l := flock.New(filepath.Join(v.cache, "leases", f.Name()))
		if ok, err := l.TryLock(); !ok {
			v.fail("lease %s is held: %v", f.Name(), err)
		}
		l.Unlock()
	}
}

// sound checks the bolt file itself.
func (v *victim) sound() {
	v.Helper()
	path := filepath.Join(v.cache, "cache.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	if r := v.run("check"); r.status != 0 {
		v.fail("check: status %d: %s%s", r.status, r.out, r.errs)
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: time.Minute})
	if err != nil {
		v.fail("cache.db: %v", err)
		return
	}
	defer db.Close()
	db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			v.fail("cache.db: %v", err)
		}
		return nil
	})
}

// TestTorture is the torture: a short one, or, with -torture.time, a long one.
func TestTorture(t *testing.T) {
	t.Parallel()
	kinds := faultKinds()
	if *tortureKind != "" {
		re := regexp.MustCompile(*tortureKind)
		kinds = slices.DeleteFunc(kinds, func(k faultKind) bool { return !re.MatchString(k.name) })
	}
	tor := newTorture(t)
	stop := time.Now().Add(*tortureTime)
	most := *tortureFaults
	if *tortureTime == 0 && most == 0 {
		most = len(kinds)
	}
	todo := make(chan plannedFault)
	go func() {
		defer close(todo)
		for f := range faults(*tortureSeed, kinds) {
			switch {
			case most > 0 && f.number >= most, *tortureTime > 0 && time.Now().After(stop), *tortureOnly >= 0 && f.number > *tortureOnly:
				return
			case *tortureOnly >= 0 && f.number < *tortureOnly:
				continue
			}
			todo <- f
		}
	}()
	began := time.Now()
	var wg sync.WaitGroup
	for range 4 * max(runtime.NumCPU(), 2) { // most of them mostly wait
		wg.Go(func() {
			for f := range todo {
				tor.inject(f)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range tor.counts {
		total += n
	}
	t.Logf("seed %d: %d faults of %d kinds, %d calls in %v, the slowest in %v, on memcached in %v", *tortureSeed, total, len(tor.counts), tor.calls,
		time.Since(began).Round(time.Second), tor.slowest[false].Round(time.Millisecond), tor.slowest[true].Round(time.Millisecond))
	table := tor.table(kinds, total)
	if *tortureTime > 0 || *tortureFaults > 0 {
		t.Log("\n" + table)
	}
	if *tortureUpdate && !t.Failed() {
		if err := writeCounts("../docs/guarantees.md", table); err != nil {
			t.Error(err)
		}
	}
}

// inject makes a fault happen.
func (tor *torture) inject(f plannedFault) {
	v := tor.newVictim(f.number)
	v.fault = f
	defer os.RemoveAll(v.dir)
	defer v.forgetSessions()
	f.inject(v)
	tor.mu.Lock()
	tor.counts[f.kind]++
	tor.mu.Unlock()
}

// table is the counts by kind, in Markdown.
func (tor *torture) table(kinds []faultKind, total int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Seed %d: %d faults, %d calls of dvlcache. The longest call took %.1f s with a lock timeout of %v, on memcached %.1f s.\n\n",
		*tortureSeed, total, tor.calls, tor.slowest[false].Seconds(), tortureLockTimeout, tor.slowest[true].Seconds())
	b.WriteString("| kind of fault | injected |\n| --- | ---: |\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %s | %d |\n", k.name, tor.counts[k.name])
	}
	return b.String()
}

// writeCounts puts a table between the marks in a file.
func writeCounts(path, table string) error {
	const begin, end = "<!-- counts: written by make torture UPDATE=1 -->\n", "<!-- end of counts -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no place for the counts", path)
	}
	return os.WriteFile(path, []byte(before+begin+"\n"+table+"\n"+end+after), 0o644)
}
