//go:build linux && (amd64 || arm64)

package watch

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// cases are what small programs do, and what the trace has to say of it. Each
// runs in a folder with the files a, b and c, the folder d with x in it, and the
// link l to d.
var cases = []struct {
	name, script string
	// want are names in the folder with fate and uses; "-" is for a name that
	// must not be there.
	want map[string]string
}{
	{"reads", `cat a >/dev/null; [ -f b ]; [ -f none ]; cat nothing`, map[string]string{
		"a": "input opened", "b": "input looked", "none": "input looked absent", "nothing": "input opened absent", "c": "-"}},
	{"through a link", `cat l/x l/../a`, map[string]string{
		"l/x": "input opened", "l": "input followed -> d", "l/../a": "input opened", "a": "-"}},
	{"a link in the folder that it is in", `cd l && cat x`, map[string]string{"l": "input looked+followed -> d", "d/x": "input opened"}},
	{"where a link leads", `readlink l; [ -L l ]`, map[string]string{"l": "input followed -> d"}},
	{"its own file", `echo 1 > out; cat out; rm out; [ -f out ]`, map[string]string{"out": "output opened+looked+written absent"}},
	{"its own file, left", `[ -f out ] || echo 1 > out; cat out`, map[string]string{"out": "output opened+looked+written absent"}},
	{"a file that it writes anew", `echo 1 > a; cat a`, map[string]string{"a": "output opened+written"}},
	{"a file that it replaces", `echo 1 > tmp; mv tmp a; cat a`, map[string]string{"a": "output opened+written", "tmp": "output opened+written absent"}},
	{"a file that it looks at, removes and makes", `[ -f a ]; rm a; echo 1 > a; cat a`, map[string]string{"a": "state opened+looked+written"}},
	{"a log", `echo 1 >> a`, map[string]string{"a": "output written"}},
	{"a log that it reads", `echo 1 >> a; cat a`, map[string]string{"a": "state opened+written"}},
	{"a checkpoint", `cat a; echo 2 > a`, map[string]string{"a": "state opened+written"}},
	{"a checkpoint replaced", `cat a; echo 2 > tmp; mv tmp a`, map[string]string{"a": "state opened+written"}},
	{"a file moved and read", `mv a e; cat e`, map[string]string{"a": "state opened+written", "e": "output opened+written absent"}},
	{"a file linked and read", `ln a e; cat e; rm e`, map[string]string{"a": "input opened+written", "e": "output opened+written absent"}},
	{"a file linked, read and written", `ln a e; cat e; echo 1 >> e; rm e`, map[string]string{"a": "state opened+written"}},
	{"a file linked for good, and read", `ln a e; cat a`, map[string]string{"a": "input opened+written"}},
	{"a file of which other rights are told", `chmod 600 a; cat a; chmod 644 a; cat b; chmod 600 b`, map[string]string{
		"a": "input opened+written", "b": "state opened+written"}},
	{"a descriptor's file of which it is told", `python3 -c '
import os
a, b, c = os.open("a", os.O_RDONLY), os.open("b", os.O_RDWR), os.open("c", os.O_RDWR)
for fd in a, b, c:
    os.fchown(fd, -1, os.getgid())
    os.fchmod(fd, 0o644)
os.write(c, b"1")'`, map[string]string{"a": "input opened+written", "b": "input opened+written", "c": "state opened+written"}},
	{"a file that isn't used but told of", `python3 -c 'import os; os.chmod("a", 0o600)'`, map[string]string{"a": "-"}},
	{"files with other times, and with the old ones", `cat a; touch -d 2001-01-01 a; python3 -c '
import os
for name in "b", "c":
    old = os.stat(name)
    if name == "c":
        open(name, "r+").write("b")
    open(name).read()
    os.utime(name, ns=(old.st_atime_ns, old.st_mtime_ns))'`, map[string]string{"a": "state opened+written", "b": "input opened+written", "c": "state opened+written"}},
	{"a descriptor's file that is written, with its old times", `python3 -c '
import os
old = os.stat("a")
a = os.open("a", os.O_RDWR)
os.pwrite(a, b"z", 0)
os.fchmod(a, 0o644)
os.utime(a, ns=(old.st_atime_ns, old.st_mtime_ns))'`, map[string]string{"a": "state opened+looked+written"}},
	{"a link of proc that leads elsewhere later", `cat /proc/self/cwd/a; cd d; cat /proc/self/cwd/x; exec 3<../b; cat /dev/fd/3; exec 3<../c; cat /dev/fd/3`, map[string]string{
		"a": "input opened", "d/x": "input opened", "b": "input opened", "c": "input opened"}},
	{"a file without a name that gets one", `python3 -c '
import os
fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
os.link("/proc/self/fd/%d" % fd, "e", src_dir_fd=fd, follow_symlinks=True)
open("e")'`, map[string]string{"e": "output opened+written absent"}},
	{"links of proc that lead to folders", `python3 -c '
import os
for folder in "l", ".":
    fd = os.open(folder, os.O_PATH)
    open("/proc/self/fd/%d/%s" % (fd, "x" if folder == "l" else "a"))
    os.close(fd)'`, map[string]string{"d/x": "input opened", "a": "input opened"}},
	{"opened for both and left alone", `: 3<>a; cat 3<>a a`, map[string]string{"a": "input opened+written"}},
	{"locked", `exec 9>>lock; flock 9 2>/dev/null; [ -e lock ]`, map[string]string{"lock": "output looked+written absent"}},
	{"what could not be written", `mkdir d; (set -C; : > a) 2>/dev/null; rmdir d 2>/dev/null; ln b c 2>/dev/null`, map[string]string{
		"d": "input looked+written", "a": "input looked"}},
	{"a folder of its own", `mkdir e; [ -f e/none ]; echo 1 > e/y; cat e/y; mv e f; cat f/y; [ -f f/none ]`, map[string]string{
		"e": "output opened+written absent", "e/none": "-", "e/y": "output opened+written absent", "f/y": "output opened", "f/none": "input looked absent"}},
	{"a folder moved away", `cat d/x; mv d e; cat e/x`, map[string]string{"d/x": "state opened", "e/x": "output opened"}},
	{"a link of its own", `ln -s a m; cat m`, map[string]string{"a": "input opened", "m": "output followed+written -> a"}},
	{"a link turned", `cat l/x; rm l; ln -s . l; cat l/a`, map[string]string{"l/x": "state opened", "l": "state followed+written -> d", "a": "input opened"}},
	{"a list", `ls`, map[string]string{".": "input looked+listed a b c d/ l@"}},
	{"a list with its own file", `echo 1 > out; rm a; echo > a; ls`, map[string]string{".": "input listed a? b c d/ l@"}},
	{"a list of a folder that is moved away", `ls d; mv d e`, map[string]string{"d": "state opened+looked+listed+written x"}},
	{"a script without #!", `printf 'cat a\n' > s; chmod +x s; ./s`, map[string]string{"a": "input opened", "./s": "output executed"}},
	{"a script's interpreter that is a script", `printf '#!/bin/sh\ncat "$1"\n' > i; printf '#!%s/i\n' "$PWD" > s; chmod +x i s; ./s`, map[string]string{
		"i": "output executed absent", "./s": "output executed"}},
	{"a pipe and a device", `mkfifo p; cat p & echo 1 > p; wait; cat /dev/null`, map[string]string{"a": "-"}},
	{"an absent folder", `cat no/such/file`, map[string]string{"no/such/file": "input opened absent"}},
	{"no folder", `cat a/file`, map[string]string{"a/file": "input opened absent"}},
	{"a loop of links", `ln -s loop loop; cat loop`, map[string]string{"a": "-"}},
}

func TestTrace(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := folderToTrace(t)
			cmd := exec.Command("sh", "-c", c.script)
			cmd.Dir = dir
			trace := run(t, cmd)
			if len(trace.Unseen) > 0 || trace.Unwatchable != "" || trace.Outlived {
				t.Errorf("%+v", trace)
			}
			got := map[string]string{}
			for _, f := range trace.Files {
				if rest, ok := strings.CutPrefix(f.Name, dir+"/"); ok && rest != "." {
					got[rest] = describe(f)
				} else if f.Name == dir {
					got["."] = describe(f)
				}
			}
			for name, want := range c.want {
				switch have, ok := got[name]; {
				case want == "-" && ok && !strings.HasPrefix(have, "output"):
					t.Errorf("%s is %q", name, have)
				case want == "-":
				case !matches(have, want):
					t.Errorf("%s is %q, want %q", name, have, want)
				}
			}
		})
	}
}

// matches compares descriptions: the uses wanted must be among those had.
func matches(have, want string) bool {
	h, w := strings.Fields(have), strings.Fields(want)
	if len(h) != len(w) || len(h) < 2 || h[0] != w[0] || !slices.Equal(h[2:], w[2:]) {
		return false
	}
	for _, use := range strings.Split(w[1], "+") {
		if !slices.Contains(strings.Split(h[1], "+"), use) {
			return false
		}
	}
	return strings.Contains(h[1], "opened") == strings.Contains(w[1], "opened") || strings.Contains(w[1], "executed") || strings.Contains(h[0], "state")
}

func describe(f File) string {
	var uses []string
	for i, name := range []string{"opened", "executed", "looked", "listed", "followed", "written"} {
		if f.Use>>i&1 != 0 {
			uses = append(uses, name)
		}
	}
	s := f.Fate.String() + " " + strings.Join(uses, "+")
	if f.Stamp.Absent() && f.Target == "" {
		s += " absent"
	}
	if f.Target != "" {
		s += " -> " + f.Target
	}
	if f.Use&Listed != 0 {
		for _, e := range f.Entries {
			s += " " + e.Name + map[fs.FileMode]string{fs.ModeDir: "/", fs.ModeSymlink: "@", fs.ModeIrregular: "?"}[e.Type]
		}
	}
	return s
}

func folderToTrace(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d/x"} {
		os.Mkdir(filepath.Join(dir, filepath.Dir(name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDisturbed: what somebody else changes after the program has read it is
// said, and what was changed before is read as it then was.
func TestDisturbed(t *testing.T) {
	dir := folderToTrace(t)
	cmd := exec.Command("sh", "-c", `cat a; [ -f none ]; echo; read line; cat b`)
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w, err := Start(cmd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b [2]byte
	io.ReadFull(out, b[:]) // it has read a
	for _, name := range []string{"a", "b", "none"} {
		os.WriteFile(filepath.Join(dir, name), []byte("another"), 0o644)
	}
	fmt.Fprintln(in, "go on")
	w.Wait()
	for _, f := range w.Finish().Files {
		want, ok := map[string]bool{"a": false, "b": true, "none": false}[strings.TrimPrefix(f.Name, dir+"/")]
		if !ok {
			want = true
		}
		if f.Fate == Input && f.Same() != want {
			t.Errorf("%s: %s, the same: %v", f.Name, describe(f), !want)
		}
		if f.Name == dir+"/b" && f.Stamp.Size != 7 {
			t.Errorf("the stamp of b is of before the change: %+v", f.Stamp)
		}
	}
}

// TestPrograms: who read a file, what was looked for along PATH and where to
// was connected are said as a person would.
func TestPrograms(t *testing.T) {
	dir := folderToTrace(t)
	os.WriteFile(filepath.Join(dir, "train.py"), []byte("import helpers, socket\nprint(open('a').read())\ns = socket.socket()\ns.settimeout(1)\ntry: s.connect(('127.0.0.1', 1))\nexcept OSError: pass\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "helpers.py"), []byte("import subprocess\nsubprocess.run(['tool', 'c'])\n"), 0o644)
	os.Mkdir(filepath.Join(dir, "bin"), 0o755)
	os.WriteFile(filepath.Join(dir, "bin", "tool"), []byte("#!/bin/sh\nread line\ncat b; command -v nosuchtool; sort\n"), 0o755)
	cmd := exec.Command("sh", "-c", "exec /usr/bin/python3 train.py")
	cmd.Dir = dir
	path := filepath.Join(dir, "nobin") + ":" + filepath.Join(dir, "bin") + ":/usr/bin:/bin"
	cmd.Env = []string{"PATH=" + path}
	trace := run(t, cmd)
	by := map[string]string{}
	for _, f := range trace.Files {
		by[strings.TrimPrefix(f.Name, dir+"/")] = f.By
	}
	for name, want := range map[string]string{"helpers.py": "train.py", "a": "train.py", "b": "cat", "train.py": "train.py"} {
		if by[name] != want {
			t.Errorf("%s was read by %q, want %q", name, by[name], want)
		}
	}
	for name, want := range map[string]string{"tool": filepath.Join(dir, "bin", "tool"), "cat": "/usr/bin/cat", "nosuchtool": ""} {
		if !slices.ContainsFunc(trace.Searches, func(s Search) bool { return s.Name == name && s.Found == want }) {
			t.Errorf("no search for %s that found %q among %+v", name, want, trace.Searches)
		}
	}
	if len(trace.Connections) != 1 || trace.Connections[0] != (Connection{"127.0.0.1:1", "train.py"}) {
		t.Errorf("connections: %+v", trace.Connections)
	}
	if trace.StdinReader != "sort" {
		t.Errorf("the empty stdin was read by %q", trace.StdinReader)
	}
}

// TestStdin: only the reading of our own empty stdin is told.
func TestStdin(t *testing.T) {
	for script, want := range map[string]string{
		"cat":                          "cat",
		"cat < /etc/passwd":            "",
		"cat < /dev/null":              "",
		"echo x | cat":                 "",
		"bash -c 'read x'":             "bash -c",
		"true":                         "",
		"(exec 0</etc/passwd; cat); :": "",
	} {
		if trace := run(t, exec.Command("sh", "-c", script)); trace.StdinReader != want {
			t.Errorf("%s: %q, want %q", script, trace.StdinReader, want)
		}
	}
}

// TestUnseen: what reads by other means than names is said.
func TestUnseen(t *testing.T) {
	for reason, script := range map[string]string{
		"io_uring":          fmt.Sprintf(`import ctypes; ctypes.CDLL(None).syscall(%d, 0, 0)`, 425),
		"open_by_handle_at": fmt.Sprintf(`import ctypes; ctypes.CDLL(None).syscall(%d, 0, 0, 0)`, syscallOpenByHandle),
	} {
		trace := run(t, exec.Command("/usr/bin/python3", "-c", script))
		if !strings.Contains(strings.Join(trace.Unseen, "; "), reason) {
			t.Errorf("%s: unseen is %q", reason, trace.Unseen)
		}
	}
	if os.Getuid() == 0 {
		root := t.TempDir()
		os.WriteFile(filepath.Join(root, "passwd"), nil, 0o644)
		cmd := exec.Command("/usr/bin/python3", "-c", `import os, sys; os.chroot(sys.argv[1]); os.stat("/passwd")`, root)
		if trace := run(t, cmd); !strings.Contains(strings.Join(trace.Unseen, "; "), "root") {
			t.Errorf("unseen is %q after chroot", trace.Unseen)
		}
	}
}

// TestPathsOfTheKernel: what its file systems show of others is followed, and
// they themselves are left out.
func TestPathsOfTheKernel(t *testing.T) {
	dir := folderToTrace(t)
	cmd := exec.Command("sh", "-c", `cat /proc/self/cwd/a /proc/self/`+"root"+`/etc/passwd /proc/self/status /sys/kernel/mm/transparent_hugepage/enabled; exec 3<b; cat /dev/fd/3; ls /proc/self/fd`)
	cmd.Dir = dir
	trace := run(t, cmd)
	for _, f := range trace.Files {
		if strings.HasPrefix(f.Name, "/sys/") || f.Name == "/proc" || f.Name == "/proc/self/status" {
			t.Errorf("%s: %s", f.Name, describe(f))
		}
	}
	for _, name := range []string{"a", "b"} {
		if !slices.ContainsFunc(trace.Files, func(f File) bool {
			st, err := os.Stat(filepath.Join(dir, name))
			return err == nil && f.Use&Opened != 0 && f.Stamp.Inode == st.Sys().(*syscall.Stat_t).Ino
		}) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestUnreadable: names that we may not read are said to be unseen, and those
// that end where the memory ends are read.
func TestUnreadable(t *testing.T) {
	const script = `
import ctypes, ctypes.util, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
at = libc.mmap(None, 12288, 3, 0x22, -1, 0)
libc.munmap(at + 8192, 4096)
for name in sys.argv[1:]:
    raw = os.fsencode(name) + b"\0"
    for end in at + 8192, at + 4096 + len(raw) // 2:
        ctypes.memmove(end - len(raw), raw, len(raw))
        libc.open.argtypes = [ctypes.c_void_p, ctypes.c_int]
        fd = libc.open(end - len(raw), 0)
        assert fd >= 0
        os.close(fd)
if os.getenv("HIDE"):
    libc.prctl(4, 0, 0, 0, 0)
    os.stat("/etc/group")
`
	dir := folderToTrace(t)
	long := dir + strings.Repeat("/d/..", 600) + "/b"
	cmd := exec.Command("/usr/bin/python3", "-c", script, dir+"/a", long)
	trace := run(t, cmd)
	if !cmd.ProcessState.Success() || !uses(trace, dir+"/a", Opened) || !uses(trace, long, Opened) || len(trace.Unseen) > 0 {
		t.Errorf("%v; unseen %q", cmd.ProcessState, trace.Unseen)
	}
	if os.Getuid() != 0 {
		cmd = exec.Command("/usr/bin/python3", "-c", script)
		cmd.Env = append(os.Environ(), "HIDE=1")
		if trace := run(t, cmd); !strings.Contains(strings.Join(trace.Unseen, "; "), "can't be read") {
			t.Errorf("unseen is %q", trace.Unseen)
		}
	}
}
