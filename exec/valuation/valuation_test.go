package valuation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// value runs a valuation to its end.
func value(t testing.TB, s Settings, utility func(Subset) float64) Result {
	t.Helper()
	return valueNoisy(t, s, func(s Subset) (float64, float64) { return utility(s), 0 })
}

// valueNoisy does so with answers that are means, and their variances.
func valueNoisy(t testing.TB, s Settings, utility func(Subset) (float64, float64)) Result {
	t.Helper()
	v, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	for !v.Done() {
		for i, subset := range v.Subsets() {
			x, noise := utility(subset)
			v.Answer(i, x, noise)
		}
		if err := v.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	return v.Result()
}

// questions runs a valuation and returns what was asked, in order.
func questions(t *testing.T, s Settings, utility func(Subset) float64) (asked []string) {
	value(t, s, func(s Subset) float64 {
		asked = append(asked, fmt.Sprint(s))
		return utility(s)
	})
	return asked
}

// TestPrefix: a larger budget asks what a smaller one does, and so many more as it is
// larger.
func TestPrefix(t *testing.T) {
	for _, g := range []game{nearest(120), nearest(12), election(), airport([]int{2, 3, 4}), additive(3), additive(1)} {
		for _, name := range []string{"shapley", "banzhaf", "beta:16:1", "tmc"} {
			s := Settings{Players: g.n, Method: parse(t, name), Seed: 11, Truncate: 0.05}
			var before []string
			for _, k := range []int{2, 3, 4, 20, 40} {
				s.Evaluations = k * g.n
				asked := questions(t, s, g.play())
				in := map[string]int{}
				for _, x := range asked {
					in[x]++
				}
				for _, x := range before {
					if in[x]--; in[x] < 0 {
						t.Fatalf("%s, %s: %s is asked with %d evaluations less", g.name, name, x, s.Evaluations-len(before))
					}
				}
				before = asked
				if s.Method.Truncated() {
					if len(asked) > s.Evaluations {
						t.Errorf("%s, %s: %d of %d evaluations", g.name, name, len(asked), s.Evaluations)
					}
					continue
				}
				want := s.Evaluations
				if g.n <= MostExact {
					want = min(want, 1<<g.n)
				}
				slices.Sort(asked)
				if len(asked) != want || len(slices.Compact(asked)) != want {
					t.Errorf("%s, %s: %d evaluations, %d of them different, not %d", g.name, name, len(before), len(slices.Compact(asked)), want)
				}
			}
		}
	}
}

// TestAnyOrder: the result hangs neither on the order nor on the number of those who answer.
func TestAnyOrder(t *testing.T) {
	g := nearest(120)
	for _, name := range []string{"shapley", "beta:4:1", "loo", "tmc"} {
		s := Settings{Players: g.n, Method: parse(t, name), Seed: 5, Evaluations: 10 * g.n, Truncate: 0.01}
		want := g.value(t, s)
		v, err := New(s)
		if err != nil {
			t.Fatal(err)
		}
		for !v.Done() {
			subsets := make([]Subset, v.Pending())
			for i := range subsets {
				subsets[i] = v.Subset(i)
			}
			order := rand.Perm(len(subsets))
			done := make(chan bool)
			for w := range 4 {
				go func() {
					u := g.play()
					for k := w; k < len(order); k += 4 {
						v.Answer(order[k], u(subsets[order[k]]), 0)
					}
					done <- true
				}()
			}
			for range 4 {
				<-done
			}
			if err := v.Advance(); err != nil {
				t.Fatal(err)
			}
		}
		// NaN isn't equal to itself; fmt tells all that a float64 holds.
		if got := v.Result(); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
}

// TestEfficient: Shapley values add up to v(N) - v(∅), to rounding, at any budget.
func TestEfficient(t *testing.T) {
	for _, g := range []game{nearest(120), election(), airport(castro), unanimity(5, 2), additive(4)} {
		for _, name := range []string{"shapley", "beta:1:1"} {
			for _, k := range []int{1, 2, 3, 7, 20} {
				r := g.value(t, Settings{Method: parse(t, name), Seed: 2, Evaluations: max(2, k*g.n)})
				sum, scale := 0.0, 1.0
				for _, p := range r.Points {
					sum += p.Value
					scale += math.Abs(p.Value)
				}
				if math.Abs(sum-(r.Full-r.Empty)) > 1e-12*scale {
					t.Errorf("%s, %s: %d evaluations make values that add up to %v, not %v", g.name, name, r.Evaluations, sum, r.Full-r.Empty)
				}
			}
		}
	}
}

// TestRelabel: players who change places change values; to rounding where all subsets are
// asked, within their errors where not.
func TestRelabel(t *testing.T) {
	for _, c := range []struct {
		g     game
		exact bool
	}{{nearest(12), true}, {nearest(120), false}} {
		place := rand.New(rand.NewPCG(1, 2)).Perm(c.g.n)
		u := c.g.play()
		moved := func(s Subset) float64 {
			var other Subset
			for _, i := range s {
				other = append(other, int32(place[i]))
			}
			slices.Sort(other)
			return u(other)
		}
		for _, name := range []string{"shapley", "banzhaf:0.3", "beta:4:1", "loo"} {
			s := Settings{Players: c.g.n, Method: parse(t, name), Seed: 1, Exact: c.exact}
			a, b := value(t, s, u), value(t, s, moved)
			for i, p := range b.Points {
				q := a.Points[place[i]]
				if d := math.Abs(p.Value - q.Value); d > 1e-12+5*math.Hypot(p.Stderr, q.Stderr) {
					t.Errorf("%s: player %d is worth %v ± %v, and in another place %v ± %v", name, i, q.Value, q.Stderr, p.Value, p.Stderr)
				}
			}
		}
	}
}

// TestNull: who adds nothing is worth nothing, within 4 standard errors.
func TestNull(t *testing.T) {
	weights := append(slices.Clone(electors), 0, 0)
	for _, g := range []game{voting("voting", weights, 270), unanimity(40, 4)} {
		for _, name := range []string{"shapley", "banzhaf", "beta:4:1", "loo"} {
			for seed := range uint64(10) {
				r := g.value(t, Settings{Method: parse(t, name), Seed: seed})
				for _, p := range r.Points[g.n-2:] {
					if math.Abs(p.Value) > 4*p.Stderr+1e-12 {
						t.Errorf("%s, %s, seed %d: a player that adds nothing is worth %v ± %v", g.name, name, seed, p.Value, p.Stderr)
					}
				}
			}
		}
	}
}

// TestSmallStrata: where the weight lies on sizes of few subsets, these are all asked, so
// that the error is far below that of drawing with replacement.
func TestSmallStrata(t *testing.T) {
	g := nearest(16)
	m := parse(t, "beta:16:1")
	p := m.Weights(g.n)
	truth := g.exact(p)
	u := g.play()
	var ours, plain float64
	const seeds = 50
	for seed := range uint64(seeds) {
		r := g.value(t, Settings{Method: m, Seed: seed})
		if r.Sizes[1].Asked != 16 || r.Sizes[2].Asked < 60 {
			t.Errorf("%d of 16 subsets of 1 player were asked, %d of 120 of 2", r.Sizes[1].Asked, r.Sizes[2].Asked)
		}
		// As many from each size as ours took, each drawn by itself.
		rng := rand.New(rand.NewPCG(seed, 1))
		other := make([]float64, g.n)
		for size := 1; size < g.n; size++ {
			var values moments
			var drawn []Subset
			var answers []float64
			for range r.Sizes[size].Asked {
				s := Subset{}
				for _, i := range rng.Perm(g.n)[:size] {
					s = append(s, int32(i))
				}
				x := u(s)
				values.add(x)
				drawn, answers = append(drawn, s), append(answers, x)
			}
			if values.count < 2 {
				continue
			}
			for j, s := range drawn {
				x := (answers[j] - values.mean) / (values.count - 1)
				for i := range other {
					if slices.Contains(s, int32(i)) {
						other[i] += x * p[size-1] * float64(g.n) / float64(size)
					} else {
						other[i] -= x * p[size] * float64(g.n) / float64(g.n-size)
					}
				}
			}
			for i := range other {
				other[i] += (p[size-1] - p[size]) * values.mean
			}
		}
		for i := range truth {
			other[i] += p[g.n-1]*r.Full - p[0]*r.Empty
			ours += math.Pow(r.Points[i].Value-truth[i], 2)
			plain += math.Pow(other[i]-truth[i], 2)
		}
	}
	t.Logf("error %.3f of drawing with replacement", math.Sqrt(ours/plain))
	if ours > 0.4*0.4*plain {
		t.Errorf("the error is %.3f of that of drawing with replacement", math.Sqrt(ours/plain))
	}
}

// TestStops: each limit stops a valuation at the end of a round, and says so.
func TestStops(t *testing.T) {
	for _, c := range []struct {
		g    game
		s    Settings
		want string
	}{
		{nearest(120), Settings{Stderr: 0.002}, StoppedStderr},
		{nearest(120), Settings{Reliability: 0.6}, StoppedReliability},
		{election(), Settings{Top: 1, Evaluations: 20000}, StoppedTop},
		{nearest(120), Settings{Evaluations: 500}, StoppedEvaluations},
		{nearest(120), Settings{Method: parse(t, "loo"), Evaluations: 2}, StoppedAll},
	} {
		r := c.g.value(t, c.s)
		if r.Stopped != c.want {
			t.Errorf("%+v: stopped by %s after %d evaluations", c.s, r.Stopped, r.Evaluations)
		}
		last := r.Rounds[len(r.Rounds)-1]
		if last.Evaluations != r.Evaluations || last.Reliability != r.Reliability {
			t.Errorf("%+v: the last round is %+v", c.s, last)
		}
		switch c.want {
		case StoppedStderr:
			if last.MaxStderr > c.s.Stderr || r.Rounds[len(r.Rounds)-2].MaxStderr <= c.s.Stderr {
				t.Errorf("%+v", r.Rounds)
			}
		case StoppedReliability:
			if last.Reliability < c.s.Reliability || r.Rounds[len(r.Rounds)-2].Reliability >= c.s.Reliability {
				t.Errorf("%+v", r.Rounds)
			}
		case StoppedEvaluations:
			var ends []int
			for _, round := range r.Rounds {
				ends = append(ends, round.Evaluations)
			}
			if !reflect.DeepEqual(ends, []int{240, 360, 500}) {
				t.Errorf("rounds end at %v", ends)
			}
		}
	}
	// z at the first look of 120 players: Φ⁻¹(1 - 0.05/240) = 3.5293….
	points := []Point{{Value: 3.53, Rank: 1}, {Value: -3.53, Rank: 2}}
	for stderr, want := range map[float64]bool{0.99: true, 1.01: false} {
		points[0].Stderr, points[1].Stderr = stderr, stderr
		wide := append(slices.Clone(points), make([]Point, 118)...)
		for i := range 118 {
			wide[2+i] = Point{Value: -100, Rank: 3 + i}
		}
		if got := apart(wide, 1, 1, 0); got != want {
			t.Errorf("3.53 and -3.53 ± %v are apart: %v", stderr, got)
		}
	}
}

// TestEmpty: a value that is given for the empty subset isn't asked for, and changes nothing
// else of what is asked.
func TestEmpty(t *testing.T) {
	g := additive(30)
	empty := 0.7
	for _, name := range []string{"shapley", "banzhaf", "tmc", "loo"} {
		s := Settings{Players: g.n, Method: parse(t, name), Seed: 1}
		asked := questions(t, s, g.play())
		s.Empty = &empty
		fewer := questions(t, s, g.play())
		without := slices.DeleteFunc(slices.Clone(asked), func(x string) bool { return x == "[]" })
		if !slices.Equal(fewer, without) || name != "loo" && len(asked) != len(fewer)+1 {
			t.Errorf("%s: %d subsets, and %d where v(∅) is given", name, len(asked), len(fewer))
		}
	}
	// Alone, a player is worth v(N) - v(∅) by any method.
	for _, name := range append(methods, "tmc") {
		s := Settings{Players: 1, Method: parse(t, name), Truncate: 0.01}
		for range 2 {
			r := value(t, s, additive(1).play())
			if want := -2.5; math.Abs(r.Points[0].Value-want) > 1e-12 || r.Stopped != StoppedAll || r.Evaluations != 2 {
				t.Errorf("%s: a player alone is worth %v, not %v; %d evaluations, stopped by %s", name, r.Points[0].Value, want, r.Evaluations, r.Stopped)
			}
			s.Empty = &empty
		}
	}
}

// TestTruncated: an order ends near v(N), and not before; what comes after adds 0.
func TestTruncated(t *testing.T) {
	g := additive(20)
	r := g.value(t, Settings{Method: parse(t, "tmc"), Seed: 1, Evaluations: 4000})
	for i, p := range r.Points {
		if want := g.exact(nil)[i]; math.Abs(p.Value-want) > 1e-9 || p.Stderr > 1e-9 || p.Count != 3998/19 {
			t.Errorf("player %d is worth %v ± %v by %d orders, not %v", i, p.Value, p.Stderr, p.Count, want)
		}
	}
	u := func(s Subset) float64 { return math.Min(1, float64(len(s))/10) }
	longest := 0
	r = value(t, Settings{Players: 100, Method: parse(t, "tmc"), Seed: 1, Evaluations: 5000, Truncate: 0.15}, func(s Subset) float64 {
		if len(s) < 100 {
			longest = max(longest, len(s))
		}
		return u(s)
	})
	sum := 0.0
	for _, p := range r.Points {
		sum += p.Value
	}
	if longest != 9 || math.Abs(sum-0.9) > 1e-9 || r.Points[0].Count < 500 {
		t.Errorf("orders are followed to %d players, and make %v of 0.9, by %d orders", longest, sum, r.Points[0].Count)
	}
	// Nothing is asked but v(∅) and v(N) where the one is near the other.
	r = value(t, Settings{Players: 100, Method: parse(t, "tmc"), Truncate: 0.15}, func(Subset) float64 { return 1 })
	if r.Evaluations != 2 || r.Points[3].Value != 0 || r.Points[3].Stderr != 0 || r.Stopped != StoppedAll {
		t.Errorf("a constant: %d evaluations, %+v, stopped by %s", r.Evaluations, r.Points[3], r.Stopped)
	}
}

// TestRanks: players of whom the intervals say nothing may have any rank between.
func TestRanks(t *testing.T) {
	points := []Point{{Value: 1}, {Value: 5, Stderr: 1}, {Value: 4, Stderr: 0.6}, {Value: 9, Stderr: 0.5}, {Value: 1}}
	rank(points, 0)
	want := [][3]int{{4, 4, 5}, {2, 2, 3}, {3, 2, 3}, {1, 1, 1}, {5, 4, 5}}
	for i, p := range points {
		if got := [3]int{p.Rank, p.RankLow, p.RankHigh}; got != want[i] {
			t.Errorf("player %d has the ranks %v, not %v", i, got, want[i])
		}
	}
}
