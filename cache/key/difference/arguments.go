package difference

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dvlcache/cache/key"
	"dvlcache/cache/key/launch"
)

// unlessItCounts ends a hint at a rule that makes one call of two.
const unlessItCounts = ", if it can't change the number"

func (d *differ) arguments() {
	allNow, allStored := ofKind(d.now, key.PartArgument), ofKind(d.stored, key.PartArgument)
	first, now, stored := differing(allNow, allStored)
	switch {
	case len(now) == 0 && len(stored) == 0:
		return
	case len(now) == len(stored) && d.reordered(now, stored):
		return
	case len(now) != 1 || len(stored) != 1 || len(Gather(allNow)) <= len(allNow)-longList:
		// A list that is longer or shorter is one difference.
		first, now, stored = differing(Gather(allNow), Gather(allStored))
	}
	if len(now) != len(stored) {
		d.inserted(first, now, stored)
		return
	}
	var pairs []int
	for i := range now {
		if !alike(&now[i], &stored[i]) {
			pairs = append(pairs, i)
		}
	}
	if len(pairs) > d.most {
		d.add(Difference{What: fmt.Sprintf("%d arguments", len(pairs)), How: "differ", Now: written(now), Stored: written(stored), Weight: weightArguments})
		return
	}
	for _, i := range pairs {
		d.argument(&now[i], &stored[i])
	}
}

// differing is the part of arguments in which they differ, and how many both have before
// it.
func differing(now, stored []key.Part) (first int, a, b []key.Part) {
	for first < min(len(now), len(stored)) && alike(&now[first], &stored[first]) {
		first++
	}
	now, stored = now[first:], stored[first:]
	for len(now) > 0 && len(stored) > 0 && alike(&now[len(now)-1], &stored[len(stored)-1]) {
		now, stored = now[:len(now)-1], stored[:len(stored)-1]
	}
	return first, now, stored
}

// alike reports whether two arguments count alike, be it under other rules:
// those are a difference of their own.
func alike(a, b *key.Part) bool {
	if a.Form == key.FormIgnored || b.Form == key.FormIgnored {
		return a.Name == b.Name
	}
	if a.Form == key.FormSorted && b.Form == key.FormKept || a.Form == key.FormKept && b.Form == key.FormSorted {
		x, y := *a, *b
		if x.Form == key.FormKept {
			x, y = y, x
		}
		if len(y.Items) != 1 {
			return false
		}
		return x.Whole == y.Items[0].Text || y.Sort() && sameItems(x.Items, y.Items)
	}
	return a.Form == b.Form && a.Name == b.Name && a.Style == b.Style && same(a.File, b.File) && sameItems(a.Items, b.Items)
}

func sameItems(a, b []key.Item) bool {
	return slices.EqualFunc(a, b, func(x, y key.Item) bool { return x.Text == y.Text && x.Path == y.Path && same(x.Digest, y.Digest) })
}

// written is how arguments are shown.
func written(parts []key.Part) string {
	var words []string
	for i := range parts {
		words = append(words, writtenPart(&parts[i]))
	}
	return strings.Join(words, " ")
}

func writtenPart(p *key.Part) string {
	switch p.Form {
	case key.FormContents:
		return p.Name + cmp.Or(p.Hidden, "{file}")
	case key.FormSorted:
		if p.Whole != "" {
			return p.Name + p.Whole
		}
	case key.FormIgnored:
		return p.Name + "…"
	}
	var words []string
	for _, it := range p.Items {
		words = append(words, it.Text)
	}
	return p.Name + strings.Join(words, " ")
}

// readsFile reports whether an argument names a file.
func readsFile(p *key.Part) bool {
	return p.File != nil || slices.ContainsFunc(p.Items, func(it key.Item) bool { return it.Digest != nil })
}

// shown makes an empty text visible.
func shown(text string) string {
	if text == "" {
		return "''"
	}
	return text
}

// inserted describes arguments that are there in one call alone, behind as many that
// both have.
func (d *differ) inserted(at int, now, stored []key.Part) {
	x := Difference{What: "the arguments", Now: written(now), Stored: written(stored), Weight: weightArguments}
	switch {
	case len(stored) == 0:
		x.How = "have more: " + brief(x.Now)
	case len(now) == 0:
		x.How = "have less: the stored call has " + brief(x.Stored)
	default:
		x.How, x.values = brief(x.Now)+", stored "+brief(x.Stored), true
	}
	if one := slices.Concat(now, stored); len(one) == 1 && len(one[0].Items) == 1 {
		if name := strings.TrimLeft(one[0].Items[0].Text, "-"); one[0].Items[0].Text != name && !strings.Contains(name, "=") {
			x.What, x.Weight = one[0].Items[0].Text, weightArgument
			if at >= d.own {
				x.Hint = "--ignore-switch " + name + unlessItCounts
			}
			x.rule, x.all = true, true
			if x.Now, x.How = "", "is missing, and was there in the stored call"; len(now) == 1 {
				x.How = "is new"
			}
		}
	}
	d.add(x)
}

// reordered describes arguments that are the stored ones in another order, and
// reports whether they are.
func (d *differ) reordered(now, stored []key.Part) bool {
	if len(now) < 2 {
		return false
	}
	texts := func(parts []key.Part) []string {
		var list []string
		for i := range parts {
			text := writtenPart(&parts[i])
			for _, it := range parts[i].Items {
				if it.Digest != nil {
					text += string(it.Digest[:key.ShortDigest])
				}
			}
			list = append(list, text)
		}
		return slices.Sorted(slices.Values(list))
	}
	if !slices.Equal(texts(now), texts(stored)) {
		return false
	}
	x := Difference{What: "the arguments", Now: written(now), Stored: written(stored), Weight: weightOrder}
	// A list of which the first items stand where they stood may begin behind them: where
	// the 3 of "3 1 4" is none of the set, "1 3 4" is another call.
	begins := func(flag string) (place int, doubt string, ok bool) {
		for _, p := range Gather(ofKind(d.now, key.PartArgument)) {
			if p.Flag == flag && len(p.Items) > 1 && p.Place <= now[0].Place && now[len(now)-1].Place < p.Place+len(p.Items) {
				if p.Place < now[0].Place {
					doubt = ", if the set begins with " + brief(shown(p.Items[0].Text))
				}
				return p.Place, doubt, true
			}
		}
		return 0, "", false
	}
	if flag := now[0].Flag; flag != "" && !slices.ContainsFunc(now, func(p key.Part) bool { return p.Flag != flag }) {
		x.What = "the order of the values of " + flag
		_, doubt, _ := begins(flag)
		x.Hint = "--unordered " + strings.TrimLeft(flag, "-") + "..." + doubt
		x.rule, x.all = true, true
		if x.long() {
			x.How = "is another"
		}
	} else {
		x.How = fmt.Sprintf("are in another order: %s, stored %s", x.Now, x.Stored)
		if x.long() {
			x.How = "are in another order"
		}
		if place, doubt, ok := begins(""); ok {
			x.Hint = fmt.Sprintf("--unordered-arg %d...", place) + doubt
			x.rule, x.all = true, true
		}
	}
	d.add(x)
	return true
}

// argument describes one argument that has another value.
func (d *differ) argument(now, stored *key.Part) {
	x := Difference{What: fmt.Sprintf("argument %d", now.Place), Now: shown(writtenPart(now)), Stored: shown(writtenPart(stored)), Weight: weightArgument}
	if name, ok := strings.CutPrefix(now.Hint, "--ignore "); ok {
		x.What = "--" + name
		if now.Flag == "" && now.Name != stored.Name {
			x.What = "an argument" // the other has no such flag there
		}
	}
	// A list may be the very subset.
	if now.Hint != "" && !strings.Contains(x.Now+x.Stored, ",") && len(now.Items) == 1 && len(stored.Items) == 1 && now.Form == key.FormKept && !readsFile(now) && !readsFile(stored) && now.Place > d.own && !d.inList(now) {
		x.Hint = now.Hint + unlessItCounts
		x.rule = true
	}
	assigned := now.Name != "" && now.Name == stored.Name
	switch {
	case assigned:
		x.What = strings.TrimSuffix(now.Name, "=")
		x.Now, x.Stored = shown(strings.TrimPrefix(writtenPart(now), now.Name)), shown(strings.TrimPrefix(writtenPart(stored), now.Name))
	case now.Flag != "":
		x.What = now.Flag
	case len(now.Items) > 1 || len(stored.Items) > 1:
		x.What = fmt.Sprintf("the list from argument %d on", now.Place)
	case strings.HasPrefix(x.Now, "-") && strings.HasPrefix(x.Stored, "-"):
		x.What, x.Hint = "the flag", ""
	}
	if now.Form != stored.Form || len(now.Items) != 1 || len(stored.Items) != 1 {
		d.addValues(x, now, stored)
		return
	}
	a, b := now.Items[0], stored.Items[0]
	if now.Form == key.FormContents {
		x.Now, x.Stored, x.How, x.Hint, x.rule = "", "", "names a file that holds something else", "", false
		d.add(x)
		return
	}
	if a.Text == b.Text && now.Name == stored.Name {
		if a.Digest == nil && now.File != stored.File {
			a.Digest, b.Digest = now.File, stored.File
		}
		switch {
		case b.Digest == nil:
			output := ""
			if now.Hint != "" && now.Place > d.own && !launch.IsSource(a.Text) {
				output = now.Hint + ", if it is an output"
			}
			d.add(Difference{What: a.Text, How: "is a file now, and was none before the stored evaluation", Hint: output})
		case a.Digest == nil:
			d.add(Difference{What: a.Text, How: "is no file any more"})
		default:
			// No hint: the stored evaluation left it as it was, or its number
			// wouldn't be stored. So it is an input.
			d.changed(a.Text)
		}
		return
	}
	// Two lists that differ in their order?
	p, q := *now, *stored
	if p.Sort() && q.Sort() && len(p.Items) > 1 && sameItems(p.Items, q.Items) {
		x.How, x.Weight = fmt.Sprintf("%s is the stored %s in another order", x.Now, x.Stored), weightOrder
		x.rule = true
		if x.long() {
			x.How = "is the stored list in another order"
		}
		if flag := strings.TrimLeft(x.What, "-"); now.Flag != "" || assigned {
			x.Hint = "--unordered " + flag
		} else {
			x.Hint = fmt.Sprintf("--unordered-arg %d", now.Place)
		}
	}
	d.addValues(x, now, stored)
}

// inList reports whether an argument looks like one item of a list of arguments: it and
// one beside it, which are values of the same flag or of none, are numbers. A rule for
// its place would be one for a point.
func (d *differ) inList(p *key.Part) bool {
	return isNumber(writtenPart(p)) && slices.ContainsFunc(ofKind(d.now, key.PartArgument), func(o key.Part) bool {
		return (o.Place == p.Place-1 || o.Place == p.Place+1) && o.Flag == p.Flag && isNumber(writtenPart(&o))
	})
}

// addValues adds a difference in the values of an argument. Of long lists it says which
// items only one has.
func (d *differ) addValues(x Difference, now, stored *key.Part) {
	a, b := valuesOf(now), valuesOf(stored)
	how, n, _ := apart(a, b)
	x.Items = n
	many, hidden := manyHidden(x.Now)
	storedMany, storedHidden := manyHidden(x.Stored)
	switch {
	case x.How != "" || !x.long():
	case d.storedArgs == nil && hidden && storedHidden:
		x.How = "differs: " + many + ", stored " + storedMany
	case how != "" && len(a)+len(b) > 2:
		x.How, x.Hint, x.rule = how, "", false
	default:
		x.How, x.values = brief(x.Now)+", stored "+brief(x.Stored), true
	}
	d.add(x)
}

// manyHidden is how many arguments one digest stands for, as key.Hidden writes it.
func manyHidden(text string) (many string, ok bool) {
	_, many, ok = strings.Cut(text, " (")
	return strings.TrimSuffix(many, ")"), ok && strings.HasPrefix(text, "#")
}
