package cache

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// naive is the textbook's two passes, in the precision that float64 gives.
func naive(xs []float64) Moments {
	m := Moments{Count: int64(len(xs)), Min: math.Inf(1), Max: math.Inf(-1)}
	for _, x := range xs {
		m.Mean += x / float64(len(xs))
		m.Min, m.Max = min(m.Min, x), max(m.Max, x)
	}
	for _, x := range xs {
		m.M2 += (x - m.Mean) * (x - m.Mean)
	}
	return m
}

func fold(xs []float64) (m Moments) {
	for _, x := range xs {
		m = m.Add(x)
	}
	return m
}

// near compares moments within the rounding that can be had: the relative
// error of a merged M2 grows with |mean|/sd.
func near(t rapid.TB, got, want Moments) {
	t.Helper()
	if got.Count != want.Count || got.Min != want.Min || got.Max != want.Max {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	scale := math.Max(math.Abs(want.Min), math.Abs(want.Max))
	if math.Abs(got.Mean-want.Mean) > 1e-12*scale {
		t.Fatalf("mean %v, want %v", got.Mean, want.Mean)
	}
	sd := math.Sqrt(want.M2 / float64(want.Count))
	tolerance := 1e-12*want.M2 + 8*0x1p-52*scale*sd*float64(want.Count) + math.Pow(8*0x1p-52*scale, 2)*float64(want.Count)
	if math.Abs(got.M2-want.M2) > tolerance {
		t.Fatalf("M2 %v, want %v ± %v", got.M2, want.M2, tolerance)
	}
}

func samples() *rapid.Generator[[]float64] {
	return rapid.Custom(func(t *rapid.T) []float64 {
		center := rapid.SampledFrom([]float64{0, 0.9, -0.9, 1, 1e6, -1e9}).Draw(t, "center")
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
			return center + rapid.Float64Range(-1, 1).Draw(t, "x")
		}), 1, 60).Draw(t, "xs")
	})
}

func TestMomentsMergeEqualsOnePass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := samples().Draw(t, "xs")
		i := rapid.IntRange(0, len(xs)).Draw(t, "i")
		j := rapid.IntRange(i, len(xs)).Draw(t, "j")
		a, b, c := fold(xs[:i]), fold(xs[i:j]), fold(xs[j:])
		want := naive(xs)
		near(t, fold(xs), want)
		near(t, a.Merge(b).Merge(c), want)
		near(t, a.Merge(b.Merge(c)), want)
		near(t, c.Merge(b).Merge(a), want)
	})
}

func TestMomentsWhereTheSumOfSquaresFails(t *testing.T) {
	m := fold([]float64{1e15 - 1, 1e15, 1e15 + 1})
	if got := m.Variance(); math.Abs(got-1) > 1e-12+8*0x1p-52*1e15 {
		t.Errorf("variance of 1e15 ± 1 is %v", got)
	}
	if m.Mean != 1e15 {
		t.Errorf("mean is %v", m.Mean)
	}
}

func TestMomentsOfExtremes(t *testing.T) {
	m := fold([]float64{math.MaxFloat64, -math.MaxFloat64})
	if m.Mean != 0 {
		t.Errorf("mean of the largest and the smallest float64 is %v", m.Mean)
	}
	if c := fold([]float64{0.1, 0.1, 0.1, 0.1}); c.Mean != 0.1 || c.Variance() != 0 || c.Stderr() != 0 {
		t.Errorf("constants: %+v", c)
	}
	if one := fold([]float64{5}); !math.IsNaN(one.Variance()) || !math.IsNaN(one.Stderr()) {
		t.Errorf("one sample: %+v", one)
	}
}

// TestStderrWhereSquaresFail: likelihoods may be as small as that, and are no
// more stable for it.
func TestStderrWhereSquaresFail(t *testing.T) {
	rule := StopRule{MinRepetitions: 3, RelTolerance: 0.1}
	for _, scale := range []float64{5e-324, 1e-307, 1e-200, 1e-160, 1e-150, 1, 1e150, 1e160, 1e200, 1e307} {
		m := fold([]float64{scale, 3 * scale, 2 * scale, 5 * scale, 4 * scale, scale})
		want := scale * 2 / 3
		if got := m.Stderr(); !(got >= want*(1-1e-9)) || got > 2*want && scale > 1e-307 {
			t.Errorf("standard error at %v is %v, not %v", scale, got, want)
		}
		if rule.Stable(m) {
			t.Errorf("%v to %v is stable", scale, 5*scale)
		}
		// … but it becomes so.
		for range 400 {
			m = m.Add(3 * scale)
		}
		if scale > 1e-307 && !rule.Stable(m) {
			t.Errorf("after %d samples the standard error at %v is %v of %v", m.Count, scale, m.Stderr(), m.Mean)
		}
		if c := fold([]float64{scale, scale, scale, scale}); c.Stderr() != 0 || !rule.Stable(c) {
			t.Errorf("constants at %v: %v", scale, c.Stderr())
		}
	}
}

func TestMomentsOfInfinities(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		xs   []float64
		mean float64
	}{
		{[]float64{inf, inf}, inf},
		{[]float64{inf, 1}, inf},
		{[]float64{1, inf}, inf},
		{[]float64{1, inf, 2, inf}, inf},
		{[]float64{-inf, 1, 2}, -inf},
		{[]float64{inf, 1, -inf}, math.NaN()},
		{[]float64{inf, math.NaN()}, math.NaN()},
	} {
		for i := range tt.xs {
			m := fold(tt.xs[:i]).Merge(fold(tt.xs[i:]))
			if m.Mean != tt.mean && !(math.IsNaN(m.Mean) && math.IsNaN(tt.mean)) || m.Count != int64(len(tt.xs)) {
				t.Errorf("mean of %v, joined at %d: %v of %d", tt.xs, i, m.Mean, m.Count)
			}
			if (StopRule{RelTolerance: 1}).Stable(m) {
				t.Errorf("%v is stable", tt.xs)
			}
		}
	}
}

func TestStopRule(t *testing.T) {
	rule := StopRule{MinRepetitions: 3, RelTolerance: 0.1}
	for _, tt := range []struct {
		name         string
		rule         StopRule
		xs           []float64
		stable, done bool
	}{
		{"nothing", rule, nil, false, false},
		{"min-repetitions is not enough", rule, []float64{1, 1, 1}, false, false},
		{"one more is", rule, []float64{1, 1, 1, 1}, true, true},
		{"a negative mean", rule, []float64{-1, -1, -1, -1}, true, true},
		{"a constant 0", rule, []float64{0, 0, 0, 0}, true, true},
		{"noise around 0", rule, []float64{-1, 1, -1, 1, -1, 1}, false, false},
		{"… with an absolute tolerance", StopRule{MinRepetitions: 3, RelTolerance: 0.1, AbsTolerance: 0.5}, []float64{-1, 1, -1, 1, -1, 1}, true, true},
		{"too much noise", rule, []float64{1, 2, 1, 2}, false, false},
		{"… at the end of patience", StopRule{MinRepetitions: 3, MaxRepetitions: 4, RelTolerance: 0.1}, []float64{1, 2, 1, 2}, false, true},
		{"stable at the end of patience", StopRule{MinRepetitions: 3, MaxRepetitions: 4}, []float64{1, 1, 1, 1}, true, true},
		{"one sample", StopRule{RelTolerance: 0.1}, []float64{1}, false, true},
		{"none", StopRule{RelTolerance: 0.1}, nil, false, false},
		{"an infinity", rule, []float64{1, math.Inf(-1)}, false, true},
		{"not a number", rule, []float64{1, 1, 1, math.NaN()}, false, true},
	} {
		m := fold(tt.xs)
		if stable, done := tt.rule.Stable(m), tt.rule.Done(m); stable != tt.stable || done != tt.done {
			t.Errorf("%s: stable is %v, done is %v", tt.name, stable, done)
		}
	}
}

func TestStopRuleStopsAtTheMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := StopRule{
			MinRepetitions: rapid.Int64Range(0, 50).Draw(t, "min"),
			MaxRepetitions: rapid.Int64Range(1, 30).Draw(t, "max"),
			RelTolerance:   rapid.Float64Range(0, 1).Draw(t, "rtol"),
		}
		var m Moments
		for !rule.Done(m) {
			if m.Count >= rule.MaxRepetitions {
				t.Fatalf("%+v is not done under %+v", m, rule)
			}
			m = m.Add(rapid.Float64().Draw(t, "x"))
		}
	})
}
