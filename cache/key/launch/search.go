package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"dvlcache/cache/internal/files"
)

// Finder finds what is started. It looks at each script and for each name once: make
// a new one whenever files may have changed. It is for one goroutine at a time.
type Finder struct {
	lines   map[string]*Line   // by path of the script
	paths   map[string]*Path   // by value of PATH
	folders map[string]*folder // by name
}

// NewFinder returns a Finder that has seen nothing.
func NewFinder() *Finder {
	return &Finder{map[string]*Line{}, map[string]*Path{}, map[string]*folder{}}
}

// Path is a PATH, and which programs were found there.
type Path struct {
	folders []*folder
	found   map[string]string
}

// folder is one of those in which programs are looked for.
type folder struct {
	prefix string // of the names in it
	asked  int
	names  map[string]struct{} // in lower case; nil: not known
}

// standardPath is where programs are found without a PATH, and under one that sudo
// and the like set. The folders are searched one by one, since their order differs.
var standardPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Paths are the PATHs on which a program that has these arguments may find
// another: ours, and those that it is given or falls back on.
func (f *Finder) Paths(program string, args []string) (all []*Path) {
	add := func(path string) {
		if p := f.path(path); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	path, ok := os.LookupEnv("PATH")
	if ok {
		add(path)
	}
	reset := !ok || resetsPath[filepath.Base(program)]
	env := filepath.Base(program) == "env"
	for i, arg := range args {
		if path, ok := strings.CutPrefix(arg, "PATH="); ok {
			add(path)
		} else if path, ok := strings.CutPrefix(arg, "-P"); ok && env { // of BSD's env
			if path == "" && i+1 < len(args) {
				path = args[i+1]
			}
			add(path)
		}
		name := filepath.Base(arg)
		env = env || name == "env"
		reset = reset || resetsPath[name] || env && (clearsEnvironment(arg) || arg == "PATH")
	}
	if reset {
		for _, dir := range standardPath {
			add(dir)
		}
	}
	return all
}

// resetsPath names programs that start others under a PATH of their own.
var resetsPath = map[string]bool{"sudo": true, "doas": true, "su": true, "runuser": true, "pkexec": true, "chroot": true, "systemd-run": true}

// clearsEnvironment reports whether this is an option of env that leaves no PATH.
func clearsEnvironment(arg string) bool {
	switch {
	case arg == "-", arg == "-uPATH", strings.HasPrefix(arg, "--i"), strings.HasPrefix(arg, "--u") && strings.HasSuffix(arg, "=PATH"):
		return true
	case strings.HasPrefix(arg, "--") || !strings.HasPrefix(arg, "-"):
		return false
	}
	return strings.HasPrefix(strings.TrimLeft(arg[1:], "v0"), "i")
}

func (f *Finder) path(path string) *Path {
	p := f.paths[path]
	if p == nil {
		p = &Path{found: map[string]string{}}
		f.paths[path] = p
		dirs := filepath.SplitList(path)
		if path == "" {
			dirs = []string{""}
		}
		for _, dir := range dirs {
			if dir == "" {
				dir = "."
			}
			in := f.folders[dir]
			if in == nil {
				in = &folder{prefix: strings.TrimSuffix(dir, "/") + "/"}
				f.folders[dir] = in
			}
			p.folders = append(p.folders, in)
		}
	}
	return p
}

// Find returns the path of a program, links unresolved, or "". Unlike
// exec.LookPath it finds what a relative entry leads to.
func (p *Path) Find(name string) string {
	found, ok := p.found[name]
	if ok {
		return found
	}
	for _, f := range p.folders {
		path := f.prefix + name
		if !f.mayHold(name) || files.Missing(path) {
			continue
		}
		var err error
		if found, err = exec.LookPath(path); err == nil {
			break
		}
		found = ""
	}
	p.found[name] = found
	return found
}

// manyWords is how many words are looked for in a folder one by one, before it is
// listed.
const manyWords = 64

// mayHold reports whether a folder may hold a file of this name.
func (f *folder) mayHold(name string) bool {
	if f.asked++; f.asked == manyWords {
		if d, err := os.Open(f.prefix); err == nil {
			if names, err := d.Readdirnames(-1); err == nil {
				f.names = make(map[string]struct{}, len(names))
				for _, n := range names {
					f.names[strings.ToLower(n)] = struct{}{}
				}
			}
			d.Close()
		}
	}
	if f.names == nil || runtime.GOOS == "windows" { // which adds .exe and such
		return true
	}
	for _, c := range []byte(name) {
		if c >= 0x80 {
			return true // it may be written in several ways
		}
	}
	_, ok := f.names[strings.ToLower(name)] // in a file system that tells no cases, too
	return ok
}
