//go:build linux && (amd64 || arm64)

package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// program is a shell script that is run with and without watching.
type testProgram struct {
	name string
	// needs are commands, and python a module, without which it can't be run
	// here; .ci/deps gets them.
	needs  []string
	script string
	// unwatched says that it is run unwatched, which has to be said.
	unwatched string
	// unseen is what must be among the reasons why not all was seen.
	unseen string
	// user: also, or only, as an ordinary user.
	user  bool
	files bool // the files it leaves are told from run to run
}

// testPrograms do to the system what programs do, and print what came of it.
var testPrograms = []testProgram{
	{name: "sh", script: `
i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i | cat >> list & done; wait
sort -n list | uniq | wc -l; grep -c 1 list; exit 3`, files: false, user: true},
	{name: "children that end while names are looked up", script: `
n=0; i=0; while [ $i -lt 300 ]; do i=$((i+1)); (exit 0) & (exit 1) & [ -f /etc/passwd ] || n=$((n+1)); true >/dev/null; done; wait; echo "missed $n"
i=0; while [ $i -lt 300 ]; do i=$((i+1)); ( (exit 0) & [ -f /etc/passwd ] || echo missed; (exit 1) & [ -f /etc/passwd ] || echo missed ); done; sh -c 'strace -o /dev/null true 2>/dev/null; echo done'`, user: true},
	{name: "python", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import json, subprocess, tempfile, os, concurrent.futures
with tempfile.TemporaryDirectory() as d:
    open(d + "/x", "w").write("1")
    print(open(d + "/x").read(), sorted(os.listdir(d)))
with concurrent.futures.ProcessPoolExecutor(3) as p: print(sum(p.map(abs, range(100))))
print(subprocess.run(["sh", "-c", "echo $((6*7)); exit 4"], capture_output=True))'`, user: true, files: true},
	{name: "python under a timer", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os, signal
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
print(sum(not os.path.exists("/etc/passwd") for i in range(int(os.environ["TIMER_CALLS"]))))
signal.setitimer(signal.ITIMER_REAL, 0)'`, user: true},
	{name: "python's threads under a timer", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os, signal, threading
signal.signal(signal.SIGALRM, lambda *a: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
n = []
def run(): n.append(sum(not os.path.exists("/etc/passwd") for i in range(3000)))
for round in range(10):
    ts = [threading.Thread(target=run) for i in range(4)]
    [t.start() for t in ts]; [t.join() for t in ts]
signal.setitimer(signal.ITIMER_REAL, 0)
print(sum(n))'`, user: true},
	{name: "python signalled by its child", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os, signal, time
signal.signal(signal.SIGUSR1, lambda *a: None)
parent = os.getpid()
pid = os.fork()
if pid == 0:
    for i in range(3000): os.kill(parent, signal.SIGUSR1); time.sleep(0.0003)
    os._exit(0)
n = 0
while os.waitpid(pid, os.WNOHANG) == (0, 0):
    n += not os.path.exists("/etc/passwd")
print(n)'`, user: true},
	{name: "python interrupted where it is right", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os, signal
class Late(Exception): pass
def late(*a): raise Late()
signal.signal(signal.SIGALRM, late)
os.mkfifo("fifo")
for call in lambda: os.open("fifo", os.O_RDONLY), lambda: os.read(r, 10):
    r, w = os.pipe(); os.dup2(r, 0)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try: call(); print("?")
    except Late: print("late")
signal.setitimer(signal.ITIMER_REAL, 0.05)
try: os.read(0, 100); print("?")
except Late: print("late")'`, user: true},
	{name: "a thousand children", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os
pids = []
for i in range(1000):
    pid = os.fork()
    if pid == 0: os._exit(os.path.exists("/etc/passwd") and os.path.exists("/etc/group"))
    pids.append(pid)
print(sum(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids))'`, user: true},
	{name: "a thousand threads", needs: []string{"python3"}, script: `/usr/bin/python3 -c '
import os, threading
n = []; b = threading.Barrier(1000)
def run(): b.wait(); n.append(all(os.path.exists("/etc/passwd") for i in range(20)))
threading.stack_size(65536)
ts = [threading.Thread(target=run) for i in range(1000)]
[t.start() for t in ts]; [t.join() for t in ts]; print(sum(n))'`, user: true},
	{name: "make", needs: []string{"make", "gcc"}, files: true, user: true, script: `
for i in 1 2 3 4 5 6; do echo "int f$i(void) { return $i; }" > f$i.c; done
printf '#include <stdio.h>\nint f1(void),f2(void),f3(void),f4(void),f5(void),f6(void);\nint main(void){printf("%%d\\n",f1()+f2()+f3()+f4()+f5()+f6());return 0;}' > main.c
printf 'CFLAGS=-O1\nmain: main.o f1.o f2.o f3.o f4.o f5.o f6.o\n\tgcc -o $@ $^\n' > Makefile
make -j4 >/dev/null && ./main && make -j4`},
	{name: "tar", needs: []string{"tar", "gzip"}, files: true, user: true, script: `
mkdir -p a/b; i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i > a/b/$i; done; ln -s b a/l; ln a/b/1 a/hard
tar -czf a.tgz a && rm -rf a && tar -xzf a.tgz && find a | sort && cat a/l/* | sort -n | tail -n 1; rm a.tgz`},
	{name: "rsync", needs: []string{"rsync"}, files: true, user: true, script: `
mkdir -p a/b; i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo $i > a/b/$i; done
rsync -a a/ c/ && rm a/b/3 && rsync -a --delete a/ c/ && diff -r a c && find c | sort`},
	{name: "sqlite3", needs: []string{"sqlite3"}, user: true, script: `
sqlite3 x.db 'create table t(a); insert into t values (1),(2),(3);' && sqlite3 x.db 'select sum(a) from t' && sqlite3 x.db 'pragma journal_mode=wal; insert into t values (4); select count(*) from t'`},
	{name: "perl", needs: []string{"perl"}, files: true, user: true, script: `
perl -MFile::Find -MFile::Temp -e 'mkdir "d"; for (1..20) { open F, ">d/$_"; print F $_; close F } find(sub { push @a, $_ }, "d"); print scalar(@a), "\n"; local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; eval { select undef, undef, undef, 5 }; print $@; print -e "d/3" ? 1 : 0, "\n"'`},
	{name: "git", needs: []string{"git"}, user: true, script: `
export HOME=$PWD GIT_AUTHOR_DATE='2026-01-01 00:00 +0' GIT_COMMITTER_DATE='2026-01-01 00:00 +0' GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
git init -q r && cd r && i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i > f$i; git add . && git commit -qm $i; done
git rev-parse HEAD; git gc -q && git fsck 2>/dev/null && cd .. && git clone -q r c && cd c && git log --oneline | wc -l && git status --short`},
	{name: "a Go program under many signals", needs: []string{"go"}, user: true, script: `$GOSIGNALS`},
	{name: "32 bits", needs: []string{"gcc"}, user: true, unseen: "another architecture", script: `$PROGRAM32; echo $?`},
	{name: "strace", needs: []string{"strace"}, user: true, script: `
strace -f -o out sh -c 'cat /etc/passwd | wc -l; test -f /nowhere; true'; grep -c 'openat.*etc/passwd' out; grep -c 'nowhere.*ENOENT' out; rm out`},
	{name: "strace --seccomp-bpf", needs: []string{"strace"}, user: true, unwatched: "traces calls by a filter", script: `
strace -f --seccomp-bpf -e trace=openat -o out cat /etc/passwd >/dev/null; grep -c etc/passwd out; rm out`},
	{name: "gdb", needs: []string{"gdb", "gcc"}, user: true, script: `
export HOME=$PWD
printf 'int f(int x) { return x + 1; }\nint main(void) { return f(41); }' > g.c && gcc -g -O0 -o g g.c
gdb -nx -batch -ex 'break f' -ex run -ex 'print x' -ex continue ./g 2>/dev/null | grep -E '^\$1|exited with' | sed 's/process [0-9]*//'; rm g`},
	{name: "a mount namespace of its own", needs: []string{"unshare"}, unseen: "mount namespace", script: `
unshare -m sh -c 'mount -t tmpfs none /mnt && echo hi > /mnt/x && cat /mnt/x && mount -t tmpfs none /etc && cat /etc/passwd 2>/dev/null; ls -A /etc'; ls /mnt`},
	{name: "a nested watch", script: `WATCH_TEST_TRACE=$PWD/inner "$WATCH_TEST_BINARY" cat /etc/passwd | wc -l; grep Unavailable inner | cut -d: -f1; rm inner`, user: true},
	{name: "names too long for us", unseen: "folder can't be named", needs: []string{"python3"}, user: true, script: `/usr/bin/python3 -c '
import os
deep = "/".join(["d" * 200] * 12)
os.makedirs(deep); os.chdir(deep); os.makedirs(deep); os.chdir(deep)
open("x", "w").write("far"); print(open("x").read())
os.chdir("/")'; rm -rf ddd*`},
	{name: "names that are no UTF-8, and long ones", needs: []string{"python3"}, user: true, script: `/usr/bin/python3 -c '
import os
os.mkdir(b"\xff\xfe"); open(b"\xff\xfe/\x80", "w").write("x"); print(os.listdir(b"."), open(b"\xff\xfe/\x80").read())
os.chdir("/")
for n in 1, 255, 256, 4000, 4095, 4096, 5000, 100000:
    for name in "y" * n, "/" + "y/" * (n // 2), "/" * n:
        try: os.stat(name); print(n, "is there")
        except OSError as e: print(n, e.errno)'`},
	{name: "sudo", needs: []string{"sudo"}, user: true, unwatched: "rights of its own", script: `id -u; sudo -n id -u`},
	{name: "su", needs: []string{"su", "setpriv"}, script: `setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'id -u; cat /etc/passwd | wc -l'; su -s /bin/sh nobody -c 'id -u; cat /etc/shadow 2>&1'`},
}

// timerCalls is how often a program looks at a file under a timer.
func timerCalls() string {
	switch {
	case *long:
		return "1000000"
	case testing.Short():
		return "20000"
	}
	return "100000"
}

// TestDoesNotChangePrograms runs real programs with and without watching: they
// print the same, end the same and leave the same files, or they were not
// watched and that was said.
func TestDoesNotChangePrograms(t *testing.T) {
	env := prepareMatrix(t)
	for _, p := range testPrograms {
		for _, user := range []bool{false, true} {
			if user && (!p.user || os.Getuid() != 0) {
				continue
			}
			name := p.name
			if user {
				name += " as an ordinary user"
			}
			t.Run(name, func(t *testing.T) {
				for _, need := range p.needs {
					if _, err := exec.LookPath(need); err != nil {
						t.Skip("needs " + need)
					}
				}
				bare := runMatrix(t, p, env, user, false)
				seen := runMatrix(t, p, env, user, true)
				if bare.out != seen.out || bare.status != seen.status {
					t.Errorf("bare:    %d %q\nwatched: %d %q\n%s", bare.status, bare.out, seen.status, seen.out, seen.errors)
				}
				if p.files && !slices.Equal(bare.files, seen.files) {
					t.Errorf("bare:    %q\nwatched: %q", bare.files, seen.files)
				}
				r := seen.report
				switch unwatched := p.unwatched != "" && (user || p.name != "sudo"); {
				case unwatched && (r.Trace == nil || !strings.Contains(r.Unwatchable, p.unwatched)) && !strings.Contains(r.Unavailable, p.unwatched):
					t.Errorf("it is not said that it can't be watched: %+v", r.Trace)
				case !unwatched && (r.Trace == nil || r.Unwatchable != ""):
					t.Errorf("not watched: %+v", r)
				case unwatched:
				case p.unseen == "" && len(r.Unseen) > 0 || p.unseen != "" && !strings.Contains(strings.Join(r.Unseen, "; "), p.unseen):
					t.Errorf("unseen is %q", r.Unseen)
				}
			})
		}
	}
}

// ran is what came of a program.
type ran struct {
	out, errors string
	status      int
	files       []string
	report      report
}

// prepareMatrix builds what programs of the matrix run.
func prepareMatrix(t *testing.T) []string {
	t.Helper()
	dir := sharedDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "watch.test")
	b, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(binary, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "WATCH_TEST_BINARY="+binary, "TIMER_CALLS="+timerCalls())
	if _, err := exec.LookPath("gcc"); err == nil && runtime.GOARCH == "amd64" {
		source := filepath.Join(dir, "a.c")
		os.WriteFile(source, []byte(program32), 0o666)
		to := filepath.Join(dir, "program32")
		if out, err := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie", "-O1", "-o", to, source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		env = append(env, "PROGRAM32="+to)
	}
	if _, err := exec.LookPath("go"); err == nil {
		source := filepath.Join(dir, "signals.go")
		os.WriteFile(source, []byte(goSignals), 0o666)
		to := filepath.Join(dir, "signals")
		cmd := exec.Command("go", "build", "-o", to, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		env = append(env, "GOSIGNALS="+to)
	}
	return env
}

// sharedDir is a folder that ordinary users can reach too.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "watch")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// runMatrix runs a program in a new folder, always the same.
func runMatrix(t *testing.T, p testProgram, env []string, user, watched bool) ran {
	t.Helper()
	dir := filepath.Join(sharedDir(t), "in")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	traceDir := sharedDir(t)
	args := []string{"sh", "-c", p.script}
	if watched {
		args = append([]string{binaryOf(env)}, args...)
	}
	if user {
		os.Chown(dir, 65534, 65534)
		os.Chown(traceDir, 65534, 65534)
		args = append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = env
	trace := filepath.Join(traceDir, "trace")
	if watched {
		cmd.Env = append(slices.Clone(env), helperVariable+"="+trace)
	}
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := ran{out: strings.ReplaceAll(out.String(), dir, "DIR"), errors: errors.String(), status: cmd.ProcessState.ExitCode()}
	if watched {
		b, err := os.ReadFile(trace)
		if err == nil {
			err = json.Unmarshal(b, &r.report)
		}
		if err != nil {
			t.Fatalf("%v; it said %s", err, &errors)
		}
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v", strings.TrimPrefix(path, dir), d.Type())
		if d.Type().IsRegular() {
			b, _ := os.ReadFile(path)
			line += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		r.files = append(r.files, line)
		return nil
	})
	return r
}

func binaryOf(env []string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "WATCH_TEST_BINARY="); ok {
			return v
		}
	}
	return ""
}

// program32 prints a file by the calls of i386.
const program32 = `
static int call(int n, int a, int b, int c) { int r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory"); return r; }
void _start(void) { char b[64]; int f = call(5, (int)"/etc/hostname", 0, 0); int n = call(3, f, (int)b, 64); call(4, 1, (int)b, n); call(1, 7, 0, 0); }
`

// goSignals sends itself signals while it looks at files in many threads.
const goSignals = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGALRM)
	go func() {
		for range c {
		}
	}()
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				syscall.Kill(os.Getpid(), syscall.SIGUSR1)
				runtime.GC()
			}
		}
	}()
	var wg sync.WaitGroup
	var mu sync.Mutex
	missed := 0
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 2000 {
				if _, err := os.Stat("/etc/passwd"); err != nil {
					mu.Lock()
					missed++
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	close(stop)
	fmt.Println("missed", missed)
}
`
