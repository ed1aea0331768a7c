package key

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dvlcache/cache/internal/files"
)

// IsLauncher reports whether a program, by its base name, is one of those that
// start another which their arguments name: an interpreter with its script, or
// env, timeout and the like.
func IsLauncher(program string) bool {
	name := filepath.Base(program)
	for _, family := range []string{"python", "pypy", "ruby", "perl", "lua", "php", "node"} {
		if rest, ok := strings.CutPrefix(name, family); ok && strings.Trim(rest, "0123456789.") == "" {
			return true // python3.11
		}
	}
	switch name {
	case "sh", "bash", "dash", "zsh", "ksh", "fish", "awk", "gawk", "mawk", "Rscript", "julia", "octave", "java", "deno", "bun",
		"env", "nice", "ionice", "chrt", "nohup", "time", "timeout", "stdbuf", "setsid", "taskset", "numactl", "prlimit", "chronic", "flock",
		"srun", "mpirun", "mpiexec", "torchrun", "accelerate", "apptainer", "singularity",
		"uv", "uvx", "poetry", "pipenv", "pipx", "hatch", "pdm", "conda", "mamba", "micromamba", "pixi", "npx", "make":
		return true
	}
	return false
}

// interpreter returns the path of what the #! line of a script, a regular file,
// names, or "". For env that is the program that it finds on PATH.
func interpreter(script string) string {
	f, err := files.OpenRegular(script, os.O_RDONLY, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	// As much as the kernel reads.
	head := make([]byte, 256)
	n, _ := f.Read(head)
	line, ok := bytes.CutPrefix(head[:n], []byte("#!"))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return ""
	}
	path := words[0]
	if filepath.Base(path) == "env" {
		value := false // the word belongs to the option before it
		for _, word := range words[1:] {
			if option := strings.HasPrefix(word, "-"); option || value || strings.Contains(word, "=") {
				value = option && takesValue(word)
				continue
			}
			path = word
			break
		}
	}
	if path, err = exec.LookPath(path); err != nil {
		return "" // the program's start will say so
	}
	return path
}

// takesValue reports whether the word after this option of env belongs to it.
func takesValue(option string) bool {
	switch option {
	case "--unset", "--chdir", "--argv0":
		return true
	}
	i := strings.IndexAny(option, "uCaPS") // of letters in one word, the first that takes the rest
	return !strings.HasPrefix(option, "--") && i == len(option)-1 && option[i] != 'S'
}

// lookIn finds the program of a name as it would be found with that PATH, or
// returns "".
func lookIn(name, path string) string {
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		if found, err := exec.LookPath(strings.TrimSuffix(dir, "/") + "/" + name); err == nil {
			return found
		}
	}
	return ""
}
