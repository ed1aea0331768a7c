//go:build linux && (amd64 || arm64)

package watch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// straced are real programs, whose names are compared with what strace tells.
var straced = []struct {
	name  string
	needs []string
	// script runs below strace -f.
	script string
}{
	{"sh", nil, `for f in /etc/*; do [ -d "$f" ] && cd "$f" && [ -f x ]; done; cd / && cat etc/passwd | sort | uniq | wc -l`},
	{"python", []string{"python3"}, `/usr/bin/python3 -c 'import json, email, sqlite3, unittest, os; os.chdir("/etc"); open("passwd"); os.listdir(".."); print(os.path.realpath("/proc/self/exe"))'`},
	{"perl", []string{"perl"}, `perl -MData::Dumper -MFile::Spec -MPOSIX -e 'chdir "/etc"; opendir D, "."; print scalar(readdir D); open F, "<", "../etc/group"; print <F>'`},
	{"make and gcc", []string{"make", "gcc"}, `printf '#include <stdio.h>\n#include <math.h>\nint main(void){return 0;}' > a.c; printf 'a: a.c\n\tgcc -o a a.c -lm\n' > Makefile; make && ./a`},
	{"tar", []string{"tar"}, `mkdir d; for i in 1 2 3; do echo $i > d/$i; done; ln -s 1 d/l; tar -cf a.tar d; mkdir e; tar -C e -xf a.tar; cat e/d/l`},
	{"rsync", []string{"rsync"}, `mkdir d; for i in 1 2 3; do echo $i > d/$i; done; rsync -a d/ e/; rm d/2; rsync -a --delete d/ e/`},
	{"sqlite3", []string{"sqlite3"}, `sqlite3 x 'create table t(a); insert into t values (1); select * from t'`},
	{"git", []string{"git"}, `export HOME=$PWD; git init -q r; cd r; git config user.email a@b.c; git config user.name a; echo 1 > f; git add f; git commit -qm 1; git log`},
	{"find and grep", nil, `find /etc -name '*.conf' 2>/dev/null | head -n 20 | xargs grep -l a; ls -lR /usr/lib/python3/dist-packages/numpy 2>/dev/null | tail -n 1`},
	{"awk, sed and sort", nil, `awk -F: '{ print $1 > "names" } END { close("names"); while ((getline l < "names") > 0) n++; print n }' /etc/passwd; sed -i s/daemon/nomead/ names; sort -o names names; mv names other; cp -a other third; ln other fourth; rm other; tail -n 1 fourth third`},
	{"links", nil, `mkdir -p a/b c; ln -s ../a/b c/l; echo x > a/x; cat c/l/../x; ln -s /etc/passwd p; ln -s p q; cat q >/dev/null; readlink -f q; [ -e c/nothing ]; [ -L q ]`},
}

// TestSeesAll compares the names that strace tells of with those that we saw in
// the same run: each is a file of the trace, or is left out by rule.
func TestSeesAll(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
	for _, p := range straced {
		t.Run(p.name, func(t *testing.T) {
			for _, need := range p.needs {
				if _, err := exec.LookPath(need); err != nil {
					t.Skip("needs " + need)
				}
			}
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(t.TempDir(), "log")
			cmd := exec.Command("strace", "-f", "-y", "-s", "5000", "-e", "trace=%file,getdents64,clone,clone3,fork,vfork,fchdir", "-e", "signal=none", "-o", log, "sh", "-c", p.script)
			cmd.Dir = dir
			trace := run(t, cmd)
			if len(trace.Unseen) > 0 || trace.Unwatchable != "" {
				t.Errorf("unseen %q, unwatchable %q", trace.Unseen, trace.Unwatchable)
			}
			seen := map[string]bool{}
			for _, f := range trace.Files {
				seen[f.Name] = true
			}
			names := straceNames(t, log, dir)
			missing := 0
			for name, line := range names {
				// Through a link of the program's own it is known by its place.
				if place, err := filepath.EvalSymlinks(name); seen[name] || err == nil && seen[place] || leftOutByRule(name) {
					continue
				}
				if missing++; missing <= 10 {
					t.Errorf("not seen: %s\n\t%s", name, line)
				}
			}
			t.Logf("%d names", len(names))
			if len(names) < 30 {
				t.Errorf("strace told only %d names", len(names))
			}
		})
	}
}

// leftOutByRule reports whether a name is on a file system of the kernel, or
// no file, folder or link.
func leftOutByRule(name string) bool {
	for _, top := range []string{"/proc", "/sys"} {
		if name == top || strings.HasPrefix(name, top+"/") {
			return true
		}
	}
	info, err := os.Stat(name)
	if target, _ := filepath.EvalSymlinks(filepath.Dir(name)); strings.HasPrefix(target, "/proc") {
		return true
	}
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

var (
	straceLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	straceName = regexp.MustCompile(`(?:(\d+|AT_FDCWD)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"(\.\.\.)?`)
	straceDone = regexp.MustCompile(`^(\d+) .* = (-?\d+)`)
)

// straceNames are the names in a log of strace, made absolute, with the line
// that each stands in.
func straceNames(t *testing.T, log, dir string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	names, cwd := map[string]string{}, map[string]string{}
	pending := map[string]string{}
	in := func(pid string) string {
		if d, ok := cwd[pid]; ok {
			return d
		}
		return dir
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			// The rest of a call that was begun before.
			if d := straceDone.FindStringSubmatch(line); d != nil {
				if to, ok := pending[d[1]]; ok && strings.Contains(line, "chdir resumed") {
					if d[2] == "0" {
						cwd[d[1]] = to
					}
					delete(pending, d[1])
				} else if strings.Contains(line, "clone") || strings.Contains(line, "fork") {
					cwd[d[2]] = in(d[1])
				}
			}
			continue
		}
		pid, call, args := m[1], m[2], m[3]
		done := straceDone.FindStringSubmatch(line)
		switch {
		case strings.Contains(call, "fork") || strings.Contains(call, "clone"):
			if done != nil && done[2] != "-1" {
				cwd[done[2]] = in(pid)
			}
			continue
		case call == "fchdir":
			if i, j := strings.IndexByte(args, '<'), strings.LastIndexByte(args, '>'); i >= 0 && j > i && done != nil && done[2] == "0" {
				cwd[pid] = args[i+1 : j]
			}
			continue
		case call == "getcwd" || call == "getdents64" || call == "mount" || call == "statfs" && !strings.Contains(args, `"`):
			continue
		}
		if strings.Contains(args, "AT_EMPTY_PATH") {
			continue
		}
		found := straceName.FindAllStringSubmatch(args, -1)
		most := 1
		if strings.HasPrefix(call, "rename") || strings.HasPrefix(call, "link") {
			most = 2
		}
		if strings.HasPrefix(call, "symlink") && len(found) > 1 {
			found = found[1:] // where it leads is no name yet
		}
		for i, f := range found {
			if i == most {
				break
			}
			name, err := strconv.Unquote(`"` + f[3] + `"`)
			if err != nil {
				name = f[3]
			}
			if name == "" {
				continue
			}
			if !strings.HasPrefix(name, "/") {
				from := in(pid)
				if f[2] != "" {
					from = f[2]
				}
				if name = from + "/" + name; from == "/" {
					name = name[1:]
				}
			}
			names[name] = strings.TrimSpace(line)
			if call == "chdir" {
				if done == nil {
					pending[pid] = clean(name)
				} else if done[2] == "0" {
					cwd[pid] = clean(name)
				}
			}
		}
	}
	return names
}

// clean is the folder that a name leads to.
func clean(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		return real
	}
	return filepath.Clean(name)
}
