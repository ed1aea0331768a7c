package valuation

import (
	"math"
	"math/rand/v2"
)

// orders are truncated permutations (tmc; Ghorbani and Zou 2019): a player's value is the
// mean, over random orders of all, of what it adds to those before it. An order is followed no
// further once its value is within truncate·|v(N)| of v(N); who comes after adds 0. That
// bias is in no standard error. Where truncate is 0, each is followed to its end.
//
// Orders are begun one after the other as long as there is room for a whole one, so that
// which of them are followed doesn't hang on how soon they end. Those for which there is room
// are followed side by side.
type orders struct {
	n        int
	seed     uint64
	truncate float64
	ends     *ends
	sampled  int
	done     int     // orders that have been followed to their end
	open     []order // those that are followed now
	asked    []int   // those of open of which a subset is asked now
	added    []moments
	source   rand.PCG
	held     []uint64
}

// An order is a permutation that is followed.
type order struct {
	players []int32
	values  []float64 // of its first players: of none, of one …
}

func (o *orders) plan(end, limit int) int {
	for {
		o.asked = o.asked[:0]
		for k := range o.open {
			if x := o.open[k].values; len(x) < o.n && !o.near(x[len(x)-1]) {
				o.asked = append(o.asked, k)
			}
		}
		if len(o.asked) > 0 {
			return len(o.asked)
		}
		o.settle()
		if o.exhausted() {
			return 0
		}
		room := 1
		if !o.alike() {
			room = (min(end, limit) - o.sampled) / (o.n - 1)
		}
		if room <= 0 {
			return 0
		}
		for k := range room {
			o.open = append(o.open, order{o.permutation(o.done + k), []float64{o.ends.empty}})
		}
	}
}

// alike is whether no order asks for anything, so that one tells what all would.
func (o *orders) alike() bool { return o.n == 1 || o.near(o.ends.empty) }

func (o *orders) exhausted() bool { return o.done > 0 && o.alike() }

func (o *orders) near(value float64) bool {
	return o.truncate > 0 && math.Abs(o.ends.full-value) <= o.truncate*math.Abs(o.ends.full)
}

func (o *orders) permutation(k int) []int32 {
	o.source.Seed(mix(o.seed, forOrders, uint64(k)), mix(o.seed, forOrders+1, uint64(k)))
	players := make([]int32, o.n)
	for i := range players {
		j := below(&o.source, uint64(i)+1)
		players[i] = players[j]
		players[j] = int32(i)
	}
	return players
}

func (o *orders) subset(i int, into Subset) Subset {
	next := &o.open[o.asked[i]]
	if o.held == nil {
		o.held = make([]uint64, (o.n+63)/64)
	}
	clear(o.held)
	for _, p := range next.players[:len(next.values)] {
		o.held[p/64] |= 1 << (p % 64)
	}
	return collect(o.held, o.n, false, into)
}

func (o *orders) learn(values, _ []float64) {
	for i, k := range o.asked {
		o.open[k].values = append(o.open[k].values, values[i])
	}
	o.sampled += len(values)
}

// settle counts what the open orders have found.
func (o *orders) settle() {
	if o.added == nil {
		o.added = make([]moments, o.n)
	}
	for _, next := range o.open {
		x := next.values
		if len(x) == o.n && !o.near(x[o.n-1]) {
			x = append(x, o.ends.full)
		}
		for at, p := range next.players {
			if at+1 < len(x) {
				o.added[p].add(x[at+1] - x[at])
			} else {
				o.added[p].add(0)
			}
		}
	}
	o.done += len(o.open)
	o.open = o.open[:0]
}

func (o *orders) estimate(r *Result) {
	// What the ends' own noise adds is common to all orders.
	n := float64(o.n)
	noise := (o.ends.emptyNoise + o.ends.fullNoise) / (n * n)
	for i, m := range o.added {
		square := noise
		if !o.exhausted() {
			square += m.squares / (m.count - 1) / m.count
		}
		r.Points[i] = Point{Value: m.mean, Stderr: math.Sqrt(square), Count: int(m.count)}
	}
	r.Noisy = noise > 0
}
