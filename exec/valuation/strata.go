package valuation

import (
	"cmp"
	"math"
	"slices"
)

// strata draw subsets size by size: size-centred maximum sample reuse with Neyman
// allocation. With p_k the weights, N_s = C(n,s) subsets of size s, of which m_s are
// sampled, and c_s the mean of the other samples of that size, c_0 = v(∅), c_n = v(N),
//
//	a_i(S) = n·p_(s-1)/s if i ∈ S, else -n·p_s/(n-s)
//	x_i(S) = (N_s-1)/N_s·(v(S) - c_s)·a_i(S)
//	φ_i    = Σ_k p_k·(c_(k+1) - c_k) + Σ_s mean_s(x_i)
//	se_i²  = Σ_s (1 - m_s/N_s)·Var_s(x_i)/m_s
//
// Maximum sample reuse, every subset informing all players, is Wang and Jia's (2023) for
// Banzhaf values and Li and Yu's (2024) for all semi-values; to draw by size with Neyman's
// (1934) allocation is Castro et al.'s (2017) and Zhang et al.'s (2023). That c_s comes from
// other samples keeps it unbiased; drawing without replacement makes these others'
// mean lean away from v(S), which (N_s-1)/N_s mends. Of a size with one sample or none c_s
// comes from other sizes, without that factor; a single sample adds x_i² to se², none what one
// would add in the mean: a value is exact only where all that counts was asked. Where N_s is
// small, Var_s(x_i) has a factor that estimate derives.
//
// Assumed is that values are finite, and that samples of a size show how its values vary: a
// game whose wins are rare within a size may show no variance at all.
type strata struct {
	n       int
	p       []float64 // weights
	sampler *sampler
	ends    *ends
	sizes   []stratum // 1 … n-1; 0 and n are not used
	sampled int
	round   int
	draws   []draw // what is planned, in the order of their places
}

// A stratum is the subsets of one size.
type stratum struct {
	total  float64   // how many there are
	inside float64   // a_i(S) of a member
	out    float64   // a_i(S) of the others
	reach  float64   // √(p²_(s-1)/s + p²_s/(n-s)): a_i's root mean square, over √n; 0: not asked
	values []float64 // by the order of drawing
	noise  float64   // the sum of the noise of the values
	moment moments
}

// A draw is the j-th subset of a size, and where in its round it stands.
type draw struct {
	place float64
	size  int32
	j     int32
}

func newStrata(n int, p []float64, seed uint64, e *ends) *strata {
	t := &strata{n: n, p: p, sampler: newSampler(n, seed), ends: e, sizes: make([]stratum, n+1)}
	largest := 0.0
	for s := 1; s < n; s++ {
		in, out := p[s-1], p[s]
		t.sizes[s] = stratum{
			total:  t.sampler.total(s),
			inside: float64(n) * in / float64(s),
			out:    -float64(n) * out / float64(n-s),
			reach:  math.Hypot(in/math.Sqrt(float64(s)), out/math.Sqrt(float64(n-s))),
		}
		largest = max(largest, t.sizes[s].reach)
	}
	// What weighs nothing in a float64 is not asked: banzhaf:0.001 has sizes of 10^-300.
	for s := range t.sizes {
		if t.sizes[s].reach < 1e-100*largest {
			t.sizes[s].reach = 0
		}
	}
	return t
}

// plan interleaves what each size gets in this round: the j-th of r draws of a size stands
// at (j+u)/r, u from the seed. What the budget cuts off is the end of the round, so that a
// smaller budget asks a part of what a larger one does.
func (t *strata) plan(end, limit int) int {
	t.draws = t.draws[:0]
	if t.sampled >= min(end, limit) {
		return 0
	}
	counts := t.allocate(end)
	for s := 1; s < t.n; s++ {
		have := len(t.sizes[s].values)
		r := counts[s] - have
		if r <= 0 {
			continue
		}
		u := unit(mix(t.sampler.seed, forRounds, uint64(t.round), uint64(s)))
		for j := range r {
			t.draws = append(t.draws, draw{(float64(j) + u) / float64(r), int32(s), int32(have + j)})
		}
	}
	t.round++
	slices.SortFunc(t.draws, func(a, b draw) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.size, b.size), cmp.Compare(a.j, b.j))
	})
	t.draws = t.draws[:min(len(t.draws), limit-t.sampled)]
	return len(t.draws)
}

func (t *strata) subset(i int, into Subset) Subset {
	d := t.draws[i]
	return t.sampler.subset(int(d.size), int(d.j), into)
}

// learn adds values in the order of drawing, which the plan keeps within each size.
func (t *strata) learn(values, noises []float64) {
	for i, d := range t.draws {
		s := &t.sizes[d.size]
		s.values = append(s.values, values[i])
		s.moment.add(values[i])
		s.noise += noises[i]
	}
	t.sampled += len(t.draws)
	t.draws = t.draws[:0]
}

func (t *strata) exhausted() bool {
	for s := 1; s < t.n; s++ {
		if t.sizes[s].reach > 0 && float64(len(t.sizes[s].values)) < t.sizes[s].total {
			return false
		}
	}
	return true
}

// allocate says how many subsets of each size are to have been asked when end of them have
// been. Shares are as Neyman's: by the standard deviation of a player's x_i within a size,
// σ_s·√(p²_(s-1)/s + p²_s/(n-s)) in the mean over players, where σ_s is the values'. It is 1
// in the first round; then pooled over neighbouring sizes, and no less than 2 % of the
// largest. No size gets more than it has, or less than it got.
func (t *strata) allocate(end int) []int {
	weights := make([]float64, t.n+1)
	deviations := t.deviations()
	for s := 1; s < t.n; s++ {
		weights[s] = deviations[s] * t.sizes[s].reach
	}
	target := 0.0
	for s := 1; s < t.n; s++ {
		if weights[s] > 0 {
			target += t.sizes[s].total
		}
	}
	target = min(target, float64(end))
	at := func(s int, scale float64) float64 {
		size := &t.sizes[s]
		return max(float64(len(size.values)), min(size.total, scale*weights[s]))
	}
	sum := func(scale float64) float64 {
		sum := 0.0
		for s := 1; s < t.n; s++ {
			sum += at(s, scale)
		}
		return sum
	}
	// The scale at which all of it is given out: it is bracketed, and then halved.
	low, high := 0.0, 1.0
	for sum(high) < target {
		low, high = high, 2*high
	}
	for range 200 {
		middle := low + (high-low)/2
		if middle == low || middle == high {
			break
		}
		if sum(middle) < target {
			low = middle
		} else {
			high = middle
		}
	}
	// Whole numbers, by the largest remainder.
	counts := make([]int, t.n+1)
	order := make([]int, 0, t.n)
	remainders := make([]float64, t.n+1)
	left := int(target)
	for s := 1; s < t.n; s++ {
		x := at(s, high)
		counts[s] = int(x)
		remainders[s] = x - math.Floor(x)
		left -= counts[s]
		order = append(order, s)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, s := range order {
		if left <= 0 {
			break
		}
		if weights[s] > 0 && float64(counts[s]) < t.sizes[s].total {
			counts[s]++
			left--
		}
	}
	return counts
}

// deviations are the standard deviations of values by size, each pooled with its neighbours
// until there are pooled degrees of freedom.
func (t *strata) deviations() []float64 {
	const pooled = 10
	d := make([]float64, t.n+1)
	squares, degrees := make([]float64, t.n+1), make([]float64, t.n+1) // of the sizes below
	for s := 1; s < t.n; s++ {
		m := &t.sizes[s].moment
		squares[s+1] = squares[s] + m.squares
		degrees[s+1] = degrees[s] + max(0, m.count-1)
	}
	largest := 0.0
	for s := 1; s < t.n; s++ {
		for width := 1; ; width++ {
			from, to := max(1, s-width), min(t.n, s+width+1)
			free := degrees[to] - degrees[from]
			if free >= pooled || from == 1 && to == t.n {
				if free > 0 {
					d[s] = math.Sqrt(max(0, squares[to]-squares[from]) / free)
				}
				break
			}
		}
		if t.sizes[s].reach > 0 {
			largest = max(largest, d[s])
		}
	}
	for s := 1; s < t.n; s++ {
		if largest == 0 {
			d[s] = 1
		} else {
			d[s] = max(d[s], largest/50)
		}
	}
	return d
}

// moments are a count, a mean and a sum of squared deviations (Welford 1962).
type moments struct{ count, mean, squares float64 }

func (m *moments) add(x float64) {
	m.count++
	d := x - m.mean
	m.mean += d / m.count
	m.squares += d * (x - m.mean)
}
