package report

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"

	"dvlcache/exec/number"
)

// page is the file as it is written. Whatever is put into it as a string is escaped, for
// text and for attributes in quotes, of which alone it is made; what is markup says so by
// its type.
type page struct {
	bytes.Buffer
	figures int // so far, for the ids of their titles
}

// markup is a part of a page that is no text of a user.
type markup string

// add writes a format whose arguments are escaped.
func (p *page) add(format markup, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = escape(text)
		}
	}
	fmt.Fprintf(p, string(format), args...)
}

// escape makes a text one of HTML. Characters that a page can't hold are shown as their
// pictures, those that turn the direction of what follows as nothing.
func escape(text string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '␀' + r
		case r == 0x7f:
			return '␡'
		case unicode.IsControl(r) || r == 0xfffe || r == 0xffff:
			return unicode.ReplacementChar
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, text))
}

// short is a number for people: four digits, the exact one is in a table.
func short(x float64) string { return digits(x, 4) }

func digits(x float64, n int) string {
	size := math.Abs(x)
	if x == 0 || !finite(x) || size < 1e-4 || size >= 1e7 {
		return strconv.FormatFloat(x, 'g', n, 64)
	}
	places := max(0, n-1-int(math.Floor(math.Log10(size))))
	text := strconv.FormatFloat(x, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// within is a value and two of its standard errors for people: two digits of the latter,
// and no more of the value than it leaves; of one without error four.
func within(value, stderr float64) (text, plusMinus string) {
	e := 2 * stderr
	if !(e >= 1e-9 && e < 1e7 && math.Abs(value) < 1e7) {
		return short(value), digits(e, 2)
	}
	places := max(0, 1-int(math.Floor(math.Log10(e))))
	if text = strconv.FormatFloat(value, 'f', places, 64); strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-") // nothing is left to be below 0
	}
	return text, strconv.FormatFloat(e, 'f', places, 64)
}

// exact is a number as the other outputs print it; one that isn't known is empty.
func exact(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return number.Format(x)
}

// count shows a whole number with its thousands apart.
func count(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// percent shows a part of 1.
func percent(x float64) string { return digits(100*x, 3) + " %" }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// longTable is how many rows a table has at most to be printed on paper too.
const longTable = 60

// table writes the numbers behind a picture, folded away. The first column is a header of
// its row where named is set.
func (p *page) table(summary string, columns []string, named bool, rows int, row func(i int) []string) {
	class := markup("")
	if rows > longTable {
		class = ` class="long"`
		p.add(`<p class="paper soft">A table of %s rows is left out on paper: %s.</p>`+"\n", count(rows), summary)
	}
	p.add(`<details%s><summary>%s</summary><div class="wide" tabindex="0" role="region" aria-label="%s"><table><thead><tr>`, class, summary, summary)
	for i, name := range columns {
		p.add(`<th scope="col"%s>%s</th>`, nameClass(named && i == 0), name)
	}
	p.add("</tr></thead><tbody>\n")
	for i := range rows {
		p.add("<tr>")
		for c, text := range row(i) {
			if named && c == 0 {
				p.add(`<th scope="row" class="name"><bdi>%s</bdi></th>`, text)
			} else {
				p.add("<td>%s</td>", text)
			}
		}
		p.add("</tr>\n")
	}
	p.add("</tbody></table></div></details>\n")
}

func nameClass(is bool) markup {
	if is {
		return ` class="name"`
	}
	return ""
}

// words writes a text that no line ends in but at its blanks, as at a hyphen.
func (p *page) words(text string) {
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			p.add(" ")
		}
		p.add("<span>%s</span>", word)
	}
}

// facts writes a table of names and what they are.
func (p *page) facts(rows [][2]string) {
	p.add(`<table class="facts"><tbody>` + "\n")
	for _, row := range rows {
		p.add(`<tr><th scope="row">%s</th><td>%s</td></tr>`+"\n", row[0], row[1])
	}
	p.add("</tbody></table>\n")
}
