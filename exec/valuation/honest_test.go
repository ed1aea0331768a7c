package valuation

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var (
	long   = flag.Bool("valuation.long", false, "compute the tables in docs/valuation.md, over 200 seeds each")
	update = flag.Bool("update", false, "with -valuation.long: write them there")
)

// A trial is a game that is valued again and again, to compare errors with what the
// standard errors say of them.
type trial struct {
	game        game
	method      string
	evaluations int     // a player
	noise       float64 // standard deviation of an answer about its mean
	repeat      int     // answers that a value is the mean of, where there is noise
	promised    bool    // whether the standard errors are to hold
}

func (c trial) settings(t testing.TB) Settings {
	return Settings{Players: c.game.n, Method: parse(t, c.method), Evaluations: max(2, c.evaluations*c.game.n)}
}

// truth is what each player is worth: by a closed form, or else by all subsets, or else by
// 100 times the evaluations of 20 a player.
func (c trial) truth(t testing.TB) []float64 {
	s := c.settings(t)
	if c.game.exact != nil {
		return c.game.exact(s.Method.Weights(c.game.n))
	}
	s.Seed, s.Exact, s.Evaluations = 1e9, c.game.n <= 16, 2000*c.game.n
	var values []float64
	for _, p := range c.game.value(t, s).Points {
		values = append(values, p.Value)
	}
	return values
}

// An outcome is how a trial went. Errors are over all players and seeds.
type outcome struct {
	coverage float64 // how often truth is within 2 standard errors
	lowest   float64 // … for the player for whom it is most seldom
	ratio    float64 // of the standard errors' root mean square and that of the errors
	err      float64 // root mean square error over the standard deviation of true values
	ranks    float64 // how often the true rank is in the interval
}

func (c trial) run(t testing.TB, seeds int) outcome {
	n := c.game.n
	truth := c.truth(t)
	ranked := make([]Point, n)
	for i, x := range truth {
		ranked[i].Value = x
	}
	rank(ranked, 0)
	u := c.game.play()
	var o outcome
	var errors2, stderrs2 float64
	covered := make([]float64, n)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 9))
		s := c.settings(t)
		s.Seed = uint64(seed + 1)
		r := valueNoisy(t, s, func(s Subset) (float64, float64) {
			if c.repeat == 0 {
				return u(s), 0
			}
			var m moments
			for range c.repeat {
				m.add(u(s) + c.noise*rng.NormFloat64())
			}
			return m.mean, m.squares / (m.count - 1) / m.count
		})
		for i, p := range r.Points {
			d := p.Value - truth[i]
			errors2 += d * d
			stderrs2 += p.Stderr * p.Stderr
			if math.Abs(d) <= 2*p.Stderr+1e-12 {
				covered[i] += 1 / float64(seeds)
			}
			if p.RankLow <= ranked[i].Rank && ranked[i].Rank <= p.RankHigh {
				o.ranks += 1 / float64(seeds*n)
			}
		}
	}
	o.lowest = 1
	for _, x := range covered {
		o.coverage += x / float64(n)
		o.lowest = min(o.lowest, x)
	}
	o.ratio = math.Sqrt(stderrs2 / errors2)
	o.err = math.Sqrt(errors2/float64(seeds*n)) / spread(truth)
	return o
}

// trials are those of the table in the documents.
func trials() []trial {
	var list []trial
	for _, g := range []game{nearest(120), logistic(), centroid(), election()} {
		for _, c := range []trial{
			{method: "shapley", evaluations: 20, promised: true},
			{method: "banzhaf", evaluations: 20, promised: true},
			{method: "beta:4:1", evaluations: 20, promised: true},
			{method: "shapley", evaluations: 5, promised: true},
			{method: "shapley", evaluations: 2, promised: g.name == nearest(120).name},
		} {
			c.game = g
			list = append(list, c)
		}
	}
	noisy := func(g game, method string, evaluations, repeat int) {
		list = append(list, trial{g, method, evaluations, 0.05, repeat, true})
	}
	noisy(nearest(120), "shapley", 20, 3)
	noisy(nearest(120), "banzhaf", 20, 3)
	noisy(nearest(120), "loo", 20, 3)
	two, three, five := airport([]int{1, 1}), airport([]int{1, 1, 1}), airport([]int{1, 1, 1, 1, 1})
	for _, g := range []game{two, three, five} {
		noisy(g, "shapley", 20, 10)
	}
	return append(list,
		trial{method: "shapley", evaluations: 2, game: three},
		trial{method: "shapley", evaluations: 2, game: five},
		trial{method: "shapley", evaluations: 20, game: airport(castro)},
		trial{method: "beta:16:1", evaluations: 20, game: election()},
		trial{method: "shapley", evaluations: 20, game: unanimity(40, 6)},
	)
}

func (c trial) check(t *testing.T, o outcome, slack float64) {
	if c.promised && !o.holds(slack) {
		t.Errorf("%s, %s at %d evaluations a player: ± 2 standard errors cover %.1f %%, and are %.3f of the error",
			c.game.name, c.method, c.evaluations, 100*o.coverage, o.ratio)
	}
}

func (o outcome) holds(slack float64) bool {
	return math.Abs(o.coverage-0.95) <= 0.02+slack && math.Abs(o.ratio-1) <= 0.05+slack
}

// TestHonest: two standard errors cover 95 of 100 true values; here over few seeds.
func TestHonest(t *testing.T) {
	for _, c := range trials() {
		seeds := 15
		switch {
		case c.game.exact == nil: // they take long
			continue
		case c.game.n <= 5:
			seeds = 400
		case c.game.n < 100:
			seeds = 40
		case c.evaluations == 20 && c.method != "shapley":
			continue
		}
		c.check(t, c.run(t, seeds), 0.03)
	}
}

// TestFewSubsets: standard errors are right in the mean where of three subsets two are asked,
// where of many sizes one is, and where c_s counts in a value.
func TestFewSubsets(t *testing.T) {
	three, five := airport([]int{1, 1, 1}), airport([]int{1, 1, 1, 1, 1})
	for _, c := range []trial{
		{game: three, method: "shapley", evaluations: 2},
		{game: five, method: "shapley", evaluations: 2},
		{game: five, method: "banzhaf", evaluations: 3},
		{game: election(), method: "beta:4:1", evaluations: 2},
	} {
		if o := c.run(t, 300); math.Abs(o.ratio-1) > 0.12 {
			t.Errorf("%s of %d players, %s: standard errors are %.2f of the errors", c.game.name, c.game.n, c.method, o.ratio)
		}
	}
}

// TestHonestTable computes how far standard errors hold, and writes it in the documents.
func TestHonestTable(t *testing.T) {
	if !*long {
		t.Skip("-valuation.long computes it")
	}
	var table strings.Builder
	table.WriteString("| utility | players | method | evaluations | ± 2 se cover | of single players at least | se / error | error / sd | rank intervals cover |\n")
	table.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range trials() {
		seeds := 200
		if c.game.n <= 5 {
			seeds = 2000
		}
		o := c.run(t, seeds)
		c.check(t, o, 0)
		name := c.game.name
		if c.repeat > 0 {
			name += fmt.Sprintf(", noisy, `--repeat=%d`", c.repeat)
		}
		mark := ""
		if !o.holds(0) {
			mark = "**"
		}
		fmt.Fprintf(&table, "| %s | %d | %s | %d·n | %s%.1f %%%s | %.0f %% | %.2f | %.2f | %.1f %% |\n",
			name, c.game.n, c.method, c.evaluations, mark, 100*o.coverage, mark, 100*o.lowest, o.ratio, o.err, 100*o.ranks)
		t.Logf("%s %d %s %d: %+v", name, c.game.n, c.method, c.evaluations, o)
	}
	document(t, "honest", table.String())
}

// document compares a table with that in docs/valuation.md, or writes it there.
func document(t *testing.T, name, table string) {
	t.Helper()
	path, begin, end := "../../docs/valuation.md", "<!-- table: "+name+", computed by go test ./exec/valuation -valuation.long -->\n", "<!-- end of table -->\n"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table %s", path, name)
	}
	switch {
	case old == table:
	case !*update:
		t.Errorf("the table %s in %s is not what is computed; -update writes\n%s", name, path, table)
	default:
		if err := os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
