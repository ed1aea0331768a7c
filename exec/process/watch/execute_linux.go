//go:build amd64 || arm64

package watch

import (
	"encoding/binary"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dvlcache/exec/process/watch/loader"
	"dvlcache/exec/process/watch/trap"
)

// execute sees what the kernel opens to execute a file: the file, the
// interpreter in its #! line, and so on up to five levels, and the loader.
func (r *reader) execute(name []byte, flags uint64, n *trap.Notification) {
	s := &r.seen
	first, here := r.touch(name, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
	if first == nil {
		return
	}
	script, runs := r.opened(first, here)
	if !runs {
		return
	}
	args := r.arguments(n, first.name)
	program := &program{name: nameOf(first.name, script, args)}
	r.search(first, args, program)
	t := *r.task()
	t.program = program
	s.tasks[t.tgid] = &t
	if t.tgid != n.PID {
		delete(s.tasks, n.PID)
	}
}

// opened sees what the kernel opens to execute a file, and reports whether it
// is a script, and whether it will run.
func (r *reader) opened(rec *record, here found) (script, runs bool) {
	r.use(rec, Opened|Executed)
	if here.kind != regular || here.stamp.mode&0o111 == 0 {
		return false, false
	}
	for level := 0; level <= 5; level++ {
		if reason := r.changesRights(here); r.restricted && reason != "" {
			r.giveUp(reason)
			return false, false
		}
		h := r.head(rec)
		if h.Foreign {
			r.seen.unseen(path.Base(rec.path) + " is for another architecture")
		}
		next := h.Interpreter
		if next == "" && !h.ELF {
			r.outside()
			next = loader.Registered(rec.path)
			r.inside()
		}
		if next == "" {
			break
		}
		script = script || level == 0 && h.Script
		if !strings.HasPrefix(next, "/") {
			next = join(string(r.folderOf(unix.AT_FDCWD)), next)
		}
		if rec, here = r.touch([]byte(next), true); rec == nil {
			break
		}
		r.use(rec, Opened|Executed)
		if here.kind != regular || h.ELF {
			break
		}
	}
	return script, true
}

// first sees the execution of the command itself, which the keeper lets
// through. It is called by us, before there is anything of the tree.
func (r *reader) first() {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := uint32(os.Getpid())
	r.n = &trap.Notification{PID: own}
	r.seen.tasks[own] = &task{tgid: own, program: r.seen.root}
	defer delete(r.seen.tasks, own)
	folder := string(r.folderOf(unix.AT_FDCWD))
	if dir := r.cmd.Dir; dir != "" {
		folder = behind(folder, dir)
		r.look([]byte(folder), true)
	}
	name := behind(folder, r.cmd.Path)
	rec, here := r.touch([]byte(name), true)
	if rec == nil {
		return
	}
	script, _ := r.opened(rec, here)
	r.seen.root.name = nameOf(name, script, r.cmd.Args)
	r.search(rec, r.cmd.Args, r.seen.root)
}

// head reads the beginning of an executable, once.
func (r *reader) head(rec *record) loader.Head {
	if h, ok := r.seen.heads[rec.path]; ok && !r.seen.isOwned(rec.path) {
		return h
	}
	r.outside()
	h, err := loader.Read(rec.path)
	r.inside()
	if err != nil {
		r.seen.unseen("an executable can't be read: " + err.Error())
	}
	r.seen.heads[rec.path] = h
	return h
}

// changesRights says of a file that is executed whether it gives rights that
// it doesn't give under no_new_privs.
func (r *reader) changesRights(f found) string {
	r.outside()
	defer r.inside()
	return rightsOf(f.path, f.stamp.mode, f.stamp.uid, f.stamp.gid)
}

func rightsOf(name string, mode, uid, gid uint32) string {
	if mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	gives := mode&unix.S_ISUID != 0 && int(uid) != os.Geteuid() ||
		mode&(unix.S_ISGID|0o010) == unix.S_ISGID|0o010 && int(gid) != os.Getegid()
	if !gives {
		if n, err := unix.Getxattr(name, "security.capability", nil); err != nil || n == 0 {
			return ""
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(name, &fs); err == nil && fs.Flags&unix.ST_NOSUID != 0 {
		return ""
	}
	return path.Base(name) + " runs with rights of its own (set-user-ID), which it would lose"
}

// losesRights says whether the command itself would lose rights.
func (s *seen) losesRights(name string) string {
	for range 6 {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil {
			return ""
		}
		if reason := rightsOf(name, st.Mode, st.Uid, st.Gid); reason != "" {
			return reason
		}
		h, _ := loader.Read(name)
		if !h.Script {
			return ""
		}
		name = h.Interpreter
	}
	return ""
}

// arguments are the first ones of a call that executes.
func (r *reader) arguments(n *trap.Notification, name string) []string {
	at := n.Args[1]
	if n.Nr == unix.SYS_EXECVEAT {
		at = n.Args[2]
	}
	if n.Arch != trap.NativeArch {
		return []string{name}
	}
	const few = 8
	var pointers [few * 8]byte
	r.outside()
	got, _ := readMemory(int(r.n.PID), pointers[:], uintptr(at))
	r.inside()
	var args []string
	for b := pointers[:got]; len(b) >= 8; b = b[8:] {
		p := binary.NativeEndian.Uint64(b)
		if p == 0 {
			break
		}
		arg, ok := r.stringAt(r.two[:unix.PathMax], uintptr(p))
		if !ok {
			break
		}
		args = append(args, string(arg))
	}
	return args
}

// interpreters run a script that an argument names.
var interpreters = []string{"python", "perl", "ruby", "node", "sh", "bash", "dash", "zsh", "ksh", "Rscript", "julia", "lua", "php", "env", "make", "octave"}

// nameOf is how a person would call a program.
func nameOf(file string, script bool, args []string) string {
	base := path.Base(file)
	if script || len(args) < 2 || base == "make" || base == "env" {
		return base
	}
	if !slices.Contains(interpreters, strings.TrimRight(base, "0123456789.")) {
		return base
	}
	for i, a := range args[1:] {
		switch {
		case a == "-m" && i+2 < len(args):
			return base + " -m " + args[i+2]
		case a == "-c" || a == "-e":
			return base + " " + a
		case !strings.HasPrefix(a, "-") && a != "":
			return path.Base(a)
		}
	}
	return base
}

// search notes that a program was found along PATH: it is called by its name
// alone, and lies in one of the folders.
func (r *reader) search(rec *record, args []string, by *program) {
	if len(args) == 0 || strings.Contains(args[0], "/") || args[0] != path.Base(rec.name) || !slices.Contains(r.seen.pathDirs, path.Dir(rec.name)) {
		return
	}
	r.seen.search(args[0], rec.name, by.name)
}
