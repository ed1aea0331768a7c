package cmd

import (
	"context"
	"errors"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/exec"
	"dvlcache/exec/valuation"
)

// given is what a subset was answered, as far as it is looked at again.
type given struct {
	key          key.Key // zero where there was none
	value, noise float64
}

// changedError says that the cache wouldn't answer now what it answered before, or what was
// evaluated then: a file that COMMAND uses is another, and values are to be of one.
type changedError struct{ subset, what string }

func (e *changedError) Error() string {
	return e.what + ": the number of " + e.subset + " is from before, and no value is made of numbers from before and after"
}

// changedHint is for a changedError.
const changedHint = "run the same command again: it asks as the files are now, and what was evaluated under these counts"

// unchanged looks whether all that v was answered so far would be answered again. Nothing is
// run. What isn't stored any more, or never was, is taken to hold, and a folder that has
// gained or lost a name is only told of: that is the daily life of a program's own folder,
// which Python lists. Its error is a *changedError, or one of exec.Batch.Run.
func (a *asker) unchanged(ctx context.Context, v *valuation.Valuation) error {
	before := v.Anew()
	for rest := a.given; len(rest) > 0 && !before.Done(); {
		asked := rest[:before.Pending()]
		rest = rest[len(asked):]
		if err := a.hold(ctx, asked, before.Subset); err != nil {
			return err
		}
		for i, was := range asked {
			before.Answer(i, was.value, was.noise)
		}
		if err := before.Advance(); err != nil {
			return err
		}
	}
	return nil
}

// hold is unchanged for sets of players that were asked together; subset is that of ask.
func (a *asker) hold(ctx context.Context, asked []given, subset func(i int) valuation.Subset) error {
	memo := *a.batch.Memo
	if memo.Store == nil {
		return nil
	}
	if reader, ok := memo.Store.(cache.Reader); ok {
		memo.Store = peeking{memo.Store, reader}
	}
	memo.Stats = nil
	batch := a.batch
	batch.Memo, batch.Progress, batch.Halt, batch.Unordered, batch.ByInput = &memo, nil, false, true, true
	batch.Query.OnlyCached, batch.Query.Refresh = true, false
	batch.Window = a.window()
	batch.Flush = func() error { return nil }
	batch.Emit = func(l exec.LineAnswer) error {
		was := asked[l.Number-1]
		switch {
		case was.key == key.Key{}:
		case l.Err != nil && !errors.Is(l.Err, exec.ErrNotCached):
			return &changedError{l.Input, l.Err.Error()}
		case l.Key != was.key:
			return &changedError{l.Input, "COMMAND, or a file that its arguments or --depends-on name, has changed"}
		case l.Err != nil && l.Mismatch != nil && l.Mismatch.Kind == inputs.Listing:
			if !a.listed {
				memo.Warn(l.Mismatch.String()+": subsets that were asked before are not asked again", "")
			}
			a.listed = true
		case l.Err != nil && l.Mismatch != nil:
			return &changedError{l.Input, l.Mismatch.String()}
		case l.Err == nil && !a.noisy && l.Mean != was.value:
			return &changedError{l.Input, "its number is another"}
		}
		return nil
	}
	_, err := batch.Run(ctx, a.lines(inOrder(len(asked)), subset))
	return err
}

// inOrder are the numbers below n.
func inOrder(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}
