package report

import (
	"fmt"
	"math"
)

// mostMarks is how many intervals a picture has about at most: more than a screen can part.
const mostMarks = 240

// values draws all values by rank, what ranks they may have, and the best and the worst by
// name.
func (d *drawing) values() {
	d.section("values", "Values")
	var ends []float64
	for _, p := range d.Points {
		ends = append(ends, p.Lower, p.Value, p.Upper)
	}
	y := span(append(ends, 0)...)
	if d.Players <= 2*listed {
		d.list(y, d.order)
	} else {
		d.byRank(y)
		d.add(`<div class="pair"><div>`)
		d.add("<h3>The most valuable</h3>\n")
		d.list(y, d.order[:listed])
		d.add("</div><div><h3>The least valuable</h3>\n")
		d.list(y, d.order[d.Players-listed:])
		d.add("</div></div>\n")
	}
	d.add(`<p class="soft">Lines are two standard errors to each side; they hold the exact value of about 95 of 100 %ss. Ranks are those that don't contradict these lines. `, d.Player)
	d.add("%s</p>\n", caution)
	d.endSection()
}

const caution = "Data of high value need not train the better model: choosing by value may do no better than chance (Wang et al. 2024), so try it on data that had no part in the values."

// listed is how many of the best and of the worst are listed by name; all if that is all.
const listed = 15

// byRank draws all players side by side.
func (d *drawing) byRank(y scale) {
	kept, every := thin(d.Players, mostMarks)
	drawn := make([]bool, d.Players) // by rank, from 0
	for _, at := range kept {
		drawn[at] = true
	}
	note := ""
	if every > 1 {
		note = fmt.Sprintf(" Of %s one in %d is drawn", d.players(d.Players), every)
	}
	if d.KnownBad != nil && every > 1 {
		var bad []int
		for at, i := range d.order {
			if d.bad(i) {
				bad, drawn[at] = append(bad, at), false
			}
		}
		kept, one := thin(len(bad), mostMarks/3)
		for _, k := range kept {
			drawn[bad[k]] = true
		}
		if one > 1 {
			note += fmt.Sprintf(", and one in %d of those known to be bad", one)
		} else {
			note += ", and all that are known to be bad"
		}
	}
	if note != "" {
		note += "."
	}
	var values, ranks, badValues, badRanks []mark
	for at, i := range d.order {
		if !drawn[at] {
			continue
		}
		p := d.Points[i]
		class := markup("one")
		if d.bad(i) {
			class = "two"
		}
		rank := float64(p.Rank)
		value, error2 := within(p.Value, p.Stderr)
		v := mark{rank, p.Lower, p.Value, p.Upper, fmt.Sprintf("%s: %s ± %s", d.Names[i], value, error2), class, d.bad(i)}
		r := mark{rank, float64(p.RankLow), rank, float64(p.RankHigh), fmt.Sprintf("%s: rank %d, may be %s", d.Names[i], p.Rank, rankText(p.RankLow, p.RankHigh)), class, d.bad(i)}
		if d.bad(i) {
			badValues, badRanks = append(badValues, v), append(badRanks, r)
		} else {
			values, ranks = append(values, v), append(ranks, r)
		}
	}
	values, ranks = append(values, badValues...), append(ranks, badRanks...) // above the others
	x := whole(1, d.Players)
	best, worst := d.order[0], d.order[d.Players-1]
	say := fmt.Sprintf("From %s, worth %s, down to %s, worth %s. The table of all values has the numbers.", d.Names[best], short(d.Points[best].Value), d.Names[worst], short(d.Points[worst].Value))
	keys := []key{{class: "one", mark: "whisker", text: d.Player + ", ± 2 standard errors"}}
	rankKeys := []key{{class: "one", mark: "whisker", text: "rank, and the ranks it may have"}}
	if d.KnownBad != nil {
		known := key{class: "two", mark: "square", text: "known to be bad"}
		keys, rankKeys = append(keys, known), append(rankKeys, known)
	}
	f := d.open("Values by rank", "The most valuable on the left. What lies wholly above or below the line at 0 helps, or harms, beyond its error."+note, say, x, y, "rank", "value", 280)
	f.marks(values)
	f.close()
	d.legend(keys...)
	f.end()

	y = whole(1, d.Players)
	y.low, y.high = y.high, y.low // the first is on top
	f = d.open("Ranks", "The ranks that each may have as far as the errors tell: where lines are long, the order is a guess."+note, "The ranks that each may have; the table of all values has the numbers.", x, y, "rank", "ranks it may have", 220)
	f.marks(ranks)
	f.close()
	d.legend(rankKeys...)
	f.end()
}

// list is a table of players, with a picture of each value in its row.
func (d *drawing) list(x scale, players []int) {
	d.add(`<table class="rows"><thead><tr><th scope="col" class="name">%s</th><th class="picture" scope="col" aria-label="picture of the value">`, d.Player)
	d.add(`<svg height="14" aria-hidden="true">`)
	ends := []int{0, len(x.ticks) - 1} // more labels would meet
	if ends[1] == 0 {
		ends = ends[:1]
	}
	for _, i := range ends {
		d.add(`<text x="%s" y="12" text-anchor="middle">%s</text>`, part(x.at(x.ticks[i])), x.labels[i])
	}
	d.add("</svg></th>")
	d.add(`<th scope="col" class="value">value<span class="error"> ± 2 se</span></th><th scope="col" class="rank">ranks</th></tr></thead><tbody>` + "\n")
	for _, i := range players {
		p := d.Points[i]
		class, note := markup("one"), ""
		if d.bad(i) {
			class, note = "two", "known to be bad"
		}
		d.add(`<tr><th scope="row" class="name" title="%s"><bdi>%s</bdi></th><td class="picture"><svg height="18" aria-hidden="true">`, d.Names[i], d.Names[i])
		d.add(`<line class="grid" x1="0" x2="100%%" y1="9" y2="9" />`)
		if x.low < 0 && x.high > 0 {
			d.add(`<line class="zero" x1="%s" x2="%s" y1="0" y2="18" />`, part(x.at(0)), part(x.at(0)))
		}
		value, error2 := within(p.Value, p.Stderr)
		if finite(p.Lower) && finite(p.Upper) {
			d.add(`<line class="whisker %s" x1="%s" x2="%s" y1="9" y2="9" />`, class, part(x.at(p.Lower)), part(x.at(p.Upper)))
			if d.bad(i) {
				d.square(part(x.at(p.Value)), 9, class)
			} else {
				d.add(`<circle class="%s" cx="%s" cy="9" r="4" />`, class, part(x.at(p.Value)))
			}
		}
		d.add(`</svg></td><td class="value"`)
		if note != "" {
			d.add(` title="%s"`, note)
		}
		d.add(`>%s`, value)
		if p.Stderr != 0 {
			d.add(`<span class="error"> ± %s</span>`, error2)
		}
		d.add(`</td><td class="rank">%s</td></tr>`+"\n", rankText(p.RankLow, p.RankHigh))
	}
	d.add("</tbody></table>\n")
	if d.KnownBad != nil && d.Players <= 2*listed {
		d.legend(key{class: "two", mark: "square", text: "known to be bad"})
	}
}

func rankText(low, high int) string {
	if low == high {
		return count(low)
	}
	return count(low) + " – " + count(high)
}

// rounds draws how reliable the values were when each round ended.
func (d *drawing) rounds() {
	if len(d.Rounds) < 2 {
		return
	}
	d.section("rounds", "How sure, after how many evaluations")
	xs, reliability, largest := []float64{}, []float64{}, []float64{}
	for _, r := range d.Rounds {
		xs, reliability, largest = append(xs, float64(r.Evaluations)), append(reliability, r.Reliability), append(largest, r.MaxStderr)
	}
	x := scale{low: xs[0], high: xs[len(xs)-1], log: true}
	kept, _ := thin(len(xs), 5)
	if n := len(kept); n > 2 && kept[n-1]-kept[n-2] == 1 && len(xs) > 5 {
		kept = append(kept[:n-2], kept[n-1]) // their labels would meet
	}
	for _, i := range kept {
		x.ticks, x.labels = append(x.ticks, xs[i]), append(x.labels, count(d.Rounds[i].Evaluations))
	}
	first, last := d.Rounds[0], d.Rounds[len(d.Rounds)-1]
	d.add(`<div class="pair">`)
	draw := func(title, caption, name string, y scale, ys []float64, from, to float64) {
		f := d.open(title, caption, fmt.Sprintf("From %s after %s evaluations to %s after %s.", short(from), count(first.Evaluations), short(to), count(last.Evaluations)), x, y, "subsets asked (each step half as many more)", name, 180)
		f.curve("one", "", xs, ys)
		var dots []mark
		for i := range xs {
			dots = append(dots, mark{x: xs[i], low: math.NaN(), mid: ys[i], class: "one", name: fmt.Sprintf("%s: %s", count(d.Rounds[i].Evaluations), short(ys[i]))})
		}
		f.marks(dots)
		f.close()
		f.end()
	}
	whole := scale{low: 0, high: 1, ticks: []float64{0, 0.5, 0.9, 1}, labels: []string{"0", "0.5", "0.9", "1"}}
	draw("Reliability", "The part of the values' spread that is not error. At 0.9 they correlate with the exact values by about 0.95.", "reliability", whole, reliability, first.Reliability, last.Reliability)
	draw("Largest standard error", "Of all values, in the unit of the score.", "standard error", span(append(largest, 0)...), largest, first.MaxStderr, last.MaxStderr)
	d.add("</div>\n")
	d.table("The rounds in numbers", []string{"subsets asked", "reliability", "largest standard error"}, false, len(d.Rounds), func(i int) []string {
		r := d.Rounds[i]
		return []string{fmt.Sprint(r.Evaluations), exact(r.Reliability), exact(r.MaxStderr)}
	})
	d.endSection()
}
