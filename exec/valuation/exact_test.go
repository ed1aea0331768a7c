package valuation

import (
	"math"
	"math/bits"
	"testing"
)

var methods = []string{"shapley", "banzhaf", "banzhaf:0.2", "beta:4:1", "beta:1:16", "beta:0.5:2.5", "loo"}

func parse(t testing.TB, text string) Method {
	t.Helper()
	m, err := ParseMethod(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// plainWeights are the p_k without logarithms.
func plainWeights(m Method, n int) []float64 {
	choose := func(k int) float64 {
		x := 1.0
		for i := range k {
			x *= float64(n-1-i) / float64(i+1)
		}
		return x
	}
	rising := func(x float64, k int) float64 {
		y := 1.0
		for i := range k {
			y *= x + float64(i)
		}
		return y
	}
	p := make([]float64, n)
	for k := range p {
		switch m.kind {
		case banzhaf:
			p[k] = choose(k) * math.Pow(m.a, float64(k)) * math.Pow(1-m.a, float64(n-1-k))
		case beta:
			p[k] = choose(k) * rising(m.b, k) * rising(m.a, n-1-k) / rising(m.a+m.b, n-1)
		case leaveOneOut:
			p[k] = float64((k + 1) / n)
		default:
			p[k] = 1 / float64(n)
		}
	}
	return p
}

// bruteForce is the definition of a value: over all subsets without i, what i adds to them.
func bruteForce(m Method, n int, utility func(Subset) float64) []float64 {
	values := make([]float64, 1<<n)
	for mask := range values {
		var s Subset
		for i := range n {
			if mask>>i&1 == 1 {
				s = append(s, int32(i))
			}
		}
		values[mask] = utility(s)
	}
	p := plainWeights(m, n)
	count := make([]float64, n) // of subsets of the others, by size
	for mask := range 1 << (n - 1) {
		count[bits.OnesCount(uint(mask))]++
	}
	result := make([]float64, n)
	for i := range result {
		for mask, x := range values {
			if mask>>i&1 == 0 {
				k := bits.OnesCount(uint(mask))
				result[i] += p[k] / count[k] * (values[mask|1<<i] - x)
			}
		}
	}
	return result
}

func additive(n int) game {
	worth := func(i int) float64 { return float64(i*i%7) - 2.5 }
	return game{"additive", n, func() func(Subset) float64 {
		return func(s Subset) float64 {
			x := 0.7
			for _, i := range s {
				x += worth(int(i))
			}
			return x
		}
	}, func([]float64) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = worth(i)
		}
		return values
	}}
}

// unanimity is won by those that hold all of the first few players. A member is worth the
// weight of the subsets of the others in which all other members are.
func unanimity(n, members int) game {
	return game{"unanimity", n, func() func(Subset) float64 {
		return func(s Subset) float64 {
			if len(s) >= members && int(s[members-1]) == members-1 {
				return 1
			}
			return 0
		}
	}, func(p []float64) []float64 {
		x := 0.0
		for k := members - 1; k < n; k++ {
			x += p[k] * math.Exp(logChoose(n-members, k-members+1)-logChoose(n-1, k))
		}
		values := make([]float64, n)
		for i := range members {
			values[i] = x
		}
		return values
	}}
}

// airport: a runway for some planes costs what the longest of them needs (Littlechild and
// Owen 1973). Castro, Gómez and Tejada (2009) have 100 planes of ten kinds. A player is worth,
// for each step of cost, its height times the weight of the subsets of the others in which
// nobody pays for it; with Shapley's weights, a share of it among those that do.
func airport(planes []int) game {
	var cost []float64
	for kind, count := range planes {
		for range count {
			cost = append(cost, float64(kind+1))
		}
	}
	n := len(cost)
	return game{"airport", n, func() func(Subset) float64 {
		return func(s Subset) float64 {
			x := 0.0
			for _, i := range s {
				x = max(x, cost[i])
			}
			return x
		}
	}, func(p []float64) []float64 {
		values := make([]float64, n)
		shorter := 0
		for _, count := range planes {
			x := 0.0
			for k := range shorter + 1 {
				x += p[k] * math.Exp(logChoose(shorter, k)-logChoose(n-1, k))
			}
			for i := shorter; i < n; i++ {
				values[i] += x
			}
			shorter += count
		}
		return values
	}}
}

var castro = []int{8, 12, 6, 14, 8, 9, 13, 10, 10, 10}

// TestExact: all subsets, the definition, and closed forms agree.
func TestExact(t *testing.T) {
	root := game{"square root", 9, func() func(Subset) float64 {
		return func(s Subset) float64 {
			x := 0.0
			for _, i := range s {
				x += float64(i)
			}
			return math.Sqrt(x)
		}
	}, nil}
	far := game{"far from 0", 6, func() func(Subset) float64 {
		return func(s Subset) float64 { return 1e6 + math.Sqrt(float64(len(s))) }
	}, nil}
	games := []game{additive(10), additive(1), additive(2), unanimity(12, 4), unanimity(3, 3), root, far,
		voting("voting", electors[:16], 160), airport([]int{2, 1, 3, 0, 2, 4}), nearest(12)}
	for _, g := range games {
		for _, name := range methods {
			m := parse(t, name)
			r := g.value(t, Settings{Method: m, Exact: true, Seed: 3})
			want := bruteForce(m, g.n, g.play())
			for i, p := range r.Points {
				if math.Abs(p.Value-want[i]) > 1e-9 || p.Stderr != 0 {
					t.Errorf("%s, %s: player %d is worth %v ± %v, not %v", g.name, name, i, p.Value, p.Stderr, want[i])
				}
			}
			if g.exact == nil {
				continue
			}
			for i, x := range g.exact(m.Weights(g.n)) {
				if math.Abs(x-want[i]) > 1e-9 {
					t.Errorf("%s, %s: the closed form makes player %d worth %v, not %v", g.name, name, i, x, want[i])
				}
			}
			// A budget that covers all subsets is as good.
			if m.Sampled() {
				all := g.value(t, Settings{Method: m, Evaluations: 1<<g.n + 5})
				if all.Evaluations != 1<<g.n || all.Stopped != StoppedAll {
					t.Errorf("%s, %s: %d of %d subsets were asked, stopped by %s", g.name, name, all.Evaluations, 1<<g.n, all.Stopped)
				}
				for i, p := range all.Points {
					if math.Abs(p.Value-want[i]) > 1e-9 || p.Stderr != 0 {
						t.Errorf("%s, %s: in rounds, player %d is worth %v ± %v, not %v", g.name, name, i, p.Value, p.Stderr, want[i])
					}
				}
			}
		}
	}
}

// TestClosedForms: what the literature says of games that are too large to ask for all.
func TestClosedForms(t *testing.T) {
	shapley := func(g game) []float64 { return g.exact(Method{}.Weights(g.n)) }
	for n := 2; n < 40; n += 7 {
		for members := 1; members < n; members += 2 {
			if x := shapley(unanimity(n, members))[0]; math.Abs(x-1/float64(members)) > 1e-9 {
				t.Errorf("unanimity of %d: Shapley %v", members, x)
			}
			want := math.Pow(2, 1-float64(members))
			if x := unanimity(n, members).exact(parse(t, "banzhaf").Weights(n))[0]; math.Abs(x-want) > 1e-9 {
				t.Errorf("unanimity of %d: Banzhaf %v", members, x)
			}
		}
	}

	// Castro et al. 2009: each step is shared by the planes that need it.
	values, want, i := shapley(airport(castro)), 0.0, 0
	for _, count := range castro {
		want += 1 / float64(100-i)
		for range count {
			if math.Abs(values[i]-want) > 1e-9 {
				t.Errorf("airport: player %d is worth %v, not %v", i, values[i], want)
			}
			i++
		}
	}

	// Jia et al. 2019, Theorem 1.
	const k, n = 5, 120
	f := iris()
	jia := make([]float64, n)
	for at, order := range f.neighbours() {
		right := func(rank int) float64 {
			if f.trainClass[order[rank]] == f.testClass[at] {
				return 1
			}
			return 0
		}
		x := right(n-1) / n
		jia[order[n-1]] += x / float64(len(f.test))
		for rank := n - 2; rank >= 0; rank-- {
			x += (right(rank) - right(rank+1)) / k * math.Min(k, float64(rank+1)) / float64(rank+1)
			jia[order[rank]] += x / float64(len(f.test))
		}
	}
	for i, x := range shapley(nearest(n)) {
		if math.Abs(x-jia[i]) > 1e-9 {
			t.Errorf("5 nearest neighbours: player %d is worth %v, not %v", i, x, jia[i])
		}
	}

	sum := 0
	for _, w := range electors {
		sum += w
	}
	if sum != 538 {
		t.Errorf("%d electors", sum)
	}
	// A closed form's values add up, too.
	for _, g := range []game{election(), nearest(n), airport(castro)} {
		u := g.play()
		all := make(Subset, g.n)
		for i := range all {
			all[i] = int32(i)
		}
		sum := 0.0
		for _, x := range shapley(g) {
			sum += x
		}
		if want := u(all) - u(nil); math.Abs(sum-want) > 1e-9 {
			t.Errorf("%s: the values add up to %v, not %v", g.name, sum, want)
		}
	}
}

// TestWeights: by log-gamma as without, and sound where binomials overflow.
func TestWeights(t *testing.T) {
	for _, name := range methods {
		m := parse(t, name)
		if m.String() != name {
			t.Errorf("%s is written %s", name, m)
		}
		for n := 1; n <= 16; n++ {
			plain := plainWeights(m, n)
			for k, x := range m.Weights(n) {
				if math.Abs(x-plain[k]) > 1e-12 {
					t.Errorf("%s: p_%d of %d is %v, not %v", name, k, n, x, plain[k])
				}
			}
		}
		for _, n := range []int{1000, 20000} {
			sum := 0.0
			for _, x := range m.Weights(n) {
				if !(x >= 0) {
					t.Fatalf("%s: a weight of %d is %v", name, n, x)
				}
				sum += x
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("%s: the weights of %d add up to %v", name, n, sum)
			}
		}
	}
	if m := parse(t, "Beta:1E0:16"); m.String() != "beta:1:16" {
		t.Errorf("Beta:1E0:16 is read as %s", m)
	}
	for _, wrong := range []string{"", "shap", "shapley:1", "banzhaf:", "banzhaf:0", "banzhaf:1", "banzhaf:x", "banzhaf:0.5:1",
		"beta", "beta:1", "beta:0:1", "beta:1:-1", "beta:1:nan", "beta:1:inf", "beta:1e308:1e308", "beta:1:1e7", "beta:1:2:3", "loo:1", "tmc:0.1"} {
		if m, err := ParseMethod(wrong); err == nil {
			t.Errorf("%q is read as %s", wrong, m)
		}
	}
}

// TestTies: players that are worth the same have the same ranks to choose from, and those in
// their order, whatever rounding makes of their values.
func TestTies(t *testing.T) {
	weight := []float64{-2.5, 0.5, 5.5, 1.5, -0.5, -0.5, 1.5} // whose sums have no error
	play := func(s Subset) float64 {
		sum, more := 0.0, 0.0
		for _, i := range s {
			sum += weight[i]
			if i == 0 {
				more = math.Sqrt(float64(len(s)))
			}
		}
		return math.Tanh(sum/10) - more/4
	}
	for _, name := range methods {
		r := value(t, Settings{Players: len(weight), Method: parse(t, name), Exact: true}, play)
		want := [][3]int{{7, 7, 7}, {4, 4, 4}, {1, 1, 1}, {2, 2, 3}, {5, 5, 6}, {6, 5, 6}, {3, 2, 3}}
		for i, p := range r.Points {
			if got := [3]int{p.Rank, p.RankLow, p.RankHigh}; got != want[i] {
				t.Errorf("%s: player %d, worth %v, has the ranks %v, not %v", name, i, p.Value, got, want[i])
			}
		}
	}
	if two := []Point{{Value: 0.1, Rank: 2}, {Value: math.Nextafter(0.1, 1), Rank: 1}}; !apart(two, 1, 1, 0) || apart(two, 1, 1, rounding) {
		t.Error("what may be rounding sets a player apart")
	}
}
