package valuation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A rival estimates Shapley values with a number of evaluations, and their standard errors.
type rival struct {
	name  string
	value func(t testing.TB, g game, u func(Subset) float64, evaluations int, seed uint64) []Point
}

func rivals() []rival {
	ordered := func(truncate float64) func(testing.TB, game, func(Subset) float64, int, uint64) []Point {
		return func(t testing.TB, g game, u func(Subset) float64, evaluations int, seed uint64) []Point {
			return value(t, Settings{Players: g.n, Method: parse(t, "tmc"), Evaluations: evaluations, Seed: seed, Truncate: truncate}, u).Points
		}
	}
	return []rival{
		{"permutations", ordered(0)},
		{"antithetic permutations", antithetic},
		{"truncated permutations (`tmc`)", ordered(0.01)},
		{"plain sample reuse", plainReuse},
		{"`shapley`", func(t testing.TB, g game, u func(Subset) float64, evaluations int, seed uint64) []Point {
			return value(t, Settings{Players: g.n, Evaluations: evaluations, Seed: seed}, u).Points
		}},
	}
}

// antithetic follows each order in both directions; the pair is one sample (Mitchell et al.
// 2022).
func antithetic(t testing.TB, g game, u func(Subset) float64, evaluations int, seed uint64) []Point {
	n := g.n
	rng := rand.New(rand.NewPCG(seed, 3))
	all := make(Subset, n)
	for i := range all {
		all[i] = int32(i)
	}
	empty, full := u(nil), u(all)
	added := make([]moments, n)
	for left := evaluations - 2; left >= 2*(n-1); left -= 2 * (n - 1) {
		order := rng.Perm(n)
		pair := make([]float64, n)
		for range 2 {
			before := empty
			var s Subset
			for k, i := range order {
				at, _ := slices.BinarySearch(s, int32(i))
				s = slices.Insert(s, at, int32(i))
				x := full
				if k < n-1 {
					x = u(s)
				}
				pair[i] += (x - before) / 2
				before = x
			}
			slices.Reverse(order)
		}
		for i, x := range pair {
			added[i].add(x)
		}
	}
	points := make([]Point, n)
	for i, m := range added {
		points[i] = Point{Value: m.mean, Stderr: math.Sqrt(m.squares / (m.count - 1) / m.count)}
	}
	return points
}

// plainReuse draws sizes, by the shares that are best where all sizes vary alike, and subsets
// of them with replacement, and takes means of v(S)·a_i(S) as they are.
func plainReuse(t testing.TB, g game, u func(Subset) float64, evaluations int, seed uint64) []Point {
	n := g.n
	rng := rand.New(rand.NewPCG(seed, 4))
	strata := newStrata(n, Method{}.Weights(n), seed, &ends{})
	share := make([]float64, n+1)
	for s := 1; s < n; s++ {
		share[s] = share[s-1] + strata.sizes[s].reach
	}
	all := make(Subset, n)
	for i := range all {
		all[i] = int32(i)
	}
	ends := (u(all) - u(nil)) / float64(n)
	added := make([]moments, n)
	order, in := slices.Clone(all), make([]bool, n)
	for range evaluations - 2 {
		size, _ := slices.BinarySearch(share[1:n], rng.Float64()*share[n-1])
		size++
		for k := range size {
			j := k + rng.IntN(n-k)
			order[k], order[j] = order[j], order[k]
		}
		s := slices.Clone(order[:size])
		slices.Sort(s)
		x := u(s) / (strata.sizes[size].reach / share[n-1])
		clear(in)
		for _, i := range s {
			in[i] = true
		}
		for i := range added {
			if in[i] {
				added[i].add(x * strata.sizes[size].inside)
			} else {
				added[i].add(x * strata.sizes[size].out)
			}
		}
	}
	points := make([]Point, n)
	for i, m := range added {
		points[i] = Point{Value: ends + m.mean, Stderr: math.Sqrt(m.squares / (m.count - 1) / m.count)}
	}
	return points
}

// A match is how a rival did in a game.
type match struct{ err, coverage float64 }

// matches compares rivals at 20 evaluations a player.
func matches(t *testing.T, g game, seeds int) []match {
	truth := trial{game: g, method: "shapley"}.truth(t)
	var list []match
	for _, r := range rivals() {
		u := g.play()
		var m match
		mean := make([]moments, g.n)
		for seed := range seeds {
			for i, p := range r.value(t, g, u, 20*g.n, uint64(seed+1)) {
				d := p.Value - truth[i]
				mean[i].add(d)
				m.err += d * d / float64(seeds*g.n)
				if math.Abs(d) <= 2*p.Stderr {
					m.coverage += 1 / float64(seeds*g.n)
				}
			}
		}
		m.err = math.Sqrt(m.err) / spread(truth)
		list = append(list, m)
		t.Logf("%s, %s: %+v", g.name, r.name, m)
		if g.exact != nil || !strings.Contains(r.name, "permutations") || strings.HasPrefix(r.name, "truncated") {
			continue
		}
		// These are unbiased and no code of ours makes them, or little: their means over seeds
		// tell whether a truth that we found by long runs is true.
		square := 0.0
		for _, m := range mean {
			square += m.mean * m.mean / (m.squares / (m.count - 1) / m.count) / float64(g.n)
		}
		if t.Logf("their squared bias is %.2f of what chance makes", square); square > 1.5 {
			t.Errorf("%s: %s are at odds with the true values", g.name, r.name)
		}
	}
	return list
}

// better checks what is promised of the errors.
func better(t *testing.T, g game, list []match) {
	ours, permutations := list[len(list)-1].err, list[0].err
	if g.name == nearest(120).name && ours > 0.45 {
		t.Errorf("%s: the error is %.2f of the values' standard deviation", g.name, ours)
	}
	if ours > permutations/2 {
		t.Errorf("%s: the error is %.2f, that of permutations %.2f", g.name, ours, permutations)
	}
}

// TestBetter: the error at 20 evaluations a player is far below that of permutations.
func TestBetter(t *testing.T) {
	for _, g := range []game{nearest(120), election()} {
		better(t, g, matches(t, g, 10))
	}
}

// TestBetterTable compares estimators, and writes the table in the documents.
func TestBetterTable(t *testing.T) {
	if !*long {
		t.Skip("-valuation.long computes it")
	}
	games := []game{nearest(120), logistic(), centroid(), election()}
	columns := make([][]match, len(games))
	head, line := "| estimator |", "| --- |"
	for k, g := range games {
		columns[k] = matches(t, g, 200)
		better(t, g, columns[k])
		head += " " + g.name + " |"
		line += " --- |"
	}
	table := head + "\n" + line + "\n"
	for r, rival := range rivals() {
		table += "| " + rival.name + " |"
		for k := range games {
			table += fmt.Sprintf(" %.2f, %.0f %% |", columns[k][r].err, 100*columns[k][r].coverage)
		}
		table += "\n"
	}
	document(t, "better", table)
}
