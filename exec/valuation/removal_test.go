package valuation

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

// addsUp is a result of an additive game: a subset is worth the sum of its players' values.
func addsUp(values ...float64) Result {
	r := Result{Players: len(values), Seed: 7, Points: make([]Point, len(values))}
	for i, x := range values {
		r.Points[i].Value = x
		r.Full += x
	}
	rank(r.Points, 0)
	return r
}

// TestRemoval: in an additive game each curve is the sum of those that are left.
func TestRemoval(t *testing.T) {
	values := []float64{3, -1, 4, 1, 5, 9, 2, 6, -5, 3}
	m := NewRemoval(addsUp(values...), 4)
	if want := []int{0, 2, 5, 7, 10}; !slices.Equal(m.Removed, want) || m.Pending() != 3*(2+RandomOrders) {
		t.Fatalf("%d are asked, with %v removed", m.Pending(), m.Removed)
	}
	for i := range m.Pending() {
		subset := m.Subset(i)
		if !slices.IsSorted(subset) || len(slices.Compact(slices.Clone(subset))) != len(subset) {
			t.Fatalf("subset %d is %v", i, subset)
		}
		sum := 0.0
		for _, p := range subset {
			sum += values[p]
		}
		m.Answer(i, sum)
	}
	if want := []float64{27, 12, 0, -5, 0}; !slices.Equal(m.Curves[0], want) {
		t.Errorf("the best first: %v, not %v", m.Curves[0], want)
	}
	if want := []float64{27, 33, 27, 20, 0}; !slices.Equal(m.Curves[1], want) {
		t.Errorf("the worst first: %v, not %v", m.Curves[1], want)
	}
	for o, curve := range m.Curves[2:] {
		if curve[0] != 27 || curve[4] != 0 {
			t.Errorf("random order %d is %v", o, curve)
		}
		for step := range m.Removed {
			if curve[step] < m.Curves[0][step] || curve[step] > m.Curves[1][step] {
				t.Errorf("random order %d is %v, beyond %v or %v", o, curve, m.Curves[0], m.Curves[1])
			}
		}
		if o > 0 && slices.Equal(curve, m.Curves[2]) {
			t.Errorf("random orders 0 and %d are alike", o)
		}
	}
	again := NewRemoval(addsUp(values...), 4)
	if !reflect.DeepEqual(m.orders, again.orders) {
		t.Error("the same seed draws other orders")
	}
}

// TestRemovalSmall: there are no more steps than players, and of an unknown v(∅) nothing
// is claimed.
func TestRemovalSmall(t *testing.T) {
	r := addsUp(2)
	r.Empty = math.NaN()
	m := NewRemoval(r, 10)
	if !slices.Equal(m.Removed, []int{0, 1}) || m.Pending() != 0 || m.Curves[0][0] != 2 || !math.IsNaN(m.Curves[0][1]) {
		t.Errorf("of one player: %v, %v", m.Removed, m.Curves)
	}
	m = NewRemoval(addsUp(2, 1, 3), 10)
	if !slices.Equal(m.Removed, []int{0, 1, 2, 3}) || !slices.Equal(m.Subset(0), Subset{0, 1}) || !slices.Equal(m.Subset(3), Subset{2}) {
		t.Errorf("of three players: %v, %v, %v", m.Removed, m.Subset(0), m.Subset(3))
	}
}
