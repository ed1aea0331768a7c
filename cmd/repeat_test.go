//go:build unix

package cmd

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"dvlcache/cache"
)

// oracleCase is what pyDVL's own CachedFunc, with repeated evaluations allowed,
// answered when a function gave these outputs in order.
type oracleCase struct {
	Name            string
	Outputs         []float64
	RtolStderr      float64 `json:"rtol_stderr"`
	MinRepetitions  int     `json:"min_repetitions"`
	DiffersByDesign bool    `json:"differs_by_design"`
	Calls           []struct {
		Value     float64
		Evaluated bool
		Count     int64
		Variance  float64
	}
}

// result is what --format json prints.
type result struct {
	Value, Stderr, Variance, Min, Max float64
	Count                             int64
	Cached, Stable                    bool
}

func (b *workbench) result(args ...string) (r result) {
	b.Helper()
	out := b.number(append([]string{"run", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		b.Fatalf("%s: %v", out, err)
	}
	return r
}

func near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-12*math.Max(math.Abs(want), math.Abs(got))
}

// sequence writes a program that prints one line of a list after the other.
func (b *workbench) sequence(outputs []float64) {
	var lines strings.Builder
	for _, x := range outputs {
		fmt.Fprintln(&lines, strconv.FormatFloat(x, 'g', -1, 64))
	}
	b.write("outputs", lines.String())
	b.write("next.sh", "#!/bin/sh\necho >>calls\nsed -n \"$(wc -l <calls | tr -d ' ')p\" outputs\n")
}

// TestParityWithPyDVL: call by call the same value, evaluation or not, count
// and variance; where the mean is negative, at equal counts.
func TestParityWithPyDVL(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../testdata/pydvl-oracle.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []oracleCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			b := newWorkbench(t)
			b.sequence(c.Outputs)
			for i, want := range c.Calls {
				got := b.result("--repeat", "--rtol-stderr", fmt.Sprint(c.RtolStderr), "--min-repetitions", fmt.Sprint(c.MinRepetitions), "--", "./next.sh")
				if c.DiffersByDesign {
					if got.Cached {
						if i == 0 || !got.Stable {
							t.Fatalf("call %d: %+v", i, got)
						}
						return // pyDVL would never stop here
					}
				} else if got.Cached == want.Evaluated {
					t.Fatalf("call %d: cached is %v, evaluated there %v", i, got.Cached, want.Evaluated)
				}
				if !near(got.Value, want.Value) || got.Count != want.Count || math.Abs(got.Variance-want.Variance) > 1e-12*math.Max(want.Variance, 1e-3) {
					t.Fatalf("call %d: %+v, want %+v", i, got, want)
				}
			}
		})
	}
}

// TestRepeatsOfManyProcesses: 8 processes with 200 repeats each lose none.
func TestRepeatsOfManyProcesses(t *testing.T) { onEachBackendAlone(t, testRepeatsOfManyProcesses) }

func testRepeatsOfManyProcesses(t *testing.T, b *workbench) {
	b.write("noisy.sh", "#!/bin/sh\nx=0.$$7\necho $x >>outputs\necho $x\n")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				b.number("run", "--repeat", "--rtol-stderr", "0", "--", "./noisy.sh")
			}
		})
	}
	wg.Wait()
	got := b.result("--only-cached", "--repeat", "--", "./noisy.sh")
	var sum float64
	outputs := b.lines("outputs")
	for _, line := range outputs {
		x, err := strconv.ParseFloat(line, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += x
	}
	if mean := sum / float64(len(outputs)); len(outputs) != 1600 || got.Count != 1600 || !near(got.Value, mean) {
		t.Errorf("count %d and mean %v of %d outputs of mean %v", got.Count, got.Value, len(outputs), mean)
	}
}

// TestConverge: within one call, side by side, not beyond the rule.
func TestConverge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		flags       []string
		outputs     []float64
		least, most int64
		stable      bool
	}{
		// Four samples are enough; three others may be running then.
		{"a constant", []string{"--converge", "--jobs", "4"}, []float64{1}, 4, 7, true},
		{"one at a time", []string{"--converge"}, []float64{1}, 4, 4, true},
		{"a negative constant", []string{"--converge"}, []float64{-1}, 4, 4, true},
		{"zero", []string{"--converge"}, []float64{0}, 4, 4, true},
		{"around zero", []string{"--converge", "--max-repetitions", "12"}, []float64{1, -1}, 12, 12, false},
		{"around zero, an absolute tolerance", []string{"--converge", "--atol-stderr", "0.5"}, []float64{1, -1}, 5, 6, true},
		{"never more than the most", []string{"--converge", "--jobs", "4", "--rtol-stderr", "0", "--max-repetitions", "10"}, nil, 10, 10, false},
		{"stable at the most", []string{"--converge", "--max-repetitions", "4"}, []float64{1}, 4, 4, true},
		{"one is no mean", []string{"--converge", "--min-repetitions", "0"}, []float64{1}, 1, 1, false},
		{"so many samples", []string{"--repeat=6", "--jobs", "4"}, []float64{1}, 6, 6, true},
		{"without a cache", []string{"--converge", "--no-cache", "--jobs", "2"}, []float64{1}, 4, 5, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newWorkbench(t)
			// One output after the other, or, if there are none, noise.
			program := "#!/bin/sh\necho >>calls\nsleep 0.02\n"
			if tt.outputs == nil {
				program += "echo $$\n"
			} else {
				program += "n=$(wc -l <calls)\nset -- " + strings.Trim(fmt.Sprint(tt.outputs), "[]") + "\nshift $((n % $#))\necho $1\n"
			}
			b.write("next.sh", program)
			got := b.result(append(tt.flags, "--", "./next.sh")...)
			calls := int64(len(b.lines("calls")))
			if got.Count != calls || got.Count < tt.least || got.Count > tt.most || got.Stable != tt.stable {
				t.Errorf("%d evaluations, %+v", calls, got)
			}
		})
	}
}

// TestNotFiniteEnds: a mean that is no finite number stays so, and no further
// sample is asked for.
func TestNotFiniteEnds(t *testing.T) {
	for _, tt := range []struct {
		name, outputs string
		flags         []string
		calls         []int // after each call of ours
		want          string
	}{
		{"NaN among good ones", "1 2 nan", []string{"--converge", "--rtol-stderr", "0"}, []int{3, 3}, "NaN"},
		{"NaN first", "nan 1", []string{"--converge"}, []int{1, 1}, "nan"},
		{"an infinity", "1 -inf", []string{"--converge"}, []int{2, 2}, "-Inf"},
		{"a call at a time", "1 nan 2", []string{"--repeat"}, []int{1, 2, 2, 2}, "NaN"},
		{"so many as are asked for", "nan 1", []string{"--repeat=4"}, []int{4, 4}, "NaN"},
		{"without a cache", "1 inf", []string{"--converge", "--no-cache"}, []int{2, 4}, "+Inf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newWorkbench(t)
			b.write("next.sh", "#!/bin/sh\necho >>calls\nn=$(wc -l <calls)\nset -- "+tt.outputs+"\nshift $(((n - 1) % $#))\necho $1\n")
			for i, calls := range tt.calls {
				args := append([]string{"run", "--allow-nonfinite", "--timeout", "1m", "--max-repetitions", "50"}, tt.flags...)
				got := b.number(append(args, "--", "./next.sh")...)
				if n := len(b.lines("calls")); n != calls || i == len(tt.calls)-1 && got != tt.want {
					t.Errorf("call %d: %q after %d evaluations, want %d", i, got, n, calls)
				}
			}
		})
	}
}

// TestPyDVLsRule compares series and rule with pyDVL's own formulas, written
// down from its documentation, on sequences that are in no file.
func TestPyDVLsRule(t *testing.T) {
	sequences := map[string][]float64{}
	for seed := range 40 {
		x := uint64(seed + 1)
		var xs []float64
		for range 60 {
			x = x*6364136223846793005 + 1442695040888963407
			u := float64(x>>11) / (1 << 53)
			xs = append(xs, 0.2+float64(seed%4)*u)
		}
		sequences[fmt.Sprint("seed ", seed)] = xs
	}
	for name, xs := range sequences {
		for _, rule := range []cache.StopRule{{MinRepetitions: 3, RelTolerance: 0.1}, {MinRepetitions: 1, RelTolerance: 0.02}, {MinRepetitions: 0, RelTolerance: 0.5}} {
			var mean, variance, n float64
			var s cache.Series
			for i, x := range xs {
				evaluate := n <= float64(rule.MinRepetitions) || math.Sqrt(variance/n) > rule.RelTolerance*mean
				if evaluate == rule.Done(s.Moments) {
					t.Fatalf("%s, %+v, call %d: pyDVL evaluates: %v; %+v", name, rule, i, evaluate, s.Moments)
				}
				if !evaluate {
					break
				}
				delta := x - mean
				if n > 0 {
					variance += delta*delta/(n+1) - variance/n
				}
				mean += delta / (n + 1)
				n++
				s.Add(cache.Sample{ID: uint64(i), Value: x}, "")
				if !near(s.Mean, mean) || math.Abs(s.Variance()-variance) > 1e-12*math.Max(variance, 1e-3) {
					t.Fatalf("%s, call %d: mean %v, variance %v; want %v, %v", name, i, s.Mean, s.Variance(), mean, variance)
				}
			}
		}
	}
}
