// Package report draws what a valuation has found as one HTML file, of pictures that are
// read before the numbers, and with the numbers behind them. The file is whole in itself:
// no network, no script, and it says so to the browser. It follows the browser's light or
// dark, its width, and is made to be printed and to be read out.
//
// A report is a function of what it is given: it knows no files and no clock. All that
// differs between two runs of one command is in Run, and stands in a section of its own,
// the last.
package report

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"dvlcache/exec/valuation"
)

// A Report is what is drawn.
type Report struct {
	valuation.Result
	Names   []string // of the players
	Player  string   // what a player is: point, group
	Limit   string   // what stopped it, in words
	Noise   bool     // answers are means of several samples
	Command string   // what makes this report, as a line for a shell
	// Settings are those of the command that aren't on its line.
	Settings [][2]string
	Version  string
	// KnownBad, if not nil, is which players are known to be bad.
	KnownBad []bool
	// Removal, if not nil, is what came of taking players away; NoRemoval, if it isn't empty,
	// is why there is nothing though it was asked for.
	Removal   *valuation.Removal
	NoRemoval string
	// Run is what this run took: names and texts.
	Run [][2]string
}

//go:embed style.css
var style markup

// HTML is the file.
func (r *Report) HTML() []byte {
	d := &drawing{Report: r, page: &page{}}
	for range r.Points {
		d.order = append(d.order, 0)
	}
	for i, p := range r.Points {
		d.order[p.Rank-1] = i
	}
	d.add("<!DOCTYPE html>\n" + `<html lang="en"><head><meta charset="utf-8" />` + "\n" +
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />` + "\n" +
		`<meta name="viewport" content="width=device-width, initial-scale=1" />` + "\n")
	d.add("<title>%s</title>\n<style>%s</style></head>\n<body>\n<main>\n", d.title(), style)
	d.head()
	d.values()
	d.knownBad()
	d.removal()
	d.sizes()
	d.rounds()
	d.all()
	d.how()
	d.add("</main>\n</body></html>\n")
	return d.Bytes()
}

// drawing is a Report while it is written.
type drawing struct {
	*Report
	*page
	order []int // the players by rank
}

func (d *drawing) players(n int) string {
	if n == 1 {
		return "1 " + d.Player
	}
	return count(n) + " " + d.Player + "s"
}

func (d *drawing) title() string {
	return fmt.Sprintf("What %s %s worth: %s values", d.players(d.Players), map[bool]string{true: "is", false: "are"}[d.Players == 1], d.Method)
}

// exactly is whether no value has an error.
func (d *drawing) exactly() bool {
	return !slices.ContainsFunc(d.Points, func(p valuation.Point) bool { return p.Stderr != 0 })
}

// head says what it is and how far it is to be trusted.
func (d *drawing) head() {
	d.add("<h1>%s</h1>\n<p>%s</p>\n", d.title(), d.verdict())
	for _, text := range d.warnings() {
		d.add(`<p class="warning"><strong>Mind:</strong> %s</p>`+"\n", text)
	}
	tiles := [][2]string{
		{"score of all", short(d.Full)},
		{"subsets asked", count(d.Evaluations)},
		{"stopped by", d.Limit},
		{"reliability", digits(d.Reliability, 3)},
		{"largest standard error", digits(d.largestError(), 2)},
	}
	if finite(d.Empty) {
		tiles = slices.Insert(tiles, 1, [2]string{"score of none", short(d.Empty)})
	}
	d.add(`<dl class="tiles">`)
	for _, tile := range tiles {
		d.add(`<div><dt>%s</dt><dd class="words">`, tile[0])
		d.words(tile[1])
		d.add("</dd></div>\n")
	}
	d.add("</dl>\n")
}

func (d *drawing) largestError() (most float64) {
	for _, p := range d.Points {
		most = max(most, p.Stderr)
	}
	return most
}

// verdict is what the reliability means.
func (d *drawing) verdict() string {
	apart := d.apart()
	switch {
	case d.exactly() && d.Method.Truncated():
		return "No standard error is above 0, as far as truncated orders can tell."
	case d.exactly():
		return "The values are exact: nothing that counts was left unasked."
	case d.Players == 1:
		return "There is one value, and its standard error is of the noise of its scores."
	case apart >= 0.9:
		return fmt.Sprintf("The values can be told apart: of %s of all pairs the intervals don't meet.", percent(apart))
	case apart >= 0.5:
		return fmt.Sprintf("The values are told apart in the large: of %s of all pairs the intervals don't meet, but neighbours in rank may well stand the other way round.", percent(apart))
	}
	return fmt.Sprintf("The values can hardly be told apart yet: of %s of all pairs alone the intervals don't meet. Half the error takes four times as many evaluations.", percent(apart))
}

// apart is of how many pairs of points the intervals don't meet, from 0 to 1. The
// reliability doesn't say that: one value far from the others makes it high.
func (d *drawing) apart() float64 {
	meet := 0
	for _, p := range d.Points {
		meet += p.RankHigh - p.RankLow
	}
	return 1 - float64(meet)/float64(d.Players*(d.Players-1))
}

func (d *drawing) warnings() (all []string) {
	if d.Unsampled > 0.001 {
		all = append(all, fmt.Sprintf("%s of the weight lies on sizes of which no subset was asked: of them the values know nothing. More evaluations would ask them.", percent(d.Unsampled)))
	}
	if d.Method.Truncated() {
		all = append(all, "the standard errors know nothing of the bias that truncation brings.")
	}
	if odd := d.oddities(); odd > 0 {
		all = append(all, fmt.Sprintf("%s can't be drawn, having a value or an error that is not finite; the table of all values has them.", d.players(odd)))
	}
	return all
}

// oddities counts the players that no picture can show.
func (d *drawing) oddities() (n int) {
	for _, p := range d.Points {
		if !finite(p.Value) || !finite(p.Lower) || !finite(p.Upper) {
			n++
		}
	}
	return n
}

// section begins a section.
func (d *drawing) section(id, title markup) {
	d.add(`<section aria-labelledby="%s"><h2 id="%s">%s</h2>`+"\n", id, id, title)
}

func (d *drawing) endSection() { d.add("</section>\n") }

// bad is whether a player is known to be.
func (d *drawing) bad(i int) bool { return d.KnownBad != nil && d.KnownBad[i] }

// mostRows is how many players the table has at most: more make no page that opens.
const mostRows = 10_000

// columns are those of the table of all values, as of the other outputs.
var columns = strings.Fields("point value stderr lower upper rank rank_low rank_high count")

// all is the table of all values.
func (d *drawing) all() {
	d.section("all", "All values")
	rows := d.order
	if len(rows) > mostRows {
		d.add("<p>The best and the worst %s of %s; the other outputs of <code>dvlcache value</code> have the others too.</p>\n", count(mostRows/2), count(len(rows)))
		rows = slices.Concat(rows[:mostRows/2], rows[len(rows)-mostRows/2:])
	}
	header := slices.Clone(columns)
	if d.KnownBad != nil {
		header = append(header, "known bad")
	}
	d.table(fmt.Sprintf("The values of %s, the best first, with all digits", d.players(len(rows))), header, true, len(rows), func(at int) []string {
		i := rows[at]
		p := d.Points[i]
		cells := []string{d.Names[i], exact(p.Value), exact(p.Stderr), exact(p.Lower), exact(p.Upper), fmt.Sprint(p.Rank), fmt.Sprint(p.RankLow), fmt.Sprint(p.RankHigh), fmt.Sprint(p.Count)}
		if d.KnownBad != nil {
			cells = append(cells, map[bool]string{true: "yes"}[d.bad(i)])
		}
		return cells
	})
	d.endSection()
}

// how says how the values were made, and what this run took.
func (d *drawing) how() {
	d.section("how", "How it was made")
	d.add(`<pre class="words">`)
	d.words(d.Command)
	d.add("</pre>\n")
	rows := [][2]string{
		{"method", d.Method.String()},
		{"seed", fmt.Sprint(d.Seed)},
		{d.Player + "s (n)", count(d.Players)},
		{"score of all, v(N)", exact(d.Full)},
		{"score of none, v(∅)", cmpEmpty(exact(d.Empty), "not asked")},
		{"subsets asked", count(d.Evaluations)},
		{"stopped by", d.Limit},
		{"reliability", exact(d.Reliability)},
		{"weight on sizes not asked", percent(d.Unsampled)},
		{"noise of the scores", map[bool]string{true: "in the standard errors, from repeated evaluations", false: "not in the standard errors: they are about the scores as they were cached"}[d.Noise]},
		{"dvlcache", d.Version},
	}
	d.facts(append(rows, d.Settings...))
	d.endSection()
	d.section("run", "What this run took")
	d.add("<p class=\"soft\">All above is the same whenever this command runs on these scores; what follows is of this run.</p>\n")
	d.facts(d.Run)
	d.endSection()
}

func cmpEmpty(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
