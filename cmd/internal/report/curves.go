package report

import (
	"fmt"
	"math"
	"slices"

	"dvlcache/exec/valuation"
)

// knownBad draws how many of the lowest values are known to be bad.
func (d *drawing) knownBad() {
	if d.KnownBad == nil {
		return
	}
	n := d.Players
	found := make([]int, n+1) // among the k lowest
	for k := range n {
		found[k+1] = found[k]
		if d.bad(d.order[n-1-k]) {
			found[k+1]++
		}
	}
	all := found[n]
	needed := slices.Index(found, all)
	d.section("known-bad", "Known to be bad, among the lowest")
	chance := digits(float64(all)*float64(all)/float64(n), 2)
	summary := fmt.Sprintf("Of the %s lowest %s are known to be bad (by chance %s), and all %s of them are among the %s lowest of %s.", count(all), count(found[all]), chance, count(all), count(needed), count(n))
	if all == 1 {
		summary = fmt.Sprintf("The one that is known to be bad is number %s from below, of %s.", count(needed), count(n))
	}
	d.add("<p>%s</p>\n", summary)

	kept, _ := thin(n+1, 400)
	var xs, recall, precision []float64
	for _, k := range kept {
		xs = append(xs, float64(k))
		recall = append(recall, float64(found[k])/float64(all))
		precision = append(precision, float64(found[k])/float64(k)) // of none: NaN
	}
	share := float64(all) / float64(n)
	f := d.open("Precision and recall", "Looking through the lowest values first, how many that are known to be bad have been found.",
		summary, whole(0, n), scale{low: 0, high: 1, ticks: []float64{0, 0.25, 0.5, 0.75, 1}, labels: []string{"0", "0.25", "0.5", "0.75", "1"}}, "lowest values looked at", "part", 220)
	f.curve("three", "dotted", []float64{0, float64(n)}, []float64{0, 1})
	f.curve("three", "dashed", []float64{0, float64(n)}, []float64{share, share})
	f.curve("two", "dashed", xs, precision)
	f.curve("one", "", xs, recall)
	f.close()
	d.legend(key{class: "one", mark: "line", text: "recall: found of all that are known"}, key{class: "two", style: "dashed", mark: "line", text: "precision: bad among those looked at"},
		key{class: "three", style: "dotted", mark: "line", text: "recall by chance"}, key{class: "three", style: "dashed", mark: "line", text: "precision by chance"})
	var rows []int
	for k := 1; k < n; k *= 10 {
		rows = append(rows, k, 2*k, 5*k)
	}
	rows = append(rows, all, needed, n)
	slices.Sort(rows)
	rows = slices.DeleteFunc(slices.Compact(rows), func(k int) bool { return k > n })
	d.table("Precision and recall in numbers", []string{"lowest", "known to be bad", "by chance", "precision", "recall"}, false, len(rows), func(i int) []string {
		k := rows[i]
		c := float64(found[k])
		return []string{fmt.Sprint(k), fmt.Sprint(found[k]), short(float64(k) * share), digits(c/float64(k), 3), digits(c/float64(all), 3)}
	})
	f.end()
	d.endSection()
}

// removal draws the utility as players are taken away.
func (d *drawing) removal() {
	if d.Removal == nil && d.NoRemoval == "" {
		return
	}
	d.section("removal", "Removal curves")
	defer d.endSection()
	if d.Removal == nil {
		d.add("<p>There are none: %s.</p>\n", d.NoRemoval)
		return
	}
	m := d.Removal
	best, worst, random := m.Curves[0], m.Curves[1], m.Curves[2:]
	steps := len(m.Removed)
	var xs, mean, least, most []float64
	for k, removed := range m.Removed {
		xs = append(xs, float64(removed))
		low, high, sum := math.Inf(1), math.Inf(-1), 0.0
		for _, curve := range random {
			low, high, sum = min(low, curve[k]), max(high, curve[k]), sum+curve[k]/float64(len(random))
		}
		mean, least, most = append(mean, sum), append(least, low), append(most, high)
	}
	means := fmt.Sprintf("the best first %s, at random %s, the worst first %s.", short(meanOf(best)), short(meanOf(mean)), short(meanOf(worst)))
	d.add("<p>Means of the score along the curves: %s They are of the test points that the values are made of, and promise nothing of new ones.</p>\n", means)
	f := d.open("The score as "+d.Player+"s are removed", fmt.Sprintf("Where values rank well, removing the best first costs more than removing at random, and removing the worst first less. At random: the mean of %d orders, and the lowest and the highest of them.", len(random)),
		"Means of the score along the curves: "+means,
		whole(0, d.Players), span(slices.Concat(best, worst, least, most)...), d.Player+"s removed", "score", 260)
	var atRandom, bestDots, worstDots []mark
	for k := range steps {
		atRandom = append(atRandom, mark{xs[k], least[k], mean[k], most[k], fmt.Sprintf("%d removed at random: %s", m.Removed[k], short(mean[k])), "three", false})
		bestDots = append(bestDots, mark{xs[k], math.NaN(), best[k], 0, fmt.Sprintf("the best %d removed: %s", m.Removed[k], short(best[k])), "one", false})
		worstDots = append(worstDots, mark{xs[k], math.NaN(), worst[k], 0, fmt.Sprintf("the worst %d removed: %s", m.Removed[k], short(worst[k])), "two", true})
	}
	f.curve("three", "dotted", xs, mean)
	f.marks(atRandom)
	f.curve("two", "dashed", xs, worst)
	f.marks(worstDots)
	f.curve("one", "", xs, best)
	f.marks(bestDots)
	f.close()
	d.legend(key{class: "one", mark: "line", text: "the best first"}, key{class: "three", style: "dotted", mark: "line", text: "at random"}, key{class: "two", style: "dashed", mark: "line", text: "the worst first"})
	d.table("The removal curves in numbers", []string{"removed", "best first", "at random", "lowest", "highest", "worst first"}, false, steps, func(k int) []string {
		return []string{fmt.Sprint(m.Removed[k]), exact(best[k]), digits(mean[k], 12), exact(least[k]), exact(most[k]), exact(worst[k])}
	})
	f.end()
}

// meanOf is the mean of what is known.
func meanOf(xs []float64) float64 {
	sum, n := 0.0, 0.0
	for _, x := range xs {
		if finite(x) {
			sum, n = sum+x, n+1
		}
	}
	return sum / n
}

// mostSizes is how many sizes are drawn each by itself; of more, neighbours are put
// together.
const mostSizes = 120

// sizeGroup is some neighbouring sizes.
type sizeGroup struct {
	low, high, asked int
	mean, sd         float64
}

// groupSizes puts sizes together: their means weighted by what was asked, and the standard
// deviation of all their samples about that.
func groupSizes(sizes []valuation.Size) (groups []sizeGroup) {
	n := len(sizes) - 1
	each := (n + mostSizes - 1) / mostSizes
	for low := 0; low <= n; {
		high := min(low+max(each, 1), n) - 1
		if low == 0 || low == n {
			high = low
		}
		g := sizeGroup{low: low, high: high, mean: math.NaN(), sd: math.NaN()}
		for _, s := range sizes[low : high+1] {
			if finite(s.Mean) && s.Asked > 0 {
				before := g.mean
				if g.asked == 0 {
					before = 0
				}
				g.asked += s.Asked
				g.mean = before + (s.Mean-before)*float64(s.Asked)/float64(g.asked)
			}
		}
		if g.asked > 1 {
			squares := 0.0
			for _, s := range sizes[low : high+1] {
				if s.Asked > 1 && finite(s.SD) {
					squares += float64(s.Asked-1) * s.SD * s.SD
				}
				if finite(s.Mean) && s.Asked > 0 {
					squares += float64(s.Asked) * (s.Mean - g.mean) * (s.Mean - g.mean)
				}
			}
			g.sd = math.Sqrt(squares / float64(g.asked-1))
		}
		groups = append(groups, g)
		low = high + 1
	}
	return groups
}

func (g sizeGroup) text() string {
	if g.low == g.high {
		return fmt.Sprint(g.low)
	}
	return fmt.Sprintf("%d – %d", g.low, g.high)
}

func (g sizeGroup) middle() float64 { return float64(g.low+g.high) / 2 }

// sizes draws the score by size, and where the evaluations went.
func (d *drawing) sizes() {
	if len(d.Sizes) < 3 {
		return
	}
	d.section("sizes", "The score by the size of subsets")
	groups := groupSizes(d.Sizes)
	var xs, means, ends []float64
	var marks []mark
	most := groups[0]
	for _, g := range groups {
		xs, means = append(xs, g.middle()), append(means, g.mean)
		ends = append(ends, g.mean-g.sd, g.mean, g.mean+g.sd)
		marks = append(marks, mark{g.middle(), g.mean - g.sd, g.mean, g.mean + g.sd, fmt.Sprintf("%s %ss: %s", g.text(), d.Player, short(g.mean)), "one", false})
		if g.asked > most.asked {
			most = g
		}
	}
	note := ""
	if most := groups[len(groups)/2]; most.high > most.low {
		note = fmt.Sprintf(" Of %s sizes %d neighbours each are put together.", count(len(d.Sizes)), most.high-most.low+1)
	}
	x := whole(0, d.Players)
	f := d.open("A learning curve", "The mean score of the subsets of a size that were asked, ± one standard deviation: what more data bring. Where it is level, a "+d.Player+" adds little to what is there."+note,
		fmt.Sprintf("From %s with no %s to %s with all.", cmpEmpty(shortOrNot(d.Empty), "an unknown score"), d.Player, short(d.Full)), x, span(ends...), d.Player+"s in the subset", "score", 240)
	f.curve("one", "", xs, means)
	f.marks(marks)
	f.close()
	d.legend(key{class: "one", mark: "whisker", text: "mean ± standard deviation of the score"})
	f.end()

	y := whole(0, most.asked)
	f = d.open("Where the evaluations went", "How many subsets of each size were asked. Sizes whose scores vary more, and weigh more, get more.", fmt.Sprintf("Most went to subsets of %s: %s.", most.text(), count(most.asked)), x, y, d.Player+"s in the subset", "subsets asked", 120)
	for _, g := range groups {
		if g.asked > 0 {
			left, right := max(0, x.at(float64(g.low)-0.4)), min(1, x.at(float64(g.high)+0.4))
			f.add(`<rect class="bar" x="%s" width="%s" y="%s" height="%.1f"><title>%s: %s</title></rect>`+"\n", part(left), part(right-left), f.yAt(float64(g.asked)), f.down(0)-f.down(float64(g.asked)), g.text(), count(g.asked))
		}
	}
	f.close()
	d.table("The sizes in numbers", []string{"size", "subsets asked", "part of all", "mean score", "standard deviation"}, false, len(groups), func(i int) []string {
		g := groups[i]
		share := 0.0
		for _, s := range d.Sizes[g.low : g.high+1] {
			share += s.Share
		}
		return []string{g.text(), fmt.Sprint(g.asked), percent(share), exact(g.mean), exact(g.sd)}
	})
	f.end()
	d.endSection()
}

func shortOrNot(x float64) string {
	if !finite(x) {
		return ""
	}
	return short(x)
}
