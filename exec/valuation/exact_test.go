package valuation

import (
	"fmt"
	"math"
	"testing"
)

// TestExactSmoke
func TestExactSmoke(t *testing.T) {
	for _, m := range []string{"shapley", "banzhaf", "beta:4:1", "loo", "tmc"} {
		method, _ := ParseMethod(m)
		r := value(t, Settings{Players: 6, Method: method, Seed: 1, Evaluations: 1000}, func(s Subset) float64 {
			x := 0.0
			for _, i := range s {
				x += float64(i)
			}
			return math.Sqrt(x)
		})
		fmt.Println(m, r.Stopped, r.Evaluations)
		for _, p := range r.Points {
			fmt.Println("  ", p)
		}
	}
}
