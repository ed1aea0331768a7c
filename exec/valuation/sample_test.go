package valuation

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// uniform fails where counts that ought to be alike differ by more than chance makes them in
// one of 10,000 cases (chi-square; Wilson and Hilferty 1931).
func uniform(t *testing.T, what string, counts []int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	want := float64(total) / float64(len(counts))
	square := 0.0
	for _, c := range counts {
		square += (float64(c) - want) * (float64(c) - want) / want
	}
	free := float64(len(counts) - 1)
	if z := (math.Cbrt(square/free) - 1 + 2/(9*free)) / math.Sqrt(2/(9*free)); math.Abs(z) > 3.9 {
		t.Errorf("%s: chi-square %.1f with %.0f degrees of freedom", what, square, free)
	}
}

// TestSampleAll: of each size all subsets are drawn once, in order within each.
func TestSampleAll(t *testing.T) {
	for _, n := range []int{1, 2, 5, 14, 24} {
		for size := range min(n, 6) + 1 {
			s := newSampler(n, 7)
			total := int(s.total(size))
			seen := make(map[[6]int32]bool, total)
			var subset Subset
			for j := range total {
				subset = s.subset(size, j, subset)
				if len(subset) != size || !slices.IsSorted(subset) || len(slices.Compact(slices.Clone(subset))) != size {
					t.Fatalf("%d of %d: %v", size, n, subset)
				}
				seen[[6]int32(append(slices.Clone(subset), -1, -1, -1, -1, -1, -1))] = true
			}
			if s.total(n-size) != s.total(size) || len(seen) != total {
				t.Errorf("of %d subsets of %d of %d players %d were drawn", total, size, n, len(seen))
			}
		}
	}
}

// TestSampleUniform: over seeds, the first draws are any subsets, and any pairs of
// different ones, with the same probability; shuffled, permuted and drawn by themselves.
func TestSampleUniform(t *testing.T) {
	pairs := make([]int, 15*14)
	for seed := range 40000 {
		s := newSampler(6, uint64(seed))
		rank := func(j int) int {
			x := s.subset(2, j, nil)
			return int(x[1]*(x[1]-1)/2 + x[0])
		}
		a, b := rank(0), rank(1)
		if b > a {
			b--
		}
		pairs[a*14+b]++
	}
	uniform(t, "pairs of draws of 2 of 6", pairs)

	s := newSampler(0, 0)
	for _, all := range []uint64{1 << 17, 100000, 1<<40 + 12345} {
		const cells = 16
		pairs := make([]int, cells*cells)
		for seed := range 20000 {
			s.seed = uint64(seed)
			cell := func(j uint64) uint64 { return s.permute(3, all, j) / (all/cells + 1) }
			pairs[cell(0)*cells+cell(1)]++
		}
		uniform(t, fmt.Sprintf("pairs of numbers below %d", all), pairs)
		// And over the draws of one seed.
		draws := make([]int, 100)
		for j := range 20000 {
			draws[s.permute(3, all, uint64(j))/(all/100+1)]++
		}
		if all > 1<<20 {
			uniform(t, fmt.Sprintf("numbers below %d", all), draws)
		}
	}

	for _, c := range []struct{ n, size int }{{100, 50}, {100, 77}, {300, 20}, {24, 9}} {
		s := newSampler(c.n, 5)
		single := make([]int, c.n)
		const draws = 20000
		for j := range draws {
			for _, i := range s.subset(c.size, j, nil) {
				single[i]++
			}
		}
		// A player is in a draw or not: the spread is that of draws with probability q.
		q := float64(c.size) / float64(c.n)
		square := 0.0
		for _, x := range single {
			d := float64(x) - draws*q
			square += d * d / (draws * q * (1 - q))
		}
		free := float64(c.n - 1)
		square *= free / float64(c.n)
		if z := (math.Cbrt(square/free) - 1 + 2/(9*free)) / math.Sqrt(2/(9*free)); math.Abs(z) > 3.9 {
			t.Errorf("%d of %d: players are drawn unevenly: %.1f with %.0f degrees of freedom", c.size, c.n, square, free)
		}
	}
}

// TestSampleStays: what a seed draws is what it drew in earlier versions, or a valuation
// that goes on would begin anew.
func TestSampleStays(t *testing.T) {
	for _, c := range []struct {
		n, size, j int
		want       string
	}{
		{6, 2, 0, "[2 5]"},
		{16, 13, 100, "[0 1 2 3 4 5 6 7 10 12 13 14 15]"},
		{30, 9, 1000, "[2 3 8 10 18 19 21 23 28]"},
		{200, 4, 12345, "[2 139 164 194]"},
		{1000, 8, 3, "[3 42 74 132 162 302 472 718]"},
	} {
		x := newSampler(c.n, 42).subset(c.size, c.j, nil)
		if got := fmt.Sprint(x); got != c.want {
			t.Errorf("draw %d of %d of %d is %s, not %s", c.j, c.size, c.n, got, c.want)
		}
	}
	o := orders{n: 8, seed: 42}
	if got, want := fmt.Sprint(o.permutation(3)), "[3 4 5 0 2 6 1 7]"; got != want {
		t.Errorf("order 3 of 8 is %s, not %s", got, want)
	}
}
