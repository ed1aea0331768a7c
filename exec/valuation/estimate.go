package valuation

import "math"

// estimate makes all subsets again from the seed, so that only values are kept.
func (t *strata) estimate(r *Result) {
	n := t.n
	centre := t.centres()
	base := 0.0
	for k := range n {
		base += t.p[k] * (centre[k+1] - centre[k])
	}
	value, square := make([]float64, n), make([]float64, n)
	spread2 := t.spread(centre)
	unseen2 := 0.0 // what sizes without a sample add to each se²
	first, second := make([]float64, n), make([]float64, n)
	count, counts := make([]int32, n), make([]int, n)
	for size := 1; size < n; size++ {
		s := &t.sizes[size]
		m := len(s.values)
		if m == 0 {
			// No sample: what one would add in the mean.
			unseen2 += spread2 * float64(n) * s.reach * s.reach
			continue
		}
		clear(first)
		clear(second)
		clear(count)
		// Over the samples that draw names a player of: the sums of deviations, and of their
		// squares. It names the members, or all others.
		var sum, sum2 float64
		outside := false
		for j, x := range s.values {
			var named []int32
			named, outside = t.sampler.draw(size, j)
			d := x - centre[size]
			d2 := d * d
			sum += d
			sum2 += d2
			for _, i := range named {
				first[i] += d
				second[i] += d2
				count[i]++
			}
		}
		named, rest := s.inside, s.out
		if outside {
			named, rest = rest, named
		}
		if m > 1 {
			// The mean of the others makes a deviation m/(m-1) of that from the mean of all; the
			// mean itself, which stands in the sum over k, is one of all.
			factor := (s.total - 1) / s.total * float64(m) / float64(m-1)
			shift := (1 - factor) * (t.p[size-1] - t.p[size])
			named, rest = factor*named+shift, factor*rest+shift
		}
		// Samples that are each other's c_s show too little variance where they are drawn of
		// few: 2 of 3 subsets 2/9 of it. So much it is in the mean where values fall on subsets
		// at random; the error is then one of a covariance, S_v²·S_a²·(1/(m-1) - 1/(N-1)).
		ratio := s.total / (s.total - 1)
		few := ratio * float64(m-1) / (float64(m)/ratio - 1)
		for i := range n {
			total := (named*first[i] + rest*(sum-first[i])) / float64(m)
			value[i] += total
			squares := named*named*second[i] + rest*rest*max(0, sum2-second[i])
			if m == 1 {
				// One sample tells nothing of its variance but by its distance from other sizes.
				square[i] += squares
			} else if unseen := 1 - float64(m)/s.total; unseen > 0 {
				variance := (squares - float64(m)*total*total) / float64(m-1)
				square[i] += few * unseen * max(0, variance) / float64(m)
			}
			if outside {
				counts[i] += m - int(count[i])
			} else {
				counts[i] += int(count[i])
			}
		}
	}
	noise := t.noise()
	for i := range r.Points {
		r.Points[i] = Point{Value: base + value[i], Stderr: math.Sqrt(square[i] + unseen2 + noise), Count: counts[i]}
	}
	t.describe(r)
	r.Noisy = noise > 0
}

// centres are the c_s. A size with less than two samples takes a line between its
// neighbours, in its samples' deviations and in the sum over k alike.
func (t *strata) centres() []float64 {
	n := t.n
	c := make([]float64, n+1)
	c[0], c[n] = t.ends.empty, t.ends.full
	known := func(s int) bool { return s == 0 || s == n || len(t.sizes[s].values) > 0 }
	mean := func(s int) float64 {
		if s == 0 || s == n {
			return c[s]
		}
		return t.sizes[s].moment.mean
	}
	next := make([]int, n+1) // the next known size above
	for s := n - 1; s >= 0; s-- {
		if next[s] = next[s+1]; known(s + 1) {
			next[s] = s + 1
		}
	}
	last := 0
	for s := 1; s < n; s++ {
		if len(t.sizes[s].values) > 1 {
			c[s] = mean(s)
		} else {
			low, high := mean(last), mean(next[s])
			c[s] = low + (high-low)*float64(s-last)/float64(next[s]-last)
		}
		if known(s) {
			last = s
		}
	}
	return c
}

// spread is the variance of values within sizes, over all samples; a single one of its size
// tells by its distance from centre.
func (t *strata) spread(centre []float64) float64 {
	squares, degrees := 0.0, 0.0
	for size := 1; size < t.n; size++ {
		switch m := &t.sizes[size].moment; {
		case m.count == 1:
			d := m.mean - centre[size]
			squares, degrees = squares+d*d, degrees+1
		case m.count > 1:
			squares, degrees = squares+m.squares, degrees+m.count-1
		}
	}
	return squares / max(1, degrees)
}

// noise is what the variance of answers that are means adds to each se²: for subsets that
// are sampled or not, each has an error of its own, which drawing all of them would not
// average out. With σ² the variance of a size's answers it is
//
//	Σ_s σ²·(p²_(s-1)·n/s + p²_s·n/(n-s))/N_s + σ²·p²_0 + σ²·p²_(n-1).
//
// σ² is the mean over a size's samples, over all samples where it has none; the full
// subset's over the size below too, since one answer's own is a guess.
func (t *strata) noise() float64 {
	n := t.n
	sum, samples := t.ends.emptyNoise+t.ends.fullNoise, 2.0
	for s := 1; s < n; s++ {
		sum += t.sizes[s].noise
		samples += t.sizes[s].moment.count
	}
	if sum == 0 {
		return 0
	}
	noise := t.p[0] * t.p[0] * t.ends.emptyNoise
	full, near := t.ends.fullNoise, 1.0
	if n > 1 {
		full += t.sizes[n-1].noise
		near += t.sizes[n-1].moment.count
	}
	noise += t.p[n-1] * t.p[n-1] * full / near
	for s := 1; s < n; s++ {
		size := &t.sizes[s]
		variance := sum / samples
		if size.moment.count > 0 {
			variance = size.noise / size.moment.count
		}
		noise += variance * size.reach * size.reach * float64(n) / size.total
	}
	return noise
}

// describe fills in what is known by size.
func (t *strata) describe(r *Result) {
	n := t.n
	r.Sizes = make([]Size, n+1)
	r.Unsampled = 0
	for s := range r.Sizes {
		size := Size{Total: 1, Asked: 1, SD: math.NaN()}
		switch s {
		case 0:
			size.Mean = t.ends.empty
		case n:
			size.Mean = t.ends.full
		default:
			m := t.sizes[s].moment
			size.Total, size.Asked, size.Mean = t.sizes[s].total, int(m.count), m.mean
			if m.count == 0 {
				size.Mean = math.NaN()
				r.Unsampled += (t.p[s-1] + t.p[s]) / 2
			}
			if m.count > 1 {
				size.SD = math.Sqrt(m.squares / (m.count - 1))
			}
		}
		size.Share = float64(size.Asked) / float64(t.sampled+2)
		r.Sizes[s] = size
	}
}
