package valuation

import "math"

// leavers ask the full subset without each player: φ_i = v(N) - v(N∖i), which has no
// error but that of the answers, σ_ε·√2 with σ_ε² the mean of their variances.
type leavers struct {
	n      int
	ends   *ends
	values []float64
	noise  float64
}

func (l *leavers) plan(int, int) int {
	if l.n == 1 || l.values != nil {
		return 0
	}
	return l.n
}

func (l *leavers) subset(i int, into Subset) Subset {
	into = into[:0]
	for player := range l.n {
		if player != i {
			into = append(into, int32(player))
		}
	}
	return into
}

func (l *leavers) learn(values, noises []float64) {
	l.values = append(l.values, values...)
	for _, x := range noises {
		l.noise += x
	}
}

func (l *leavers) exhausted() bool { return true }

func (l *leavers) estimate(r *Result) {
	noise, values := l.noise, l.values
	if l.n == 1 {
		noise, values = l.ends.emptyNoise, []float64{l.ends.empty}
	}
	noise = (noise + l.ends.fullNoise) / float64(l.n+1)
	for i, x := range values {
		r.Points[i] = Point{Value: l.ends.full - x, Stderr: math.Sqrt(2 * noise), Count: 1}
	}
	r.Noisy = noise > 0
}
