// Package launch says what a command line starts: which words launchers take for
// programs, what a #! line names, and what is found on PATH. It knows nothing of keys.
package launch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/internal/files"
)

// interpreters are programs that start a script.
const interpreters = " " +
	"sh bash dash zsh ksh mksh ash yash fish csh tcsh elvish nu xonsh pwsh busybox toybox " +
	"python pypy jython ipython micropython ruby jruby perl raku lua luajit php node nodejs deno bun ts-node tsx " +
	"awk gawk mawk nawk R r Rscript julia octave octave-cli scilab matlab sage gnuplot java groovy scala kotlin clojure clj " +
	"tclsh wish expect guile sbcl clisp racket ghc runghc runhaskell ocaml elixir escript erl swift go cargo stack cabal dotnet mono wine "

// wrappers are programs that start another one somewhere, or somehow.
const wrappers = " " +
	"env nice ionice chrt nohup time timeout timelimit stdbuf setsid taskset numactl prlimit chronic flock unbuffer script " +
	"xargs parallel watch sudo doas su runuser pkexec setpriv capsh chroot unshare nsenter setarch linux32 linux64 i386 x86_64 choom " +
	"systemd-run systemd-inhibit cgexec cpulimit firejail bwrap proot fakeroot faketime eatmydata rlwrap xvfb-run dbus-run-session " +
	"strace ltrace gdb valgrind perf nsys ncu nvprof rocprof likwid-pin likwid-perfctr hwloc-bind catchsegv " +
	"srun mpirun mpiexec orterun prterun prun aprun jsrun ibrun flux horovodrun deepspeed torchrun accelerate ray " +
	"apptainer singularity docker podman nerdctl charliecloud ch-run enroot udocker " +
	"uv uvx poetry pipenv pipx hatch pdm rye tox nox conda mamba micromamba pixi npx pnpm yarn bundle dotenv direnv asdf mise rtx pyenv rbenv nix nix-shell guix " +
	"make gmake bmake ninja just task snakemake doit invoke "

// IsLauncher reports whether a program, by its base name, is one of those that
// start another which their arguments name.
func IsLauncher(program string) bool {
	name := filepath.Base(program)
	for _, family := range []string{"mpirun.", "mpiexec.", "ld-linux", "qemu-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return among(wrappers, name) || among(interpreters, name)
}

// among reports whether a list has a name, with a version or without: python3.11.
func among(list, name string) bool {
	bare := strings.TrimRight(name, "0123456789.-")
	return bare != "" && (strings.Contains(list, " "+name+" ") || strings.Contains(list, " "+bare+" "))
}

// Word is what of an argument a launcher may look for on PATH: all of it, or what
// stands behind its "=".
func Word(arg string) string {
	arg = arg[strings.LastIndexByte(arg, '=')+1:]
	if strings.HasPrefix(arg, "-") || strings.Contains(arg, "/") {
		return ""
	}
	return arg
}

// ProgramNames are the names that rules for a command go by: its base name and,
// where it starts another program, that of the program or script behind it, which
// is the first argument that names a file, or a program on PATH that starts no
// other one in its turn.
func ProgramNames(args []string) []string {
	names, _ := Walk(args, isFile, isFound)
	return names
}

// Own is how many of a launcher's arguments are its own, the program that it starts
// and what stands before that; all if no program is found.
func Own(args []string) int {
	_, own := Walk(args, isFile, isFound)
	return own
}

func isFile(arg string) bool {
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

func isFound(arg string) bool {
	_, err := exec.LookPath(arg)
	return err == nil || errors.Is(err, exec.ErrDot)
}

// Walk is ProgramNames and Own, for somebody who knows otherwise which arguments name a
// file, and which a program on PATH.
func Walk(args []string, isFile, isFound func(arg string) bool) (names []string, own int) {
	names = []string{filepath.Base(args[0])}
	if !IsLauncher(args[0]) {
		return names, 0
	}
	// These have a file of their own before the program.
	before := slices.Contains([]string{"flock", "apptainer", "singularity"}, names[0])
	interpreter := among(interpreters, names[0])
	for i, arg := range args[1:] {
		if isFile(arg) {
			if before {
				before = false
				continue
			}
			return append(names, filepath.Base(arg)), i + 1
		}
		if interpreter && i > 0 && IsText(args[i]) {
			return names, i + 1
		}
		if Word(arg) != arg || arg == "" {
			continue
		}
		if isFound(arg) {
			names = append(names, arg)
			if !IsLauncher(arg) {
				return names, i + 1
			}
			interpreter = among(interpreters, arg)
		}
	}
	return names, len(args) - 1
}

// IsText reports whether the argument behind an interpreter's option is what it
// runs: a text, or a module.
func IsText(option string) bool {
	switch option {
	case "--eval", "--module", "--command", "--print", "--expression":
		return true
	}
	return len(option) > 1 && option[0] == '-' && option[1] != '-' && strings.ContainsAny(option[len(option)-1:], "cmeEp")
}

// sources are the ends of names of what is run, or compiled.
const sources = " .py .pyw .pyc .ipynb .sh .bash .zsh .ksh .fish .csh .R .r .Rmd .jl .pl .pm .rb .lua .php .js .mjs .cjs .ts .tsx .m .do .sas .awk .sed .tcl .scm .lisp .hs .ml .ex .exs .erl .go .rs .c .h .cc .cpp .hpp .cu .f .f90 .java .scala .kt .swift .jar .war .class .so .dll .exe .mk .cmake .nix .smk .nf .sql .stan "

// IsSource reports whether a file is a program or a script: by the end of its name,
// or by how it begins. Its mode says nothing where all files may be executed.
func IsSource(path string) bool {
	path = strings.TrimLeft(path, "@")
	if end := filepath.Ext(path); end != "" && strings.Contains(sources, " "+end+" ") {
		return true
	}
	f, err := files.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [4]byte
	n, _ := f.Read(head[:])
	for _, magic := range []string{"#!", "\x7fELF", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "MZ"} {
		if strings.HasPrefix(string(head[:n]), magic) {
			return true
		}
	}
	return false
}
