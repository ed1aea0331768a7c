// Package valuation says which subsets of players to ask a utility for, and what its
// answers make each player worth. It knows no files, processes or clock: who uses it asks
// the subsets in any order, or many at a time, hands the answers in by their index, and
// goes on.
//
//	for !v.Done() {
//		for i, subset := range v.Subsets() {
//			v.Answer(i, utility(subset), 0)
//		}
//		if err := v.Advance(); err != nil { … }
//	}
//	result := v.Result()
//
// What is asked hangs on the settings and on the answers of earlier rounds alone, and so
// does the result, to the last bit on one kind of machine. A valuation goes on after an
// interruption by being made anew with the same settings and given the same answers. What
// a smaller budget asks is a part of what a larger one asks.
package valuation

import (
	"errors"
	"fmt"
	"iter"
	"math"
)

// A Subset holds players 0 … n-1, in order, each once.
type Subset []int32

// MostExact is how many players can be valued by asking for all subsets.
const MostExact = 20

// Settings say what is valued, and how.
type Settings struct {
	// Players is n, from 1 on.
	Players int
	Method  Method
	// Exact asks for all subsets, and for no less: n is at most MostExact then. It needs a
	// method of which Sampled is true, or loo.
	Exact bool
	Seed  uint64
	// Evaluations is how many subsets are asked at most, the empty and the full one among
	// them, whether or not Empty is given; 0 is 20 a player. loo asks n + 1 whatever it is.
	Evaluations int
	// Empty, if not nil, is the value of the empty subset, which isn't asked for then.
	Empty *float64
	// Truncate ends an order of tmc at a subset S where |v(N) - v(S)| ≤ Truncate·|v(N)|.
	Truncate float64
	// A valuation stops after a round where the largest standard error is at most Stderr,
	// the reliability at least Reliability, or the first Top players are set apart from the
	// others; 0 is never.
	Stderr      float64
	Reliability float64
	Top         int
}

// Why a valuation stopped.
const (
	StoppedEvaluations = "evaluations" // the budget is spent
	StoppedAll         = "all"         // there is no other subset that counts
	StoppedStderr      = "stderr"
	StoppedReliability = "reliability"
	StoppedTop         = "top"
)

// most is how large the largest value may be, and one over it how small.
const most = 1e150

// RangeError says that the squares of values are beyond a float64.
type RangeError struct{ Largest float64 } // of all values so far, without sign

func (e *RangeError) Error() string {
	return fmt.Sprintf("the largest value so far is %g: it has to lie between 1e-150 and 1e150", e.Largest)
}

// A Valuation is between two rounds of questions, or done. It isn't for concurrent use, but
// for Answer.
type Valuation struct {
	settings Settings
	budget   int  // of evaluations, of the empty and the full subset too
	given    bool // the empty subset counts as an evaluation, and isn't asked
	asked    int
	roundEnd int // how many will have been asked when this round ends
	strategy strategy
	ends     ends
	asks     []int // 0: the empty subset is asked now, n: the full one; before the strategy's
	planned  int   // what the strategy asks now
	values   []float64
	noises   []float64
	largest  float64 // of all values so far, without sign
	result   Result
}

// A strategy plans subsets and makes estimates of their values.
type strategy interface {
	// plan prepares the next subsets and returns how many they are; 0 where the round is
	// over. So many as end have been asked when the round ends, and at most limit of them
	// may be; neither counts the empty and the full one.
	plan(end, limit int) int
	// subset is one of those that are planned.
	subset(i int, into Subset) Subset
	// learn takes the values of those that were planned, and their noise.
	learn(values, noises []float64)
	// exhausted is whether no subset is left that counts.
	exhausted() bool
	// estimate fills in values, standard errors and counts, and what is known of sizes.
	estimate(*Result)
}

// ends are the values of the empty and of the full subset, with the variance of each where
// it is a mean.
type ends struct {
	empty, full           float64
	emptyNoise, fullNoise float64
}

// New begins a valuation.
func New(s Settings) (*Valuation, error) {
	n := s.Players
	if s.Evaluations == 0 {
		s.Evaluations = 20 * n
	}
	switch {
	case n < 1:
		return nil, errors.New("there is nobody to value")
	case s.Evaluations < 2, s.Evaluations == 2 && n > 1 && s.Method.kind != leaveOneOut:
		return nil, fmt.Errorf("%d evaluations are too few: the empty and the full subset alone are 2", s.Evaluations)
	case s.Exact && n > MostExact:
		return nil, fmt.Errorf("exact values of %d players take 2^%d evaluations: %d players are the most", n, n, MostExact)
	case s.Exact && s.Method.Truncated():
		return nil, errors.New("tmc has no exact values; those of shapley are what it estimates")
	case s.Method.Truncated() && s.Evaluations < 2*n:
		return nil, fmt.Errorf("%d evaluations are too few for tmc: two orders of %d players take %d", s.Evaluations, n, 2*n)
	case !(s.Truncate >= 0 && s.Stderr >= 0 && s.Reliability >= 0 && s.Reliability < 1 && s.Top >= 0):
		return nil, errors.New("a limit is negative, or the reliability not below 1")
	case s.Empty != nil && !(math.Abs(*s.Empty) <= most):
		return nil, fmt.Errorf("the empty subset is worth %g: it has to lie between -1e150 and 1e150", *s.Empty)
	case s.Top >= n && s.Top > 0:
		return nil, fmt.Errorf("the first %d of %d players are set apart from nobody", s.Top, n)
	}
	v := &Valuation{settings: s, budget: s.Evaluations, roundEnd: 2 * n}
	if n <= MostExact && !s.Method.Truncated() {
		v.budget = min(v.budget, 1<<n)
		if s.Exact {
			v.budget, v.roundEnd = 1<<n, 1<<n
			v.settings.Stderr, v.settings.Reliability, v.settings.Top = 0, 0, 0
		}
	}
	counts := true // the empty subset
	switch s.Method.kind {
	case leaveOneOut:
		v.budget, v.roundEnd = n+1, n+1
		v.strategy = &leavers{n: n, ends: &v.ends}
		counts = n == 1
	case truncated:
		v.strategy = &orders{n: n, seed: s.Seed, truncate: s.Truncate, ends: &v.ends}
	default:
		v.strategy = newStrata(n, s.Method.Weights(n), s.Seed, &v.ends)
	}
	v.ends.empty, v.ends.full = math.NaN(), math.NaN()
	if s.Empty != nil {
		v.ends.empty = *s.Empty
		v.given = counts
	} else if counts {
		v.asks = append(v.asks, 0)
	}
	v.asks = append(v.asks, n)
	if !s.Method.Truncated() {
		v.plan()
	}
	v.prepare()
	return v, nil
}

// Anew is a valuation with v's settings that has only begun.
func (v *Valuation) Anew() *Valuation {
	again, err := New(v.settings)
	if err != nil {
		panic(err) // they were taken once
	}
	return again
}

// Most is how many subsets are asked at most.
func (v *Valuation) Most() int {
	if v.given {
		return v.budget - 1
	}
	return v.budget
}

// Asked is how many subsets have been answered and gone into the result.
func (v *Valuation) Asked() int { return v.asked }

// Pending is how many subsets are to be answered before Advance.
func (v *Valuation) Pending() int { return len(v.asks) + v.planned }

// Done is whether nothing is left to ask.
func (v *Valuation) Done() bool { return v.result.Stopped != "" }

// Subsets are those to be answered now, each with its index, from 0 on. A subset is good
// until the next one.
func (v *Valuation) Subsets() iter.Seq2[int, Subset] {
	return func(yield func(int, Subset) bool) {
		var s Subset
		for i := range v.Pending() {
			if s = v.subset(i, s); !yield(i, s) {
				return
			}
		}
	}
}

// Subset is the one of those to be answered now that has the index i.
func (v *Valuation) Subset(i int) Subset { return v.subset(i, nil) }

func (v *Valuation) subset(i int, into Subset) Subset {
	if i >= len(v.asks) {
		return v.strategy.subset(i-len(v.asks), into)
	}
	into = into[:0]
	for player := range v.asks[i] {
		into = append(into, int32(player))
	}
	return into
}

// Answer gives the utility's value of the subset with the index i. Where it is a mean of
// several samples, noise is the variance of that mean, as their spread estimates it; else 0.
// Several goroutines may answer different subsets.
func (v *Valuation) Answer(i int, value, noise float64) {
	v.values[i], v.noises[i] = value, noise
}

// Advance goes on when all that was pending is answered. An answer that is missing or not
// finite is an error, and may be given anew; so are values whose squares a float64 can't
// hold, as of likelihoods: they would have no standard error, or one of 0. Those are a
// *RangeError.
func (v *Valuation) Advance() error {
	for i, x := range v.values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("the value of subset %d of this round is %v: it has to be finite", i+1, x)
		}
		if y := v.noises[i]; !(y >= 0) || math.IsInf(y, 0) {
			return fmt.Errorf("the variance of the value of subset %d of this round is %v: it has to be finite, from 0 on", i+1, y)
		}
	}
	largest := v.largest
	for _, x := range v.values {
		largest = max(largest, math.Abs(x))
	}
	if largest > most || largest > 0 && largest < 1/most {
		return &RangeError{largest}
	}
	v.largest = largest
	for i, size := range v.asks {
		if size == 0 {
			v.ends.empty, v.ends.emptyNoise = v.values[i], v.noises[i]
		} else {
			v.ends.full, v.ends.fullNoise = v.values[i], v.noises[i]
		}
	}
	if v.planned > 0 {
		v.strategy.learn(v.values[len(v.asks):], v.noises[len(v.asks):])
	}
	if len(v.asks) > 0 {
		v.asked = 2 // of which one may have been given
		if v.settings.Method.kind == leaveOneOut && v.planned > 0 {
			v.asked = 1
		}
	}
	v.asked += v.planned
	v.asks, v.planned = nil, 0
	for v.plan(); v.planned == 0; v.plan() {
		if v.look(); v.Done() {
			break
		}
		v.roundEnd += v.roundEnd / 2
	}
	v.prepare()
	return nil
}

// plan asks the strategy what is next in this round.
func (v *Valuation) plan() {
	v.planned = v.strategy.plan(v.roundEnd-2, min(v.roundEnd, v.budget)-2)
}

// prepare makes room for answers.
func (v *Valuation) prepare() {
	v.values = make([]float64, v.Pending())
	v.noises = make([]float64, v.Pending())
	for i := range v.values {
		v.values[i] = math.NaN()
	}
}

// Rounds is how many rounds have ended.
func (v *Valuation) Rounds() int { return len(v.result.Rounds) }

// Result is what was known when the last round ended; its slices are not to be changed.
func (v *Valuation) Result() Result { return v.result }
