package report

import (
	"math"
	"strconv"
	"strings"
)

// A scale maps numbers to parts of a figure's width or height, 0 … 1.
type scale struct {
	low, high float64
	log       bool
	ticks     []float64
	labels    []string
}

// at is where a number lies. Halves, so that no difference overflows.
func (s scale) at(x float64) float64 {
	if s.log {
		return (math.Log(x) - math.Log(s.low)) / (math.Log(s.high) - math.Log(s.low))
	}
	return (x/2 - s.low/2) / (s.high/2 - s.low/2)
}

// span is a scale over all finite numbers among xs, widened a little.
func span(xs ...float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range xs {
		if finite(x) {
			low, high = min(low, x), max(high, x)
		}
	}
	if low > high {
		low, high = 0, 1
	}
	if size := max(math.Abs(low), math.Abs(high)); high/2-low/2 <= 1e-12*size {
		// All alike, but for rounding.
		room := size / 10
		if size == 0 {
			room = 1
		}
		low, high = low-room, high+room
	}
	room := (high/2 - low/2) / 15
	s := scale{low: max(low-room, -math.MaxFloat64), high: min(high+room, math.MaxFloat64)}
	s.tick(5)
	return s
}

// whole is a scale of whole numbers from low to high, which both have a tick.
func whole(low, high int) scale {
	s := scale{low: float64(low), high: float64(high)}
	if low == high {
		s.low, s.high = s.low-0.5, s.high+0.5
		s.ticks, s.labels = []float64{float64(low)}, []string{count(low)}
		return s
	}
	most := 6.0
	if high >= 10_000 {
		most = 4 // labels are long
	}
	step := max(1, int(niceStep((s.high-s.low)/most)))
	s.ticks = append(s.ticks, s.low)
	for x := (low/step + 1) * step; x < high; x += step {
		// None so near to an end that their labels meet.
		if x-low >= step/2 && high-x > step/2 {
			s.ticks = append(s.ticks, float64(x))
		}
	}
	s.ticks = append(s.ticks, s.high)
	for _, x := range s.ticks {
		s.labels = append(s.labels, count(int(x)))
	}
	return s
}

// niceStep is 1, 2 or 5 times a power of ten, and no less than step.
func niceStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, times := range []float64{1, 2, 5} {
		if step <= times*power*(1+1e-9) {
			return times * power
		}
	}
	return 10 * power
}

// tick gives a scale some ticks at round numbers.
func (s *scale) tick(most int) {
	step := niceStep((s.high/2 - s.low/2) / float64(most) * 2)
	if !finite(step) || step <= 0 {
		s.ticks, s.labels = []float64{s.low, s.high}, []string{short(s.low), short(s.high)}
		return
	}
	places := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	size := max(math.Abs(s.low), math.Abs(s.high))
	for i := math.Ceil(s.low / step); i*step <= s.high && len(s.ticks) <= 2*most; i++ {
		x := i * step
		label := strconv.FormatFloat(x, 'f', places, 64)
		if x == 0 {
			label = "0"
		} else if size >= 1e7 || places > 6 {
			label = strconv.FormatFloat(x, 'g', min(15, 2+int(math.Log10(size/step))), 64)
		}
		s.ticks, s.labels = append(s.ticks, x), append(s.labels, label)
	}
}

// A figure is a picture with two axes. Widths are parts of what there is, so that texts and
// strokes keep their sizes on any screen; heights are pixels.
type figure struct {
	*page
	x, y   scale
	height float64
}

// Room for the labels of the axes, in pixels.
const (
	charWidth = 7
	axisRoom  = 44
)

// open begins a figure: its title, what is to be seen, its axes. say is what a screen
// reader says.
func (p *page) open(title, caption, say string, x, y scale, xName, yName string, height float64) *figure {
	f := &figure{p, x, y, height}
	p.figures++
	left := charWidth
	for _, label := range y.labels {
		left = max(left, charWidth*len(label)+14)
	}
	p.add("<figure>\n<h3>%s</h3>\n<figcaption>%s</figcaption>\n", title, caption)
	p.add(`<svg role="img" aria-labelledby="t%d d%d" height="%g" style="width:calc(100%% - %dpx);margin-left:%dpx">`+"\n", p.figures, p.figures, height+axisRoom+24, left+12, left)
	p.add(`<title id="t%d">%s</title><desc id="d%d">%s</desc>`+"\n", p.figures, title, p.figures, say)
	p.add(`<text x="%d" y="12">%s</text>`+"\n", -left, yName)
	for i, at := range y.ticks {
		class := markup("grid")
		if at == 0 {
			class = "zero"
		}
		p.add(`<line class="%s" x1="0" x2="100%%" y1="%s" y2="%s" /><text x="-8" y="%s" dy="4" text-anchor="end">%s</text>`+"\n", class, f.yAt(at), f.yAt(at), f.yAt(at), y.labels[i])
	}
	for i, at := range x.ticks {
		anchor := markup("middle")
		if part := x.at(at); part > 0.97 {
			anchor = "end"
		} else if part < 0.03 {
			anchor = "start"
		}
		p.add(`<text x="%s" y="%g" text-anchor="%s">%s</text>`+"\n", f.xAt(at), height+42, anchor, x.labels[i])
	}
	p.add(`<text x="50%%" y="%g" text-anchor="middle">%s</text>`+"\n", height+62, xName)
	return f
}

// close ends the picture; legends and tables may follow, and then end.
func (f *figure) close() { f.add("</svg>\n") }

func (f *figure) end() { f.add("</figure>\n") }

// top is how far below the upper edge the picture begins: above it is the name of its axis.
const top = 24

func (f *figure) xAt(x float64) markup { return part(f.x.at(x)) }

// part is a coordinate as a part of the width.
func part(x float64) markup {
	return markup(strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(100*x, 'f', 3, 64), "0"), ".") + "%")
}

func (f *figure) yAt(y float64) markup { return markup(strconv.FormatFloat(f.down(y), 'f', 1, 64)) }

func (f *figure) down(y float64) float64 { return top + f.height*(1-f.y.at(y)) }

// mark is a number with an interval about it.
type mark struct {
	x, low, mid, high float64
	name              string // shown where one points to it
	class             markup // one, two, three
	square            bool
}

// marks draws intervals, as lines, and what lies in them. What isn't finite is left out.
func (f *figure) marks(all []mark) {
	radius := 3.5
	if len(all) > 80 {
		radius = 2
	}
	for _, m := range all {
		if !finite(m.mid) {
			continue
		}
		x, y := f.xAt(m.x), f.yAt(m.mid)
		f.add("<g>")
		if m.name != "" {
			f.add("<title>%s</title>", m.name)
		}
		if finite(m.low) && finite(m.high) && m.low < m.high {
			f.add(`<line class="whisker %s" x1="%s" x2="%s" y1="%s" y2="%s" />`, m.class, x, x, f.yAt(m.low), f.yAt(m.high))
		}
		if m.square {
			f.square(x, f.down(m.mid), m.class)
		} else {
			f.add(`<circle class="%s" cx="%s" cy="%s" r="%g" />`, m.class, x, y, radius)
		}
		f.add("</g>\n")
	}
}

// square draws what stands out by its form too.
func (p *page) square(x markup, y float64, class markup) {
	p.add(`<rect class="%s" x="%s" y="%.1f" width="8" height="8" transform="translate(-4 -4)" />`, class, x, y)
}

// curve draws a line through points; style is dashed, dotted or nothing. What isn't finite
// is passed over.
func (f *figure) curve(class, style markup, xs, ys []float64) {
	var points strings.Builder
	for i, x := range xs {
		if finite(ys[i]) {
			points.WriteString(strconv.FormatFloat(1000*f.x.at(x), 'f', 1, 64) + "," + strconv.FormatFloat(f.down(ys[i]), 'f', 1, 64) + " ")
		}
	}
	total := f.height + top
	f.add(`<svg width="100%%" height="%g" viewBox="0 0 1000 %g" preserveAspectRatio="none"><polyline class="%s %s" points="%s" /></svg>`+"\n", total, total, class, style, markup(strings.TrimSpace(points.String())))
}

// key says what a line or a mark is.
type key struct {
	class, style markup
	mark         string // line, dot, square, whisker
	text         string
}

func (p *page) legend(keys ...key) {
	p.add(`<p class="legend">`)
	for _, k := range keys {
		p.add(`<span><svg aria-hidden="true">`)
		switch k.mark {
		case "line":
			p.add(`<polyline class="%s %s" points="0,6 28,6" />`, k.class, k.style)
		case "square":
			p.square("14", 6, k.class)
		case "whisker":
			p.add(`<line class="whisker %s" x1="14" x2="14" y1="0" y2="12" /><circle class="%s" cx="14" cy="6" r="3" />`, k.class, k.class)
		}
		p.add(`</svg>%s</span> `, k.text)
	}
	p.add("</p>\n")
}

// thin is every so-many-th of n things, the first and the last among them, so that there
// are about most of them.
func thin(n, most int) (kept []int, every int) {
	every = (n + most - 1) / most
	for i := 0; i < n; i += every {
		kept = append(kept, i)
	}
	if n > 0 && kept[len(kept)-1] != n-1 {
		kept = append(kept, n-1)
	}
	return kept, every
}
