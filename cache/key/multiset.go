package key

import (
	"slices"
	"strings"
	"unicode"

	"dvlcache/cache/internal/short"
)

// Sort makes a multiset of the part's value, where commas are sure to separate its
// items. Else it reports false, and leaves the value as it is: a miss too many is
// better than "1,2;3,4" taken for "1,4;3,2".
func (p *Part) Sort() bool {
	text := p.Items[0].Text
	inner := strings.Trim(text, " ")
	if n := len(inner); n >= 2 && strings.Contains("() [] {} <>", inner[:1]+inner[n-1:]) {
		inner = inner[1 : n-1]
	}
	if !separatedByCommas(inner) {
		return false
	}
	// What is around the items counts, since some programs care for
	// brackets and blanks: it is kept with a comma in each item's place.
	at := strings.Index(text, inner)
	n := 1 + strings.Count(inner, ",")
	var style strings.Builder
	style.Grow(len(text) - len(inner) + 2*n + 1)
	style.WriteString(text[:at])
	p.Form, p.Whole, p.Items = FormSorted, text, make([]Item, 0, n)
	for item := range strings.SplitSeq(inner, ",") {
		bare := strings.TrimLeft(item, " ")
		left := len(item) - len(bare)
		bare = strings.TrimRight(bare, " ")
		p.Items = append(p.Items, Item{Text: bare})
		style.WriteByte(',')
		style.WriteString(item[:left])
		style.WriteByte(',')
		style.WriteString(item[left+len(bare):])
	}
	style.WriteByte(',')
	style.WriteString(text[at+len(inner):])
	p.Style = style.String()
	p.sortItems()
	return true
}

// sortItems puts the items, which are texts as yet, in the order of their bytes.
func (p *Part) sortItems() {
	if !short.Sort(p.Items, func(it *Item) string { return it.Text }) {
		slices.SortFunc(p.Items, func(a, b Item) int { return strings.Compare(a.Text, b.Text) })
	}
}

// Signs that stand within items, whatever separates those: of numbers, ranges and
// names. Any other one may separate groups of items; it may be part of an item if
// it is in all of them alike ("a:1,b:2", and not "1,2:3,4").
const (
	itemSigns  = "-._"
	equalSigns = ":=/@%#~^*!?$+"
)

// separatedByCommas reports whether nothing but commas, and spaces around the
// items, can separate what stands in a text.
func separatedByCommas(text string) bool {
	if !strings.Contains(text, ",") {
		return true // one item, or none, has no order
	}
	first, nth := [len(equalSigns)]int{}, 0
	for item := range strings.SplitSeq(text, ",") {
		item = strings.Trim(item, " ")
		var count [len(equalSigns)]int
		for _, r := range item {
			if within(r) {
				continue
			}
			i := strings.IndexRune(equalSigns, r)
			if i < 0 {
				return false
			}
			count[i]++
		}
		if nth++; nth == 1 {
			first = count
		}
		if item == "" || count != first { // "1,2,,3,4" has groups, too
			return false
		}
	}
	return true
}

// within reports whether a sign may stand within any item.
func within(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(itemSigns, r) ||
		r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r))
}

// sortList makes a multiset of a list of arguments, unless one of them may separate
// groups, or may be part of one: "1 2 ; 3 4", "[ 1 2 ] [ 3 4 ]", "(1 2) (3 4)".
func (p *Part) sortList() {
	if !slices.ContainsFunc(p.Items, func(it Item) bool { return separates(it.Text) }) {
		p.sortItems()
	}
}

// separates reports whether a text may separate groups of items, or be a part of one.
func separates(t string) bool {
	if !strings.ContainsFunc(t, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) ||
		strings.ContainsAny(t[:1]+t[len(t)-1:], ",;:|&") {
		return true
	}
	for _, pair := range []string{"()", "[]", "{}", "<>", `""`, "''"} {
		left, right := strings.Count(t, pair[:1]), strings.Count(t, pair[1:])
		if left != right || pair[0] == pair[1] && left%2 != 0 {
			return true
		}
	}
	return false
}
