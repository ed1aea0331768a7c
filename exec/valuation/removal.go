package valuation

import (
	"math/rand/v2"
	"slices"
)

// A Removal asks what a utility is worth as players are taken away step by step: the best
// first, the worst first, and in random orders. Where values rank players well, the first
// falls faster than a random order, and the second slower (Ghorbani and Zou 2019, and many
// since). It asks as a Valuation does, by index; it isn't for concurrent use, but for Answer.
type Removal struct {
	// Removed is how many players are away at each step, from 0 to all of them.
	Removed []int
	// Curves are the utility's values by step: of the best first, of the worst first, and of
	// RandomOrders orders. At no step but the first and the last is a value known before it
	// is answered; the last is NaN where v(∅) isn't known.
	Curves [][]float64
	orders [][]int32
}

// RandomOrders is how many random orders a Removal takes.
const RandomOrders = 5

// NewRemoval takes players away in so many steps, from 1 on; at least one in each, so that
// there may be fewer. The random orders are a function of the result's seed.
func NewRemoval(r Result, steps int) *Removal {
	n := r.Players
	steps = min(steps, n)
	m := &Removal{}
	for k := range steps + 1 {
		m.Removed = append(m.Removed, int(int64(k)*int64(n)/int64(steps)))
	}
	best := make([]int32, n)
	for i, p := range r.Points {
		best[p.Rank-1] = int32(i)
	}
	worst := slices.Clone(best)
	slices.Reverse(worst)
	m.orders = [][]int32{best, worst}
	const stream = 0x72656d6f76616c // "removal", so that it is none of the samples'
	source := rand.New(rand.NewPCG(r.Seed, stream))
	for range RandomOrders {
		order := make([]int32, n)
		for i := range order {
			order[i] = int32(i)
		}
		source.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		m.orders = append(m.orders, order)
	}
	for range m.orders {
		curve := make([]float64, steps+1)
		curve[0], curve[steps] = r.Full, r.Empty
		m.Curves = append(m.Curves, curve)
	}
	return m
}

// RemovalSubsets is how many subsets a Removal of so many players and steps asks.
func RemovalSubsets(players, steps int) int { return (2 + RandomOrders) * (min(steps, players) - 1) }

// Pending is how many subsets it asks; the empty and the full one are known, or can't be.
func (m *Removal) Pending() int { return RemovalSubsets(len(m.orders[0]), len(m.Removed)-1) }

// place is the order and the step of the subset with the index i.
func (m *Removal) place(i int) (order, step int) {
	between := len(m.Removed) - 2
	return i / between, 1 + i%between
}

// Subset is the one with the index i.
func (m *Removal) Subset(i int) Subset {
	order, step := m.place(i)
	left := Subset(slices.Clone(m.orders[order][m.Removed[step]:]))
	slices.Sort(left)
	return left
}

// Answer gives the utility's value of the subset with the index i.
func (m *Removal) Answer(i int, value float64) {
	order, step := m.place(i)
	m.Curves[order][step] = value
}
