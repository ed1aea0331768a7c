package cache

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write computed tables into docs")

// TestStochasticTable computes the table in docs/stochastic.md: how many
// evaluations the default rule takes, and how far the mean at which it stops
// is off, in the mean over many runs.
func TestStochasticTable(t *testing.T) {
	const runs = 20000
	rule := StopRule{MinRepetitions: 3, RelTolerance: 0.1}
	var table strings.Builder
	table.WriteString("| coefficient of variation | (cv / rtol)² | evaluations, normal | bias, normal | evaluations, skewed | bias, skewed |\n")
	table.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, cv := range []float64{0.05, 0.1, 0.2, 0.5, 1, 2} {
		fmt.Fprintf(&table, "| %g | %.3g |", cv, cv*cv/0.01)
		for _, draw := range []func(*rand.Rand) float64{
			func(r *rand.Rand) float64 { return 1 + cv*r.NormFloat64() },
			// Lognormal, of mean 1.
			func(r *rand.Rand) float64 {
				s2 := math.Log(1 + cv*cv)
				return math.Exp(math.Sqrt(s2)*r.NormFloat64() - s2/2)
			},
		} {
			rng := rand.New(rand.NewPCG(1, uint64(cv*100)))
			var evaluations, stopped Moments
			for range runs {
				var m Moments
				for !rule.Done(m) {
					m = m.Add(draw(rng))
				}
				evaluations = evaluations.Add(float64(m.Count))
				stopped = stopped.Add(m.Mean)
			}
			fmt.Fprintf(&table, " %.3g | %+.1f %% ± %.1f |", evaluations.Mean, 100*(stopped.Mean-1), 100*stopped.Stderr())
		}
		table.WriteByte('\n')
	}
	const path, begin, end = "../docs/stochastic.md", "<!-- table: computed by TestStochasticTable -->\n", "<!-- end of table -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not what is computed; go test ./cache -run StochasticTable -update writes\n%s", path, table.String())
	}
	if err := os.WriteFile(path, []byte(head+begin+table.String()+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
