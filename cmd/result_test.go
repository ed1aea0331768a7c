package cmd

import (
	"math"
	"testing"

	"dvlcache/cache"
)

// TestNoNoise: what we compute shows what was measured, not floating point; what a
// program printed, and means of it, stay to the last digit.
func TestNoNoise(t *testing.T) {
	for v, want := range map[float64]string{5.143659654833333: "5.14366", 0.1 + 0.2: "0.3", 3600.000000001: "3600", 0.0000004: "0"} {
		if got := secondsText(v); got != want {
			t.Errorf("%v seconds: %s, not %s", v, got, want)
		}
	}
	for _, v := range []float64{math.Inf(1), math.MaxFloat64, -math.MaxFloat64, 0, 5e-324, 0.5} {
		if got := computed(v); got != v && !(math.Abs(got-v) <= 1e-15*math.Abs(v)) {
			t.Errorf("%v is computed as %v", v, got)
		}
	}
	var m cache.Moments
	for _, v := range []float64{0.1, 0.2} {
		m = m.Add(v)
	}
	if m.Variance() == 0.005 {
		t.Fatal("the example has no noise")
	}
	if got := spreadText(m, m.Variance()); got != "0.005" {
		t.Errorf("variance %s", got)
	}
	if got, ok := jsonSpread(m, m.Variance()).(interface{ MarshalJSON() ([]byte, error) }); !ok {
		t.Errorf("variance %v", got)
	} else if text, _ := got.MarshalJSON(); string(text) != "0.005" {
		t.Errorf("variance %s", text)
	}
}
