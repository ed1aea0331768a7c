package report

import (
	"strings"
	"testing"

	"dvlcache/exec/valuation"
)

// TestVerdict: one value far from the others tells nothing of these, though their spread
// is then the less of it error.
func TestVerdict(t *testing.T) {
	d := &drawing{Report: &Report{Result: valuation.Result{Players: 10, Reliability: 0.97}}}
	for _, tt := range []struct {
		meet int // how many others the interval of each point but the first meets
		want string
	}{
		{8, "hardly be told apart yet: of 20 % of all pairs"},
		{4, "told apart in the large: of 60 % of all pairs"},
		{0, "The values can be told apart: of 100 % of all pairs"},
	} {
		d.Points = []valuation.Point{{Stderr: 1, Rank: 1, RankLow: 1, RankHigh: 1}}
		for rank := 2; rank <= 10; rank++ {
			d.Points = append(d.Points, valuation.Point{Stderr: 1, Rank: rank, RankLow: 2, RankHigh: 2 + tt.meet})
		}
		if got := d.verdict(); !strings.Contains(got, tt.want) {
			t.Errorf("%d met: %s", tt.meet, got)
		}
	}
}
