package valuation

import "testing"

// value runs a valuation to its end.
func value(t testing.TB, s Settings, utility func(Subset) float64) Result {
	t.Helper()
	v, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	for !v.Done() {
		for i, subset := range v.Subsets() {
			v.Answer(i, utility(subset), 0)
		}
		if err := v.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	return v.Result()
}
