package cache

import "math"

// Moments are the running statistics of a series of samples. The zero value
// is the empty series. It is a plain value: copies are independent.
//
// Sums are kept as in B. P. Welford, "Note on a Method for Calculating
// Corrected Sums of Squares and Products" (1962), and joined as in T. F. Chan,
// G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise Algorithm for
// Computing Sample Variances" (1979).
type Moments struct {
	Count int64
	Mean  float64
	M2    float64 // sum of squared deviations from Mean
	Min   float64
	Max   float64
}

// Add returns the moments with one more sample.
func (m Moments) Add(x float64) Moments { return m.Merge(momentsOf(x)) }

// momentsOf returns the moments of one sample.
func momentsOf(x float64) Moments { return Moments{Count: 1, Mean: x, Min: x, Max: x} }

// is reports whether both are the same to the bit, which == does not of NaN.
func (m Moments) is(o Moments) bool {
	bits := math.Float64bits
	return m.Count == o.Count && bits(m.Mean) == bits(o.Mean) && bits(m.M2) == bits(o.M2) && bits(m.Min) == bits(o.Min) && bits(m.Max) == bits(o.Max)
}

// Merge returns the moments of both series together. It is commutative and
// associative to rounding.
func (m Moments) Merge(o Moments) Moments {
	switch {
	case m.Count == 0:
		return o
	case o.Count == 0:
		return m
	}
	n := m.Count + o.Count
	if math.IsInf(m.Mean, 0) || math.IsInf(o.Mean, 0) {
		// The difference of two infinities is no number; the mean of equal
		// ones is theirs, in whatever order the samples come.
		return Moments{Count: n, Mean: m.Mean + o.Mean, M2: math.NaN(), Min: math.Min(m.Min, o.Min), Max: math.Max(m.Max, o.Max)}
	}
	delta := o.Mean - m.Mean
	weight := float64(o.Count) / float64(n)
	mean := m.Mean + delta*weight
	if math.IsInf(delta, 0) && !math.IsInf(m.Mean, 0) && !math.IsInf(o.Mean, 0) {
		// The difference of two finite means overflowed; their weighted
		// mean does not.
		mean = m.Mean*(1-weight) + o.Mean*weight
	}
	return Moments{
		Count: n,
		Mean:  mean,
		M2:    m.M2 + o.M2 + delta*delta*float64(m.Count)*weight,
		Min:   math.Min(m.Min, o.Min),
		Max:   math.Max(m.Max, o.Max),
	}
}

// Spread reports whether there are samples enough to say how far they scatter:
// of one, variance and standard error aren't known.
func (m Moments) Spread() bool { return m.Count >= 2 }

// Variance is the sample variance (n-1 in the denominator), and no number
// without Spread.
func (m Moments) Variance() float64 {
	if !m.Spread() {
		return math.NaN()
	}
	return m.M2 / float64(m.Count-1)
}

// tinySquares is below which a sum of squares has lost digits, or all of them.
const tinySquares = 0x1p-1022 * 0x1p52

// Stderr is the standard error of the mean, and no number without Spread.
// Where the squares of deviations are beyond a float64 it is the largest that
// samples between Min and Max can have: never one that says too little.
func (m Moments) Stderr() float64 {
	if !m.Spread() {
		return math.NaN()
	}
	if m.Min < m.Max && m.M2 < tinySquares || math.IsInf(m.M2, 1) {
		return (m.Max/2 - m.Min/2) / math.Sqrt(float64(m.Count-1))
	}
	return math.Sqrt(m.Variance() / float64(m.Count))
}

// StopRule says when a mean is stable enough to stop evaluating.
type StopRule struct {
	MinRepetitions int64   // evaluate while the count is at most this
	MaxRepetitions int64   // never evaluate beyond this count; 0: no limit
	RelTolerance   float64 // of the standard error, relative to |mean|
	AbsTolerance   float64 // of the standard error
}

// Stable reports whether the mean is settled: more than MinRepetitions samples,
// and a standard error within either tolerance. The order of the comparison
// matters: a standard error that is not a number is never stable.
func (r StopRule) Stable(m Moments) bool {
	return m.Count > r.MinRepetitions && m.Stderr() <= r.Target(m)
}

// Done reports whether no further evaluation is called for: the mean is stable;
// or MaxRepetitions is reached; or the mean is not finite, and so for ever; or
// MinRepetitions is 0 and there is one sample, with which pyDVL stops as well.
func (r StopRule) Done(m Moments) bool {
	switch {
	case r.MaxRepetitions > 0 && m.Count >= r.MaxRepetitions:
		return true
	case m.Count > 0 && (math.IsNaN(m.Mean) || math.IsInf(m.Mean, 0)):
		return true
	case m.Count > r.MinRepetitions && !m.Spread():
		return m.Count > 0
	}
	return r.Stable(m)
}

// Target is the largest standard error with which a mean is stable.
func (r StopRule) Target(m Moments) float64 {
	return math.Max(r.AbsTolerance, r.RelTolerance*math.Abs(m.Mean))
}
