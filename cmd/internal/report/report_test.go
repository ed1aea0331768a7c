package report

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dvlcache/exec/number"
	"dvlcache/exec/valuation"
)

var keep = flag.String("report.keep", "", "write the reports of the tests into this folder, to be looked at")

// additive is the report of a game in which players add what they are worth to a score
// that grows ever less, valued by a method.
func additive(t *testing.T, n int, method string, settings valuation.Settings) *Report {
	t.Helper()
	m, err := valuation.ParseMethod(method)
	if err != nil {
		t.Fatal(err)
	}
	settings.Players, settings.Method, settings.Seed = n, m, 3
	settings.Truncate = 0.01
	v, err := valuation.New(settings)
	if err != nil {
		t.Fatal(err)
	}
	worth := make([]float64, n)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range worth {
		worth[i] = source.ExpFloat64() - 0.25
	}
	score := func(s valuation.Subset) float64 {
		sum := 0.0
		for _, i := range s {
			sum += worth[i]
		}
		return 1 / (1 + math.Exp(-8*sum/float64(n)))
	}
	for !v.Done() {
		for i, s := range v.Subsets() {
			v.Answer(i, score(s), 0)
		}
		if err := v.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	r := &Report{Result: v.Result(), Player: "point", Limit: "--evaluations 20n", Command: "dvlcache value --points 1-" + fmt.Sprint(n) + " -- ./train.sh {}", Version: "v1.2.3",
		Run: [][2]string{{"time it took", "1.2 s"}}, KnownBad: make([]bool, n)}
	for i, x := range worth {
		r.Names = append(r.Names, fmt.Sprint("p", i+1))
		r.KnownBad[i] = x < -0.2
	}
	if !slices.Contains(r.KnownBad, true) {
		r.KnownBad[0] = true
	}
	r.Removal = valuation.NewRemoval(r.Result, 12)
	for i := range r.Removal.Pending() {
		r.Removal.Answer(i, score(r.Removal.Subset(i)))
	}
	return r
}

// element is one of the page, with all its text.
type element struct {
	name string
	attr map[string]string
	text []byte
}

// parsed reads a page, which is to be well-formed XML too, and returns its elements.
func parsed(t *testing.T, page []byte) (all []*element) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(page)))
	var open []*element
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{token.Name.Local, map[string]string{}, nil}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			open, all = append(open, e), append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			for _, e := range open {
				e.text = append(e.text, token...)
			}
		}
	}
	return all
}

// broken is what no attribute of a picture holds.
var broken = regexp.MustCompile(`NaN|Inf|%!|-?\d{330}`)

// check looks at what holds of each report, and returns its elements.
func check(t *testing.T, name string, r *Report) []*element {
	t.Helper()
	page := r.HTML()
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, strings.ReplaceAll(name, " ", "-")+".html"), page, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all := parsed(t, page)
	ids := map[string]bool{}
	for _, e := range all {
		if id := e.attr["id"]; id != "" {
			if ids[id] {
				t.Errorf("%s: the id %s is there twice", name, id)
			}
			ids[id] = true
		}
	}
	for _, e := range all {
		switch e.name {
		case "script", "link", "img", "iframe", "object", "image", "use", "a":
			t.Errorf("%s: there is a <%s>", name, e.name)
		case "svg":
			if e.attr["role"] == "img" {
				for _, id := range strings.Fields(e.attr["aria-labelledby"]) {
					if !ids[id] {
						t.Errorf("%s: a picture is labelled by %s, which isn't there", name, id)
					}
				}
			}
		case "style":
			if bytes.Contains(e.text, []byte("url(")) || bytes.Contains(e.text, []byte("@import")) {
				t.Errorf("%s: the style leads elsewhere", name)
			}
		}
		for attribute, value := range e.attr {
			if slices.Contains([]string{"src", "href", "srcset", "data", "action"}, attribute) || strings.HasPrefix(attribute, "on") {
				t.Errorf("%s: <%s> has %s=%q", name, e.name, attribute, value)
			}
			if attribute != "title" && attribute != "content" && broken.MatchString(value) {
				t.Errorf("%s: <%s> has %s=%q", name, e.name, attribute, value)
			}
		}
	}
	return all
}

// cells are the texts of the rows of the table of all values.
func cells(t *testing.T, page []byte) (rows [][]string) {
	t.Helper()
	_, rest, _ := strings.Cut(string(page), `<section aria-labelledby="all">`)
	section, _, ok := strings.Cut(rest, "</section>")
	if !ok {
		t.Fatal("there is no table of all values")
	}
	for _, e := range parsed(t, []byte("<section>"+section+"</section>")) {
		switch e.name {
		case "tr":
			rows = append(rows, nil)
		case "th", "td":
			rows[len(rows)-1] = append(rows[len(rows)-1], string(e.text))
		}
	}
	return rows
}

// TestReport: of each method and number of players the page is whole, and its table has
// all players with all digits.
func TestReport(t *testing.T) {
	for _, c := range []struct {
		n        int
		method   string
		settings valuation.Settings
	}{
		{1, "shapley", valuation.Settings{}},
		{1, "loo", valuation.Settings{}},
		{2, "shapley", valuation.Settings{}},
		{3, "banzhaf", valuation.Settings{}},
		{8, "beta:4:1", valuation.Settings{Exact: true}},
		{30, "loo", valuation.Settings{}},
		{31, "tmc", valuation.Settings{}},
		{120, "shapley", valuation.Settings{}},
		{120, "shapley", valuation.Settings{Evaluations: 240}},
		{1000, "banzhaf", valuation.Settings{Evaluations: 4000}},
		{10_000, "shapley", valuation.Settings{Evaluations: 20_000}},
	} {
		name := fmt.Sprintf("%d %s %d", c.n, c.method, c.settings.Evaluations)
		r := additive(t, c.n, c.method, c.settings)
		check(t, name, r)
		rows := cells(t, r.HTML())
		if len(rows) != c.n+1 || !slices.Equal(rows[0], append(slices.Clone(columns), "known bad")) {
			t.Fatalf("%s: the table has %d rows, the first %v", name, len(rows), rows[0])
		}
		for _, row := range rows[1:] {
			var i int
			fmt.Sscanf(row[0], "p%d", &i)
			i--
			p := r.Points[i]
			want := []string{r.Names[i], number.Format(p.Value), number.Format(p.Stderr), number.Format(p.Lower), number.Format(p.Upper),
				fmt.Sprint(p.Rank), fmt.Sprint(p.RankLow), fmt.Sprint(p.RankHigh), fmt.Sprint(p.Count), map[bool]string{true: "yes"}[r.KnownBad[i]]}
			if !slices.Equal(row, want) {
				t.Fatalf("%s: a row is %v, not %v", name, row, want)
			}
		}
	}
}

// TestHostileNames: what a name holds is text wherever it stands.
func TestHostileNames(t *testing.T) {
	r := additive(t, 4, "shapley", valuation.Settings{})
	r.Names = []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "a&amp;b ' \x00\x1b[31m\u202e\u0085\xff", strings.Repeat("very long ", 40)}
	r.Command = "dvlcache value -- sh -c '</pre><script>'"
	r.Limit = "--top </dd>"
	r.Settings = [][2]string{{"extract", "regex:<(.*)>"}}
	check(t, "hostile", r)
	shown := []string{r.Names[0], r.Names[1], "a&amp;b ' ␀␛[31m\ufffd\ufffd", r.Names[3]}
	rows := cells(t, r.HTML())
	for i, name := range shown {
		row := rows[r.Points[i].Rank]
		if row[0] != name {
			t.Errorf("the name %q is shown as %q", r.Names[i], row[0])
		}
	}
	if n := bytes.Count(r.HTML(), []byte("<script")) + bytes.Count(r.HTML(), []byte("<img")); n > 0 {
		t.Errorf("%d of them are markup", n)
	}
}

// TestEdges: values of all kinds break no picture.
func TestEdges(t *testing.T) {
	huge := math.MaxFloat64
	for name, values := range map[string][]float64{
		"zero":     {0, 0, 0, 0},
		"alike":    {1e15, 1e15, 1e15, 1e15},
		"near":     {1e15, 1e15 + 1, 1e15 + 2, 1e15 - 1},
		"tiny":     {5e-324, 0, -5e-324, 1e-310},
		"huge":     {huge, -huge, 0, huge},
		"infinite": {math.Inf(1), math.Inf(-1), 1, 2},
		"unknown":  {math.NaN(), 1, 2, math.NaN()},
	} {
		for _, stderr := range []float64{0, 1e-300, 0.5, huge, math.Inf(1), math.NaN()} {
			for _, n := range []int{4, 40} {
				r := additive(t, n, "shapley", valuation.Settings{})
				r.Points = slices.Clone(r.Points)
				for i := range r.Points {
					x := values[i%4]
					p := &r.Points[i]
					p.Value, p.Stderr, p.Lower, p.Upper = x, stderr, x-2*stderr, x+2*stderr
				}
				r.Empty, r.Full = values[0], values[1]
				for i, round := range r.Rounds {
					round.MaxStderr = stderr
					r.Rounds = slices.Clone(r.Rounds)
					r.Rounds[i] = round
				}
				r.Sizes = slices.Clone(r.Sizes)
				for i := range r.Sizes {
					r.Sizes[i].Mean, r.Sizes[i].SD = values[i%4], stderr
				}
				for i := range r.Removal.Pending() {
					r.Removal.Answer(i, values[i%4])
				}
				check(t, fmt.Sprint(name, " ", stderr, " ", n), r)
			}
		}
	}
}

// TestWithout: what wasn't asked for has no section, and what is missing is said.
func TestWithout(t *testing.T) {
	r := additive(t, 40, "loo", valuation.Settings{})
	r.KnownBad, r.Removal = nil, nil
	check(t, "without", r)
	page := string(r.HTML())
	for _, id := range []string{"known-bad", "removal", "sizes", "rounds"} {
		if strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("there is a section %s", id)
		}
	}
	if !strings.Contains(page, "not asked") || strings.Contains(page, "known to be bad") {
		t.Error("the score of none was not asked, and nobody is known to be bad")
	}
	r.NoRemoval = "time was up"
	r.Unsampled = 0.25
	page = string(r.HTML())
	if !strings.Contains(page, "There are none: time was up.") || !strings.Contains(page, "25 % of the weight lies on sizes of which no subset was asked") {
		t.Error("it isn't said what is missing")
	}
}

// TestKnownBad: the numbers of precision and recall are those that one counts by hand.
func TestKnownBad(t *testing.T) {
	r := additive(t, 40, "shapley", valuation.Settings{})
	for i, p := range r.Points {
		r.KnownBad[i] = p.Rank == 40 || p.Rank == 38 || p.Rank == 11
	}
	page := string(r.HTML())
	for _, text := range []string{
		"Of the 3 lowest 2 are known to be bad (by chance 0.23), and all 3 of them are among the 30 lowest of 40.",
		"<tr><td>2</td><td>1</td><td>0.15</td><td>0.5</td><td>0.333</td></tr>",
		"<tr><td>30</td><td>3</td><td>2.25</td><td>0.1</td><td>1</td></tr>",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("there is no %s", text)
		}
	}
}

// TestGroupSizes: sizes that are put together have the mean and the standard deviation of
// all their samples.
func TestGroupSizes(t *testing.T) {
	samples := [][]float64{{1}, {2, 4}, {3}, {}, {5, 6, 9}}
	var sizes []valuation.Size
	for len(sizes) < 2*mostSizes-2 {
		sizes = append(sizes, valuation.Size{Mean: math.NaN(), SD: math.NaN()})
	}
	for i, xs := range samples {
		mean, sd := moments(xs)
		sizes[3+i] = valuation.Size{Asked: len(xs), Mean: mean, SD: sd}
	}
	groups := groupSizes(sizes)
	if len(groups) > mostSizes+2 || groups[0].high != 0 || groups[len(groups)-1].low != len(sizes)-1 {
		t.Fatalf("%d sizes make %d groups", len(sizes), len(groups))
	}
	for i, g := range groups[1:] {
		if g.low != groups[i].high+1 {
			t.Fatalf("%d … %d comes after %d … %d", g.low, g.high, groups[i].low, groups[i].high)
		}
	}
	for _, g := range groups {
		var xs []float64
		for s := g.low; s <= g.high; s++ {
			if i := s - 3; i >= 0 && i < len(samples) {
				xs = append(xs, samples[i]...)
			}
		}
		mean, sd := moments(xs)
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 || math.IsNaN(a) && math.IsNaN(b) }
		if g.asked != len(xs) || !same(g.mean, mean) || !same(g.sd, sd) {
			t.Errorf("%d … %d: %v, not %v ± %v of %d", g.low, g.high, g, mean, sd, len(xs))
		}
	}
}

// moments are the mean and the standard deviation, NaN where there is none.
func moments(xs []float64) (mean, sd float64) {
	if len(xs) == 0 {
		return math.NaN(), math.NaN()
	}
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	if len(xs) == 1 {
		return mean, math.NaN()
	}
	for _, x := range xs {
		sd += (x - mean) * (x - mean) / float64(len(xs)-1)
	}
	return mean, math.Sqrt(sd)
}

// TestNumbers: people see as many digits as an error leaves.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		value, stderr float64
		want          string
	}{
		{0.0123456, 0.00491, "0.0123 ± 0.0098"},
		{-0.00002, 0.011, "0.000 ± 0.022"},
		{-12.34, 0.5, "-12.3 ± 1.0"},
		{1234.5, 60, "1234 ± 120"}, // the even one of two as near
		{0.123456, 0, "0.1235 ± 0"},
		{0.1, 0, "0.1 ± 0"},
		{3e-7, 1e-12, "3e-07 ± 2e-12"},
		{1e12, 1e9, "1e+12 ± 2e+09"},
	} {
		if value, e := within(c.value, c.stderr); value+" ± "+e != c.want {
			t.Errorf("%v ± 2·%v is shown as %s ± %s, not %s", c.value, c.stderr, value, e, c.want)
		}
	}
	if got := count(1234567) + count(-1234) + count(123); got != "1,234,567-1,234123" {
		t.Errorf("counts are shown as %s", got)
	}
}
