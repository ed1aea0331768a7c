package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/exec"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/valuation"
)

// asker asks a utility for the values of sets of players, through the cache: those that
// are stored are looked up in groups, the others evaluated, by us or by another process
// that asks for them too.
type asker struct {
	players *players
	command *placeholder.Template
	check   func(args []string) error // what is wrong with a call, if not nil
	batch   exec.Batch                // but for what is a question's own
	noisy   bool                      // values are means of several samples
	inOne   bool                      // COMMAND gets a subset in one argument
	tell    func(*key.Call)           // is told of each call, if not nil
	// missing, if not nil, is told of each subset that isn't stored, under OnlyCached, and
	// why numbers of before don't answer it, if there are any; else that is a failure.
	missing func(*inputs.Mismatch)
	// stopped ends the questions softly: what runs is waited for. stop closes it, and
	// may be called more than once.
	stopped chan struct{}
	stop    func()

	// given is what was answered, by the order of subsets; waited says that some of it took
	// its time.
	given  []given
	waited bool
	listed bool // that a folder has changed is said
	// What came of all questions so far.
	asked, hits, evaluated int64
	saved                  float64 // seconds that the hits took when they were evaluated
}

// subsetError is a subset that has no value, which ends a valuation.
type subsetError struct {
	subset string
	empty  bool
	apart  bool // COMMAND may want its points as arguments of their own
	err    error
}

func (e *subsetError) Error() string { return e.subset + ": " + e.err.Error() }
func (e *subsetError) Unwrap() error { return e.err }

// resumeHint is for a valuation that ended before it was through.
const resumeHint = "what was evaluated is stored: run the same command again to resume"

// meaning is what a subset without a value means to the user.
func (e *subsetError) meaning() meaning {
	if errors.Is(e.err, exec.ErrNotCached) {
		return meaning{statusNotCached, "--dry-run says how many are"}
	}
	hint := cmp.Or(meaningOf(e.err).hint, "--default X takes X for subsets that fail")
	if e.empty {
		hint = "--empty X says what it is worth to train on nothing"
	}
	if e.apart {
		hint = "{...} hands points on as arguments of their own, and not in one; " + hint
	}
	return meaning{statusFailedLines, resumeHint + "; " + hint}
}

// unvaluedError says that time was up before there was a value.
type unvaluedError struct{ answered, round int64 }

func (e *unvaluedError) Error() string {
	return fmt.Sprintf("time is up, and of the first %d subsets, which values take, %d are answered", e.round, e.answered)
}

// value asks what a valuation wants to know, round by round, until it is done or a.stop
// is called: then v's result is that of the last whole round.
func (a *asker) value(ctx context.Context, v *valuation.Valuation) error {
	for !v.Done() {
		err := a.ask(ctx, v.Pending(), v.Subset, v.Answer)
		if errors.Is(err, exec.ErrHalted) && v.Rounds() > 0 {
			return nil
		} else if errors.Is(err, exec.ErrHalted) {
			return &unvaluedError{a.asked, int64(v.Asked() + v.Pending())}
		} else if err != nil {
			return err
		}
		rounds := v.Rounds()
		if err := v.Advance(); err != nil {
			return err
		}
		if a.waited && v.Rounds() > rounds {
			a.waited = false
			if err := a.unchanged(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks for n sets of players, and hands on their values by index as they come. subset
// makes the one with an index, and what it returns is good until the next; noise is the
// variance of a value that is a mean. Neither is called twice at once.
//
// Its error is a *subsetError, exec.ErrHalted after a Stop, or one of exec.Batch.Run. What
// was evaluated is stored in any case.
func (a *asker) ask(ctx context.Context, n int, subset func(i int) valuation.Subset, answer func(i int, value, noise float64)) error {
	first := len(a.given)
	a.given = append(a.given, make([]given, n)...)
	var failure *subsetError
	batch := a.batch
	batch.Halt, batch.Unordered, batch.ByInput = a.missing == nil, true, true
	batch.Window, batch.Stop = a.window(), a.stopped
	batch.Emit = func(l exec.LineAnswer) error {
		if a.tell != nil {
			a.tell(l.Call)
		}
		err := l.Err
		switch {
		case err != nil:
		case l.Doubtful:
			err = fmt.Errorf("its number can't be relied on: %s", l.Unstored)
		case math.IsNaN(l.Mean) || math.IsInf(l.Mean, 0):
			err = fmt.Errorf("%s is no number that values can be made of", l.Text)
		}
		switch {
		case errors.Is(err, exec.ErrNotCached) && a.missing != nil:
			a.missing(l.Mismatch)
		case err != nil && failure == nil:
			failure = &subsetError{l.Input, l.Input == emptySubset, a.inOne && first == 0 && isWrongUsage(err), err}
			a.stop()
		case err == nil:
			noise := 0.0
			if e := l.Stderr(); a.noisy && l.Spread() {
				noise = e * e
			}
			if l.Cached && a.noisy {
				a.saved += l.Seconds * float64(l.Count) // a sample takes l.Seconds
			} else if l.Cached {
				a.saved += l.Seconds
			}
			answer(l.Number-1, l.Mean, noise)
			a.given[first+l.Number-1] = given{l.Key, l.Mean, noise}
			a.waited = a.waited || !l.Cached || l.Waited
		}
		return nil
	}
	batch.Flush = func() error { return nil }
	if progress := batch.Progress; progress != nil {
		before := *a
		batch.Progress = func(s exec.BatchState) {
			s.Done, s.Hits, s.Evaluated = s.Done+before.asked, s.Hits+before.hits, s.Evaluated+before.evaluated
			progress(s)
		}
	}
	state, err := batch.Run(ctx, a.lines(askOrder(n), subset))
	a.asked, a.hits, a.evaluated = a.asked+state.Done, a.hits+state.Hits, a.evaluated+state.Evaluated
	if failure != nil && (err == nil || errors.Is(err, exec.ErrHalted)) {
		return failure
	}
	return err
}

// lines reads the calls for sets of players, in groups.
func (a *asker) lines(order []int, subset func(i int) valuation.Subset) func() (group []exec.Line, more bool, err error) {
	return func() (group []exec.Line, more bool, err error) {
		const groupBytes = 4 << 20
		for size := 0; len(order) > 0 && len(group) < 4*groupSize && size < groupBytes; order = order[1:] {
			line := a.line(order[0], subset(order[0]))
			for _, arg := range line.Args {
				size += len(arg)
			}
			group = append(group, line)
		}
		if len(group) == 0 {
			return nil, false, io.EOF
		}
		return group, len(order) > 0, nil
	}
}

// askOrder is the order in which to ask for n subsets. The first two, which mostly are
// those without anybody and with all, come first: where COMMAND is wrong it shows. The
// others come as chance has it, so that of several processes with the same questions each
// asks for others.
func askOrder(n int) []int {
	order := inOrder(n)
	if rest := order[min(2, n):]; len(rest) > 1 {
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	return order
}

// window is how many subsets wait for an answer at most: they are to take no more than
// some 256 MiB, each ten times its text.
func (a *asker) window() int {
	return min(max(256<<20/(10*a.players.size), 8*a.batch.Jobs), 1<<16)
}

const emptySubset = "the empty subset"

// line is the call for a set of players.
func (a *asker) line(i int, set valuation.Subset) exec.Line {
	text, head := a.players.text(set)
	line := exec.Line{Number: i + 1, Input: "subset " + head}
	if text == "" {
		line.Input = emptySubset
	}
	value := placeholder.Value{Text: text, Items: func() ([]string, error) { return a.players.items(set), nil }}
	call, err := a.command.Expand(a.batch.Query.Rules, func(string) (placeholder.Value, error) { return value, nil })
	if err != nil {
		line.Err = placeholderError(err)
		return line
	}
	if line.Args, line.Files = call.Args, call.Files; a.check != nil {
		line.Err = a.check(line.Args)
	}
	return line
}

// items are the points of a set of players.
func (p *players) items(set valuation.Subset) (items []string) {
	for i := range p.pointsOf(set) {
		items = append(items, p.points[i])
	}
	return items
}

// text is a set of players as its points, separated by commas, and what messages call it.
func (p *players) text(set valuation.Subset) (text, head string) {
	const shown = 40
	var b strings.Builder
	b.Grow(p.size)
	n := 0
	for i := range p.pointsOf(set) {
		if n++; n > 1 {
			b.WriteByte(',')
		}
		b.WriteString(p.points[i])
	}
	if text = b.String(); len(text) <= shown {
		return text, text
	}
	end := strings.LastIndexByte(text[:shown], ',') + 1
	return text, text[:end] + "… of " + strconv.Itoa(n) + " points"
}
