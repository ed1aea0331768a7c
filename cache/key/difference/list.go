package difference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/maruel/natural"

	"dvlcache/cache/key"
)

// longList is from how many items on a list isn't shown item by item.
const longList = 8

// Word is a part of a command line as it is shown: an argument, or a long list, which
// one argument holds, or several.
type Word struct {
	Text string // of an argument
	// Items are those of a list, as they were written; else nil. Before and After is what
	// stands around them in the one argument that holds them.
	Items         []string
	Before, After string
}

// Words finds the long lists in arguments, COMMAND first: values of a flag, numbers, and
// what commas separate.
func Words(args []string) []Word {
	words := make([]Word, 0, 8)
	for i := 0; i < len(args); {
		end := i
		for end < len(args) && i > 0 && !key.IsFlag(args[end]) && (isNumber(args[end]) || key.IsFlag(args[i-1]) && !strings.ContainsAny(args[end], ",=")) {
			end++
		}
		switch {
		case end-i >= longList:
			words = append(words, Word{Items: args[i:end]})
		case i == 0:
			words, end = append(words, Word{Text: args[0]}), 1
		default:
			end = i + 1
			if before, items, after := split(args[i], longList); items != nil {
				words = append(words, Word{Items: items, Before: before, After: after})
			} else {
				words = append(words, Word{Text: args[i]})
			}
		}
		i = end
	}
	return words
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// split splits a list of at least so many items that commas separate, and what is around
// it: "indices=[" and "]".
func split(text string, least int) (before string, items []string, after string) {
	if strings.Count(text, ",") < least-1 {
		return "", nil, ""
	}
	inner := text
	if name, value, ok := strings.Cut(text, "="); ok && !strings.ContainsAny(name, ",[{(\"' ") {
		inner = value
	}
	inner = strings.Trim(inner, " ")
	if n := len(inner); n >= 2 && strings.Contains("() [] {} <>", inner[:1]+inner[n-1:]) {
		inner = inner[1 : n-1]
	}
	at := strings.LastIndex(text, inner)
	items = strings.Split(inner, ",")
	for i := range items {
		items[i] = strings.Trim(items[i], " ")
	}
	return text[:at], items, text[at+len(inner):]
}

// Same reports whether both words are the same.
func (w Word) Same(o Word) bool {
	return w.Text == o.Text && w.Before == o.Before && w.After == o.After && slices.Equal(w.Items, o.Items) && (w.Items == nil) == (o.Items == nil)
}

// Brief shows a list by its size, and as much of its items as there are columns for,
// numbers that ascend as ranges: "(399 of them: 0-36,38-399)", or "(399: 0-36,…)" where
// there is less room.
func (w Word) Brief(most int) string {
	head := fmt.Sprintf("%s(%d of them: ", w.Before, len(w.Items))
	end := ")" + w.After
	text := head + itemsText(w.Items, most-len(head)-len(end)) + end
	if utf8.RuneCountInString(text) > most {
		head = fmt.Sprintf("%s(%d: ", w.Before, len(w.Items))
		text = head + itemsText(w.Items, most-len(head)-len(end)) + end
	}
	return text
}

// BriefBeside is Brief of a list beside another one, if they have nearly the same items:
// "(399 of them, lacks 37)", or "(399, lacks 37)" where there is less room.
func (w Word) BriefBeside(o []string, most int) string {
	how, _, named := apart(w.Items, o)
	if how == "" || !named {
		return w.Brief(most)
	}
	text := fmt.Sprintf("%s(%d of them, %s)%s", w.Before, len(w.Items), how, w.After)
	if utf8.RuneCountInString(text) > most {
		text = fmt.Sprintf("%s(%d, %s)%s", w.Before, len(w.Items), how, w.After)
	}
	if utf8.RuneCountInString(text) > most {
		return w.Brief(most)
	}
	return text
}

// Brief shows arguments in a message, long lists by their size.
func Brief(args []string) string {
	var texts []string
	for _, w := range Words(append([]string{""}, args...))[1:] {
		if w.Items != nil {
			texts = append(texts, w.Brief(listsWidth))
		} else {
			texts = append(texts, w.Text)
		}
	}
	return brief(strings.Join(texts, " "))
}

// itemsText lists items in so many columns, and at least two of them.
func itemsText(items []string, most int) string {
	ascending := slices.IsSortedFunc(items, natural.Compare) && !slices.ContainsFunc(items, func(s string) bool { return !isNumber(s) || len(s) > 18 })
	var b strings.Builder
	for i, shown := 0, 0; i < len(items); shown++ {
		end := i + 1
		for ascending && end < len(items) && follows(items[end-1], items[end]) {
			end++
		}
		text := items[i]
		if end-i > 2 {
			text += "-" + items[end-1]
		} else {
			end = i + 1
		}
		if i > 0 {
			text = "," + text
		}
		room := most - utf8.RuneCountInString(b.String()) - utf8.RuneCountInString(text)
		if shown >= 2 && (room < 0 || room < len(",…") && end < len(items)) {
			return b.String() + ",…"
		}
		b.WriteString(text)
		i = end
	}
	return b.String()
}

// follows reports whether a number comes right after another.
func follows(a, b string) bool {
	m, _ := strconv.ParseInt(a, 10, 64)
	n, _ := strconv.ParseInt(b, 10, 64)
	return n == m+1
}

// Of items in which lists differ the first few are named, if they are short.
const (
	mostNamed  = 3
	namedWidth = 24 // columns
)

// apart says in a phrase how the items of a list differ from those of another one,
// wherever they stand: "lacks 0", "has 7 besides, lacks 0", "has 37 more, lacks 52 of
// 400"; "" if they don't. It returns in how many, and whether it names them all.
func apart(now, stored []string) (how string, n int, named bool) {
	counts := map[string]int{}
	for _, item := range now {
		counts[item]++
	}
	for _, item := range stored {
		counts[item]--
	}
	var more, less []string
	for item, n := range counts {
		for ; n > 0; n-- {
			more = append(more, item)
		}
		for ; n < 0; n++ {
			less = append(less, item)
		}
	}
	slices.SortFunc(more, natural.Compare)
	slices.SortFunc(less, natural.Compare)
	n = len(more) + len(less)
	named = n <= mostNamed && len(strings.Join(more, "")+strings.Join(less, "")) <= namedWidth
	var phrases []string
	switch {
	case len(more) == 0:
	case !named:
		phrases = append(phrases, fmt.Sprintf("has %d more", len(more)))
	case slices.Contains(stored, more[0]): // a bootstrap may draw a point twice
		phrases = append(phrases, "has "+enumerate(more)+" once more")
	default:
		phrases = append(phrases, "has "+enumerate(more)+" besides")
	}
	switch {
	case len(less) == 0:
	case !named:
		phrases = append(phrases, fmt.Sprintf("lacks %d of %d", len(less), len(stored)))
	case slices.Contains(now, less[0]):
		phrases = append(phrases, "has "+enumerate(less)+" once less")
	default:
		phrases = append(phrases, "lacks "+enumerate(less))
	}
	return strings.Join(phrases, ", "), n, named
}

// enumerate lists items in a phrase.
func enumerate(items []string) string {
	for i := range items {
		items[i] = shown(items[i])
	}
	last := len(items) - 1
	if last == 0 {
		return items[0]
	}
	return strings.Join(items[:last], ", ") + " and " + items[last]
}

// valuesOf are the items of an argument's list, one at least.
func valuesOf(p *key.Part) (items []string) {
	if len(p.Items) == 1 && p.Form == key.FormKept {
		_, items, _ = split(p.Name+p.Items[0].Text, 2)
	}
	if items == nil {
		for i := range p.Items {
			items = append(items, p.Items[i].Text)
		}
	}
	return items
}

// Gather makes one part of the values that follow a flag, and of numbers that follow
// one another, as programs take subsets.
func Gather(parts []key.Part) (out []key.Part) {
	flag, open := "", -1 // the part that the next value belongs to
	for i := range parts {
		p := parts[i]
		if p.Kind != key.PartArgument || p.Form != key.FormKept || p.Name != "" || len(p.Items) != 1 || readsFile(&p) {
			open = -1
			out = append(out, p)
			continue
		}
		text := p.Items[0].Text
		switch {
		case key.IsFlag(text):
			flag, open = text, -1
		case flag == "" && !isNumber(text):
			open = -1
		case open >= 0:
			out[open].Items = append(out[open].Items, p.Items[0])
			continue
		default:
			p.Flag, p.Items, open = flag, slices.Clone(p.Items), len(out)
		}
		out = append(out, p)
	}
	return out
}

// ListOf is the long list that a part of the arguments holds, in numeric order where its
// order doesn't count; ok is false if it holds none.
func ListOf(p *key.Part) (w Word, ok bool) {
	switch {
	case p.Kind != key.PartArgument || p.Form == key.FormKept && readsFile(p):
	case p.Form == key.FormSorted:
		w.Before, w.Items, w.After = split(p.Name+p.Whole, longList)
	case p.Form == key.FormKept && len(p.Items) == 1:
		w.Before, w.Items, w.After = split(p.Name+p.Items[0].Text, longList)
	case p.Form == key.FormKept, p.Form == key.FormList:
		w.Items = valuesOf(p)
	}
	if p.Form != key.FormKept {
		slices.SortFunc(w.Items, natural.Compare)
	}
	return w, len(w.Items) >= longList
}

// Union is all items of two lists, each as often as it is in one of them.
func Union(a, b []string) []string {
	counts := make(map[string]int, len(a))
	for _, item := range a {
		counts[item]++
	}
	a = slices.Clip(a)
	for _, item := range b {
		if counts[item]--; counts[item] < 0 {
			a = append(a, item)
		}
	}
	return a
}
