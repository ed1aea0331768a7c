package valuation

import (
	"encoding/csv"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// A game is a utility of n players. Its play returns what may be called by one goroutine.
type game struct {
	name string
	n    int
	play func() func(Subset) float64
	// exact are the values by weights, in a closed form; nil where there is none.
	exact func(p []float64) []float64
}

// flowers are docs/examples/iris: every fifth of the 150 is a test point.
type flowers struct {
	train, test           [][]float64
	trainClass, testClass []int
}

var iris = sync.OnceValue(func() flowers {
	file, err := os.Open("../../docs/examples/iris/iris.csv")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		panic(err)
	}
	var f flowers
	var species []string
	for i, row := range rows[1:] {
		x := make([]float64, 4)
		for k := range x {
			if x[k], err = strconv.ParseFloat(row[k], 64); err != nil {
				panic(err)
			}
		}
		class := slices.Index(species, row[4])
		if class < 0 {
			class = len(species)
			species = append(species, row[4])
		}
		if i%5 == 4 {
			f.test, f.testClass = append(f.test, x), append(f.testClass, class)
		} else {
			f.train, f.trainClass = append(f.train, x), append(f.trainClass, class)
		}
	}
	return f
})

// neighbours are, for each test point, the training points from the nearest on.
func (f flowers) neighbours() [][]int {
	order := make([][]int, len(f.test))
	for t, x := range f.test {
		distance := make([]float64, len(f.train))
		order[t] = make([]int, len(f.train))
		for i, y := range f.train {
			order[t][i] = i
			for k := range x {
				distance[i] += (x[k] - y[k]) * (x[k] - y[k])
			}
		}
		slices.SortStableFunc(order[t], func(i, j int) int {
			switch {
			case distance[i] < distance[j]:
				return -1
			case distance[i] > distance[j]:
				return 1
			}
			return 0
		})
	}
	return order
}

// nearest is the utility of Jia et al. (2019) with 5 neighbours, on the first n training
// points by a step: the share of the 5 nearest, in the mean over test points, that have the
// test point's species.
func nearest(n int) game {
	const k = 5
	f := iris()
	step := len(f.train) / n
	var order [][]int
	for _, all := range f.neighbours() {
		var some []int
		for _, i := range all {
			if i%step == 0 && i/step < n {
				some = append(some, i/step)
			}
		}
		order = append(order, some)
	}
	right := func(t, i int) float64 {
		if f.trainClass[i*step] == f.testClass[t] {
			return 1
		}
		return 0
	}
	play := func() func(Subset) float64 {
		in := make([]bool, n)
		return func(s Subset) float64 {
			for _, i := range s {
				in[i] = true
			}
			sum := 0.0
			for t := range order {
				found := 0
				for _, i := range order[t] {
					if in[i] {
						sum += right(t, i)
						if found++; found == k || found == len(s) {
							break
						}
					}
				}
			}
			for _, i := range s {
				in[i] = false
			}
			return sum / k / float64(len(order))
		}
	}
	// The player at rank r (from 0) adds itself where fewer than k of the subset are
	// nearer, and puts out the k-th of the subset, at rank q > r, where there is one: of the
	// other q-1 that are nearer than that one k-1 are in it. g[q] is the weight of all such
	// subsets.
	exact := func(p []float64) []float64 {
		g := make([]float64, n)
		for q := 1; q < n; q++ {
			for size := k; size < n; size++ {
				if k-1 > q-1 || size-k > n-1-q {
					continue
				}
				g[q] += p[size] * math.Exp(logChoose(q-1, k-1)+logChoose(n-1-q, size-k)-logChoose(n-1, size))
			}
		}
		always := 0.0
		for size := range min(k, n) {
			always += p[size]
		}
		values := make([]float64, n)
		for t := range order {
			for r, i := range order[t] {
				x := always * right(t, i)
				for q := r + 1; q < n; q++ {
					x += g[q] * (right(t, i) - right(t, order[t][q]))
				}
				values[i] += x / k / float64(len(order))
			}
		}
		return values
	}
	return game{"5 nearest neighbours", n, play, exact}
}

// centroid is the accuracy of the nearest mean of a species; of none it says the first.
func centroid() game {
	f := iris()
	return game{"nearest centroid", len(f.train), func() func(Subset) float64 {
		return func(s Subset) float64 {
			var sum [3][4]float64
			var count [3]float64
			for _, i := range s {
				c := f.trainClass[i]
				count[c]++
				for k, x := range f.train[i] {
					sum[c][k] += x
				}
			}
			for c := range sum {
				for k := range sum[c] {
					sum[c][k] /= max(1, count[c])
				}
			}
			right := 0
			for t, x := range f.test {
				best, least := 0, math.Inf(1)
				for c := range sum {
					if count[c] == 0 {
						continue
					}
					d := 0.0
					for k := range x {
						d += (x[k] - sum[c][k]) * (x[k] - sum[c][k])
					}
					if d < least {
						best, least = c, d
					}
				}
				if best == f.testClass[t] {
					right++
				}
			}
			return float64(right) / float64(len(f.test))
		}
	}, nil}
}

// logistic is the accuracy of a logistic regression that tells the third species from the
// others: 4 steps of Newton's method, with a ridge of 1, on measurements in units of
// their standard deviation over the training points.
func logistic() game {
	f := iris()
	f.train, f.test = scaled(f.train, f.train), scaled(f.test, f.train)
	return game{"logistic regression", len(f.train), func() func(Subset) float64 {
		return func(s Subset) float64 {
			var w [5]float64
			for range 4 {
				var g [5]float64
				var h [5][5]float64
				for a := range w {
					g[a] = -w[a]
					h[a][a] = 1
				}
				for _, i := range s {
					x := f.train[i]
					row := [5]float64{x[0], x[1], x[2], x[3], 1}
					z := 0.0
					for a, y := range row {
						z += w[a] * y
					}
					p := 1 / (1 + math.Exp(-z))
					y := -p
					if f.trainClass[i] == 2 {
						y++
					}
					q := p * (1 - p)
					for a, u := range row {
						g[a] += y * u
						for b := range a + 1 {
							h[a][b] += q * u * row[b]
						}
					}
				}
				solve(&h, &g)
				for a := range w {
					w[a] += g[a]
				}
			}
			right := 0
			for t, x := range f.test {
				z := w[4]
				for k, y := range x {
					z += w[k] * y
				}
				if z > 0 == (f.testClass[t] == 2) {
					right++
				}
			}
			return float64(right) / float64(len(f.test))
		}
	}, nil}
}

// scaled are points about the mean of others, in units of these others' standard deviation.
func scaled(points, others [][]float64) [][]float64 {
	var along [4]moments
	for _, x := range others {
		for k := range x {
			along[k].add(x[k])
		}
	}
	var result [][]float64
	for _, x := range points {
		y := slices.Clone(x)
		for k, m := range along {
			y[k] = (x[k] - m.mean) / math.Sqrt(m.squares/m.count)
		}
		result = append(result, y)
	}
	return result
}

// solve is Cholesky's method; h has its lower half alone.
func solve(h *[5][5]float64, g *[5]float64) {
	for a := range 5 {
		for b := range a + 1 {
			x := h[a][b]
			for c := range b {
				x -= h[a][c] * h[b][c]
			}
			if a == b {
				h[a][a] = math.Sqrt(x)
			} else {
				h[a][b] = x / h[b][b]
			}
		}
	}
	for a := range 5 {
		for b := range a {
			g[a] -= h[a][b] * g[b]
		}
		g[a] /= h[a][a]
	}
	for a := 4; a >= 0; a-- {
		for b := a + 1; b < 5; b++ {
			g[a] -= h[b][a] * g[b]
		}
		g[a] /= h[a][a]
	}
}

// voting is won by a coalition whose weights come to the quota.
func voting(name string, weights []int, quota int) game {
	n := len(weights)
	total := 0
	for _, w := range weights {
		total += w
	}
	play := func() func(Subset) float64 {
		return func(s Subset) float64 {
			x := 0
			for _, i := range s {
				x += weights[i]
			}
			if x >= quota {
				return 1
			}
			return 0
		}
	}
	// Of how many subsets of each size and weight there are (Cantor; Mann and Shapley 1962);
	// without a player they are had by taking it away from those with it.
	exact := func(p []float64) []float64 {
		table := func() [][]float64 {
			t := make([][]float64, n+1)
			for k := range t {
				t[k] = make([]float64, total+1)
			}
			return t
		}
		all := table()
		all[0][0] = 1
		for m, w := range weights {
			for k := m; k >= 0; k-- {
				for x := total - w; x >= 0; x-- {
					all[k+1][x+w] += all[k][x]
				}
			}
		}
		values := make([]float64, n)
		without := table()
		for i, w := range weights {
			for k := range n {
				swings := 0.0
				for x := range total + 1 {
					without[k][x] = all[k][x]
					if k > 0 && x >= w {
						without[k][x] -= without[k-1][x-w]
					}
					if x < quota && x+w >= quota {
						swings += without[k][x]
					}
				}
				values[i] += p[k] * swings * math.Exp(-logChoose(n-1, k))
			}
		}
		return values
	}
	return game{name, n, play, exact}
}

// electors are the votes of the states of the USA for their president, 2024 and 2028, by
// size: California to Wyoming.
var electors = []int{54, 40, 30, 28, 19, 19, 17, 16, 16, 15, 14, 13, 12, 11, 11, 11, 11, 10, 10, 10, 10, 10, 9, 9,
	8, 8, 8, 7, 7, 6, 6, 6, 6, 6, 6, 5, 5, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3}

func election() game { return voting("voting (electoral college)", electors, 270) }

// spread is the standard deviation of values over players.
func spread(values []float64) float64 {
	var m moments
	for _, x := range values {
		m.add(x)
	}
	return math.Sqrt(m.squares / m.count)
}

// play runs a valuation of a game to its end.
func (g game) value(t testing.TB, s Settings) Result {
	s.Players = g.n
	return value(t, s, g.play())
}
