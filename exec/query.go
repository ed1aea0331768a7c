package exec

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
	"dvlcache/exec/process/watch"
)

// Query is one call of a utility and how it is to be answered.
type Query struct {
	Args []string // COMMAND and its arguments
	// Files are made for each evaluation and removed after it; the key takes them for
	// what they hold. They are in the order of Args, which hold something else in the
	// place of their names.
	Files []key.File

	// What counts; see key.CallSpec.
	Rules     key.Rules
	TrackArgs bool
	Reads     Reads
	Paths     key.Paths
	DependsOn []string
	Untracked []string
	Gitignore bool
	Leave     []string
	Safe      []string
	Env       []string
	Stdin     *Input // nil: empty, and doesn't count
	// Descriptors are those that COMMAND inherits; see key.CallSpec.
	Descriptors []key.Descriptor
	Namespace   string

	// Program are the arguments by which marks know COMMAND, where all calls are of one program
	// though their arguments may not look so; nil: those of each.
	Program []string

	PassEnv []string // variables of those withheld that are handed on without counting
	// NoRank says that we are a rank of a parallel program and COMMAND is none: it isn't told
	// so, and ranks share the work.
	NoRank bool

	Extraction number.Extraction
	KeepOutput int // bytes of stdout to keep with the number
	// HideCommand keeps of the arguments, and of the values of variables,
	// digests alone.
	HideCommand bool

	Tee             bool
	AllowOpenStdout bool
	Timeout         time.Duration // of COMMAND; 0: none
	WaitTimeout     time.Duration // for another's evaluation, since its last sign of life; 0: none
	TimeThreshold   time.Duration // evaluations that took less aren't stored

	Strict     bool // fail where the store is out of order
	Refresh    bool // evaluate and overwrite
	OnlyCached bool // never evaluate
	// Default is answered where COMMAND exits with a status of 1 to 125, or
	// prints no number; empty: none.
	Default string

	// Repeat averages a stochastic utility; Stop says when its mean is
	// stable.
	Repeat Repeat
	Stop   cache.StopRule
}

// handsOnRank reports whether COMMAND is to know of our rank in any case.
func (q *Query) handsOnRank() bool {
	return slices.ContainsFunc(slices.Concat(q.Env, q.PassEnv), process.TellsRank)
}

// Repeat says how many evaluations of a stochastic utility a call makes. The
// zero value asks for one number, from whenever.
type Repeat struct {
	// Once makes one more evaluation as long as the mean isn't stable.
	Once bool
	// Samples makes evaluations until the entry holds that many; 0: off.
	Samples int64
	// Converge makes evaluations until the mean is stable.
	Converge bool
	// Jobs is how many evaluations run at a time, 1 if it is 0.
	Jobs int
}

func (r Repeat) on() bool { return r.Once || r.Converge || r.Samples > 0 }

// Answer is the number that a call is answered with.
type Answer struct {
	// Text is what to print: a single number as the program wrote it, or a
	// mean.
	Text string
	cache.Moments
	Cached    bool    // no evaluation in this call
	Stable    bool    // the mean meets Query.Stop
	Seconds   float64 // of one evaluation, in the mean
	Namespace string
	Call      *key.Call // nil if there is no key, and in a batch where it is answered by its key alone
	Key       key.Key   // zero if there is none
	// Unstored says why a number that was evaluated isn't stored; empty if
	// it is.
	Unstored string
	// Doubtful says that the number may be what a signal cut short, or of an output
	// that wasn't complete: Unstored says which.
	Doubtful bool
	Waited   bool // for another's evaluation
	// Trace is what the latest evaluation of this call was seen to use, if there was
	// one that was watched; Unwatched says why it was not, if it should have been.
	Trace     *watch.Trace
	Unwatched error
	// Mismatch says why no stored number answered; nil if there was none.
	Mismatch *inputs.Mismatch

	inputs func() *inputs.Set
}

// Inputs are what the evaluation used whose number it is; nil if that isn't known.
func (a *Answer) Inputs() *inputs.Set {
	if a.inputs == nil {
		return nil
	}
	return a.inputs()
}

// ErrNotCached is Query.OnlyCached's answer where there is no number.
var ErrNotCached = errors.New("not cached, and --only-cached is given")

// ChangedError is a line of a batch that could not be evaluated, since a file that
// counts changed during each of its evaluations.
type ChangedError struct {
	Path  string
	Times int
	Hint  string // if it may be an output, what to do
	// seen says that nobody declared it: COMMAND was seen to read it.
	seen bool
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed during each of %d evaluations", e.Path, e.Times)
}

// StoreError is a store that is out of order, under Query.Strict.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }
