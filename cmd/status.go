package cmd

import (
	"errors"
	"syscall"

	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// The exit statuses of our own; see docs/exit-status.md. COMMAND's own status
// is passed on.
const (
	statusFailedLines   = 1 // of batch; of verify: numbers differ; of check: there is damage
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

// exitStatus maps errors to exit statuses.
func exitStatus(err error) int {
	if err == nil {
		return 0 // for each line of a batch
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
		place   *key.NoProjectError
		lines   *failedLines
	)
	switch {
	case errors.As(err, &exit):
		return exit.Status
	case errors.As(err, &lines), errors.Is(err, exec.ErrHalted), errors.Is(err, errImpure), errors.Is(err, errUnverified), errors.Is(err, errDamaged):
		return statusFailedLines
	case errors.Is(err, exec.ErrNotCached):
		return statusNotCached
	case errors.As(err, &number):
		return statusNoNumber
	case errors.As(err, &timeout):
		return statusTimeout
	case errors.As(err, &start) && start.NotFound:
		return statusNotFound
	case errors.As(err, &start):
		return statusNotExecutable
	case errors.As(err, &signal):
		return statusSignal + int(signal.signal)
	case errors.As(err, &wrong), errors.As(err, &setting), errors.As(err, &rule),
		errors.As(err, &missing), errors.As(err, &place):
		return statusUsage
	default:
		return statusInternal
	}
}
