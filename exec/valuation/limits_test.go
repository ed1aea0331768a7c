package valuation

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestRefused: settings and answers that mean nothing.
func TestRefused(t *testing.T) {
	wide := 1e160
	for _, s := range []Settings{
		{}, {Players: -1}, {Players: 5, Evaluations: 1}, {Players: 5, Evaluations: 2}, {Players: 2, Evaluations: 2}, {Players: 5, Evaluations: -3}, {Players: 21, Exact: true},
		{Players: 5, Exact: true, Method: parse(t, "tmc")}, {Players: 5, Evaluations: 9, Method: parse(t, "tmc")},
		{Players: 5, Stderr: -1}, {Players: 5, Reliability: 1}, {Players: 5, Top: 5}, {Players: 5, Truncate: -1},
		{Players: 5, Stderr: math.NaN()}, {Players: 5, Reliability: math.NaN()}, {Players: 5, Truncate: math.NaN()},
		{Players: 5, Empty: &wide},
	} {
		if _, err := New(s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
	v, err := New(Settings{Players: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]float64{{math.NaN(), 0}, {math.Inf(1), 0}, {-1e160, 0}, {1, math.NaN()}, {1, -1}} {
		for i := range v.Pending() {
			v.Answer(i, 1, 0)
		}
		v.Answer(1, wrong[0], wrong[1])
		if v.Advance() == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
	for i := range v.Pending() {
		v.Answer(i, 1e-160, 0)
	}
	if v.Advance() == nil {
		t.Error("values whose squares are 0 are taken")
	}
	v.Answer(1, 2, 0)
	if err := v.Advance(); err != nil || !v.Done() {
		t.Errorf("after an answer anew: %v", err)
	}
}

// TestMemory: 10,000 players at 2 evaluations each stay far below 1 GiB.
func TestMemory(t *testing.T) {
	const n = 10000
	u := func(s Subset) float64 {
		x := 0.0
		for _, i := range s {
			x += float64(i)
		}
		return x
	}
	v, err := New(Settings{Players: n, Evaluations: 2 * n, Empty: new(float64)})
	if err != nil {
		t.Fatal(err)
	}
	var most, m runtime.MemStats
	for !v.Done() {
		for i, s := range v.Subsets() {
			v.Answer(i, u(s), 0)
			if i%5000 == 0 {
				runtime.ReadMemStats(&m)
				most.HeapSys = max(most.HeapSys, m.HeapSys)
			}
		}
		if err := v.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&m)
	t.Logf("%d MiB of heap", m.HeapSys>>20)
	if max(most.HeapSys, m.HeapSys) > 200<<20 {
		t.Errorf("%d players took %d MiB", n, max(most.HeapSys, m.HeapSys)>>20)
	}
	r := v.Result()
	if r.Evaluations != 2*n {
		t.Errorf("%d evaluations", r.Evaluations)
	}
	covered := 0.0
	for i, p := range r.Points {
		if math.Abs(p.Value-float64(i)) <= 2*p.Stderr {
			covered += 1. / n
		}
	}
	if math.Abs(covered-0.95) > 0.03 {
		t.Errorf("± 2 standard errors cover %v", covered)
	}
}

// TestExtremes: weights that a float64 can't hold are no trouble.
func TestExtremes(t *testing.T) {
	for _, name := range []string{"banzhaf:1e-300", "banzhaf:0.001", "banzhaf:0.999999", "beta:1e6:1", "beta:1:1e6", "beta:1e-6:1e-6", "beta:300:300"} {
		for _, n := range []int{2, 12, 700} {
			g := additive(n)
			r := g.value(t, Settings{Method: parse(t, name), Seed: 1, Evaluations: 5 * n})
			off := 0
			for i, p := range r.Points {
				if d := math.Abs(p.Value - g.exact(nil)[i]); !(d <= 4*p.Stderr+1e-9) {
					off++
				}
			}
			if off > n/50 || !(r.Unsampled < 0.01) || r.Evaluations > 5*n {
				t.Errorf("%s: %d of %d players are more than 4 standard errors off, %v of the weight unsampled", name, off, n, r.Unsampled)
			}
		}
	}
}

// TestTop: the largest state is set apart, and the right one; the fifth and the sixth, who
// have as many votes, are not.
func TestTop(t *testing.T) {
	g := election()
	for seed := range uint64(10) {
		r := g.value(t, Settings{Seed: seed, Top: 1, Evaluations: 300 * g.n})
		if r.Stopped != StoppedTop || r.Points[0].Rank != 1 {
			t.Errorf("seed %d: stopped by %s, the largest has rank %d", seed, r.Stopped, r.Points[0].Rank)
		}
		if r := g.value(t, Settings{Seed: seed, Top: 5, Evaluations: 40 * g.n}); r.Stopped != StoppedEvaluations {
			t.Errorf("seed %d: stopped by %s after %d evaluations", seed, r.Stopped, r.Evaluations)
		}
	}
}

// TestSmallBudgets: any budget of few players is spent to the last, and makes finite values.
func TestSmallBudgets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; n <= 7; n++ {
		for budget := min(n+1, 3); budget <= 1<<n+1; budget++ {
			for _, name := range []string{"shapley", "banzhaf:0.1", "beta:16:1", "tmc"} {
				m := parse(t, name)
				if m.Truncated() && budget < 2*n {
					continue
				}
				r := value(t, Settings{Players: n, Method: m, Seed: uint64(budget), Evaluations: budget},
					func(Subset) float64 { return rng.NormFloat64() })
				if r.Evaluations != min(budget, 1<<n) && !m.Truncated() || r.Evaluations > budget {
					t.Errorf("%s of %d players: %d of %d evaluations", name, n, r.Evaluations, budget)
				}
				for i, p := range r.Points {
					if x := p.Value + p.Stderr; math.IsNaN(x) || math.IsInf(x, 0) || p.RankLow > p.Rank || p.Rank > p.RankHigh {
						t.Errorf("%s, %d evaluations: player %d of %d is %+v", name, budget, i, n, p)
					}
				}
			}
		}
	}
}

// TestSureOnlyWhereExact: a standard error of 0 is one of a value that is exact, though a
// size of little weight may have got no sample while all others were asked out.
func TestSureOnlyWhereExact(t *testing.T) {
	const n = 4
	unsampled := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		values := make([]float64, 1<<n)
		for mask := range values {
			values[mask] = rng.Float64()
		}
		play := func(s Subset) float64 {
			mask := 0
			for _, i := range s {
				mask |= 1 << i
			}
			return values[mask]
		}
		for _, name := range []string{"shapley", "banzhaf:0.1", "banzhaf:0.9", "beta:16:1", "beta:1:16"} {
			m := parse(t, name)
			exact := bruteForce(m, n, play)
			for budget := 3; budget <= 1<<n; budget++ {
				r := value(t, Settings{Players: n, Method: m, Seed: seed, Evaluations: budget}, play)
				for i, p := range r.Points {
					if p.Stderr == 0 && math.Abs(p.Value-exact[i]) > 1e-12 {
						t.Errorf("%s, %d evaluations: player %d is worth %v ± 0, and truly %v", name, budget, i, p.Value, exact[i])
					}
				}
				if r.Unsampled > 0.001 && budget > 10 {
					unsampled++
				}
			}
		}
	}
	if unsampled == 0 {
		t.Error("all sizes have samples where only one hasn't was to be seen")
	}
}

// BenchmarkValuation is all but the utility: 1,000 players, 200,000 subsets.
func BenchmarkValuation(b *testing.B) {
	const n, evaluations = 1000, 200000
	for b.Loop() {
		value(b, Settings{Players: n, Evaluations: evaluations}, func(s Subset) float64 { return math.Sqrt(float64(len(s))) })
	}
	b.ReportMetric(evaluations*float64(b.N)/b.Elapsed().Seconds(), "subsets/s")
}
