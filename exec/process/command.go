package process

import (
	"errors"
	"io"
	"io/fs"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"dvlcache/cache/plain"
)

// arrayIndices are the variables by which schedulers number the tasks of an
// array. They are withheld from programs, since the number of one task would
// be answered to all.
var arrayIndices = []string{"SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "SGE_TASK_ID", "LSB_JOBINDEX", "PARALLEL_SEQ", "PBS_ARRAYID"}

// LookPath finds the executable of a command as execvp(3) would, in the working
// directory too if PATH names it, and leaves links as they are. Its error is a
// *StartError.
func LookPath(command string) (string, error) {
	path, err := osexec.LookPath(command)
	if err == nil || errors.Is(err, osexec.ErrDot) {
		return path, nil
	}
	missing := errors.Is(err, osexec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if missing && strings.ContainsRune(command, filepath.Separator) {
		_, statErr := os.Stat(command)
		missing = statErr != nil
	}
	var inner *osexec.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return "", &StartError{Command: command, Err: plain.Error(err), NotFound: missing}
}

// Command is a program to run.
type Command struct {
	Path    string
	Args    []string // with its name
	Env     []string
	Stdin   io.Reader // nil: empty
	Tee     bool      // show stdout on stderr as well
	Timeout time.Duration
	Watch   WatchMode
}

// WatchMode says whether the files that a program uses are to be seen.
type WatchMode int

// How a program is watched.
const (
	Unwatched       WatchMode = iota
	WatchIfPossible           // else it runs unwatched
	WatchOrFail               // else it isn't run: Run's error is a *watch.Unavailable
)

// Environment is our own without the array indices of schedulers, and without what tells a
// program that is no rank of ours, except what is to be handed on, and with extra.
func Environment(noRank bool, handOn []string, extra ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return (slices.Contains(arrayIndices, name) || noRank && TellsRank(name)) && !slices.Contains(handOn, name)
	})
	return append(env, extra...)
}
