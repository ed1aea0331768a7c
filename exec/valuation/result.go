package valuation

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// A Result is what a valuation knows at the end of a round.
type Result struct {
	Method      Method
	Seed        uint64
	Players     int
	Evaluations int    // the subsets asked, the empty and the full one among them
	Stopped     string // why it is done; empty where it isn't
	// Empty and Full are v(∅) and v(N). Empty is NaN where it wasn't needed: loo.
	Empty, Full float64
	Points      []Point // by player
	Sizes       []Size  // by size, 0 … n; none for loo and tmc
	Rounds      []Round
	// Reliability is 1 - mean(se²)/Var(values), from 0 to 1: how much of the values' spread
	// is no error. Of players that are all worth the same it is 0, or 1 without error.
	Reliability float64
	// Unsampled is how much of the weight lies on sizes of which no subset was asked,
	// though there are some: what the values can't know.
	Unsampled float64
	// Noisy is whether some answer came with a variance.
	Noisy bool
}

// A Point is what one player is worth.
type Point struct {
	Value  float64
	Stderr float64 // 0: exact
	Lower  float64 // Value - 2·Stderr
	Upper  float64 // Value + 2·Stderr
	Rank   int     // from 1, the most valuable; of equal values the lower player first
	// RankLow … RankHigh are the ranks that don't contradict the intervals Lower … Upper:
	// one more than there are players surely above, to n less those surely below (Klein,
	// Wright and Wieczorek 2020); what rounding may have done contradicts nothing.
	RankLow, RankHigh int
	// Count is how many of the sampled subsets hold the player; tmc: how many orders; loo: 1.
	Count int
}

// A Size is what is known of the subsets of one size.
type Size struct {
	Asked int
	Total float64 // how many there are; the largest float64 where they are more
	// Mean and SD of their values; NaN where they aren't known.
	Mean, SD float64
	Share    float64 // how much of the evaluations went there, 0 … 1
}

// A Round is what was known when it ended.
type Round struct {
	Evaluations int
	Reliability float64
	MaxStderr   float64
}

// look ends a round: it makes the estimates, and decides whether to stop.
func (v *Valuation) look() {
	r := &v.result
	r.Method, r.Seed, r.Players, r.Evaluations = v.settings.Method, v.settings.Seed, v.settings.Players, v.asked
	r.Empty, r.Full = v.ends.empty, v.ends.full
	r.Points = make([]Point, r.Players)
	v.strategy.estimate(r)
	slack := rounding * v.largest
	rank(r.Points, slack)
	round := Round{Evaluations: v.asked}
	var mean, error2, spread float64
	for i, p := range r.Points {
		round.MaxStderr = max(round.MaxStderr, p.Stderr)
		error2 += (p.Stderr*p.Stderr - error2) / float64(i+1)
		d := p.Value - mean // Welford 1962
		mean += d / float64(i+1)
		spread += d * (p.Value - mean)
	}
	switch {
	case error2 == 0:
		round.Reliability = 1
	case spread > 0:
		round.Reliability = max(0, 1-error2/(spread/float64(r.Players-1)))
	}
	r.Reliability = round.Reliability
	if k := len(r.Rounds); k == 0 || r.Rounds[k-1].Evaluations < v.asked {
		r.Rounds = append(slices.Clip(r.Rounds), round)
	}
	s := v.settings
	switch {
	case v.strategy.exhausted():
		r.Stopped = StoppedAll
	case s.Stderr > 0 && round.MaxStderr <= s.Stderr:
		r.Stopped = StoppedStderr
	case s.Reliability > 0 && round.Reliability >= s.Reliability:
		r.Stopped = StoppedReliability
	case s.Top > 0 && apart(r.Points, s.Top, len(r.Rounds), slack):
		r.Stopped = StoppedTop
	case v.roundEnd >= v.budget:
		r.Stopped = StoppedEvaluations
	}
}

// rounding is by how much of the largest answer two values may differ that would be equal
// without rounding: some eight times what was seen of exact values.
const rounding = 0x1p-50

// rank fills in intervals and ranks. Values that differ by slack or less count as equal.
func rank(points []Point, slack float64) {
	n := len(points)
	order := make([]int, n)
	lower, upper := make([]float64, n), make([]float64, n)
	for i := range points {
		p := &points[i]
		p.Lower, p.Upper = p.Value-2*p.Stderr, p.Value+2*p.Stderr
		order[i], lower[i], upper[i] = i, p.Lower, p.Upper
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(points[j].Value, points[i].Value) })
	for from, to := 0, 0; from < n; from = to {
		for to < n && points[order[to]].Value >= points[order[from]].Value-slack {
			to++
		}
		slices.Sort(order[from:to])
	}
	slices.Sort(lower)
	slices.Sort(upper)
	for at, i := range order {
		p := &points[i]
		p.Rank = at + 1
		above := n - sort.Search(n, func(j int) bool { return lower[j] > p.Upper+slack })
		below := sort.SearchFloat64s(upper, p.Lower-slack)
		p.RankLow, p.RankHigh = above+1, n-below
	}
}

// apart is whether a line lies between the first top players and the others at z standard
// errors of each. At the r-th look z = Φ⁻¹(1 - 0.05/(n·r·(r+1))): a union over players and
// looks, since Σ 1/(r(r+1)) = 1, in which all of them together err with a probability of
// 0.05, as far as the estimates are normal. What differs by slack or less isn't apart.
func apart(points []Point, top, look int, slack float64) bool {
	z := math.Sqrt2 * math.Erfcinv(2*0.05/float64(len(points)*look*(look+1)))
	least, most := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		if p.Rank <= top {
			least = min(least, p.Value-z*p.Stderr)
		} else {
			most = max(most, p.Value+z*p.Stderr)
		}
	}
	return least > most+slack
}
