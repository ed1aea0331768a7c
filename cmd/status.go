package cmd

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"dvlcache/cache/folder"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
	"dvlcache/exec/valuation"
)

// The exit statuses of our own; see docs/exit-status.md. COMMAND's own status
// is passed on.
const (
	statusFailedLines   = 1 // of batch; a subset of value; of verify: numbers differ; of check: there is damage
	statusNotCached     = 3
	statusUsage         = 64
	statusNoNumber      = 65
	statusTimeout       = 124
	statusInternal      = 125
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128 // and the signal's number
)

// signalError is a signal that ended us.
type signalError struct{ signal syscall.Signal }

func (e *signalError) Error() string { return "ended by a signal: " + e.signal.String() }

// meaning is what an error means to the user: the exit status that we end with, and
// what would mend it, if that is known.
type meaning struct {
	status int
	hint   string
}

// meaningOf is the table of errors.
func meaningOf(err error) meaning {
	if err == nil {
		return meaning{} // for each line of a batch
	}
	var (
		exit    *process.ExitError
		start   *process.StartError
		timeout *process.TimeoutError
		number  *number.Error
		signal  *signalError
		wrong   *usageError
		setting *config.Error
		rule    *key.RuleError
		missing *key.MissingDependencyError
		project *key.NoProjectError
		lines   *failedLines
		changed *exec.ChangedError
		foreign *foreignError
		subset  *subsetError
		early   *unvaluedError
		stale   *changedError
		scale   *valuation.RangeError
		denied  *folder.PermissionError
	)
	switch {
	case errors.As(err, &subset):
		return subset.meaning()
	case errors.As(err, &stale):
		return meaning{statusFailedLines, changedHint}
	case errors.As(err, &early):
		return meaning{statusFailedLines, resumeHint}
	case errors.As(err, &scale):
		return meaning{statusFailedLines, "take logarithms, or another unit; what was evaluated is stored"}
	case errors.As(err, &exit):
		return meaning{exit.Status, ""}
	case errors.As(err, &changed):
		return meaning{statusFailedLines, changed.Hint}
	case errors.Is(err, errImpure):
		return meaning{statusFailedLines, "either something that isn't seen was another then (a file, where nobody watched what they read: name it with --depends-on; a variable: --env; the network), or they are not the same each time (average them with --repeat); --repair replaces or removes the entries"}
	case errors.Is(err, errDamaged):
		return meaning{statusFailedLines, "dvlcache check --salvage keeps what can be read"}
	case errors.As(err, &lines):
		return meaning{statusFailedLines, lines.hint}
	case errors.Is(err, exec.ErrHalted), errors.Is(err, errUnverified):
		return meaning{statusFailedLines, ""}
	case errors.Is(err, exec.ErrNotCached):
		return meaning{statusNotCached, ""}
	case errors.As(err, &number) && number.Hint != "":
		return meaning{statusNoNumber, number.Hint}
	case errors.As(err, &number) && number.Extraction == "last":
		return meaning{statusNoNumber, "--extract finds numbers elsewhere: only, regex:RE, json:PATH"}
	case errors.As(err, &number):
		return meaning{statusNoNumber, ""}
	case errors.As(err, &timeout):
		return meaning{statusTimeout, ""}
	case errors.As(err, &start) && start.NotFound:
		return meaning{statusNotFound, startHint(start)}
	case errors.As(err, &start):
		return meaning{statusNotExecutable, startHint(start)}
	case errors.As(err, &signal):
		return meaning{statusSignal + int(signal.signal), ""}
	case errors.As(err, &wrong):
		return meaning{statusUsage, wrong.hint}
	case errors.As(err, &setting):
		return meaning{statusUsage, setting.Hint}
	case errors.As(err, &rule), errors.As(err, &missing), errors.As(err, &project):
		return meaning{statusUsage, ""}
	case errors.As(err, &foreign):
		return meaning{statusInternal, foreign.hint}
	case errors.As(err, &denied):
		return meaning{statusInternal, denied.Hint()}
	default:
		return meaning{statusInternal, ""}
	}
}

// startHint says how a program could be started that can't be.
func startHint(err *process.StartError) string {
	name := err.Command
	info, statErr := os.Stat(name)
	file := statErr == nil && info.Mode().IsRegular()
	switch {
	case err.TooLong:
		return "in a batch {file} is the name of a file with the subset in it, of any size; by hand, with --by-content, a file does"
	case file && !strings.Contains(name, "/"):
		if _, lookErr := process.LookPath(name); lookErr == nil {
			return "" // it is another one, on PATH
		}
		return "the one in this folder is ./" + name
	case file && errors.Is(err, fs.ErrPermission):
		return "'chmod +x " + name + "' if it is a program, or name its interpreter before it"
	case file && err.NotFound:
		f, openErr := os.Open(name)
		if openErr != nil {
			return ""
		}
		defer f.Close()
		line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
		if strings.HasSuffix(line, "\r\n") {
			return "its lines end as on Windows; sed -i 's/\\r$//' " + name + " mends it"
		}
		if !strings.HasPrefix(line, "#!") {
			return "it is built for another system; build it on this one"
		}
		return "its first line is " + strings.TrimSpace(line)
	case err.NotFound && strings.Contains(name, " "):
		return "write COMMAND and its arguments without quotes around all of them"
	}
	return ""
}
