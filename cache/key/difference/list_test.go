package difference

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// numbers are those from 0 to n, without some.
func numbers(n int, without ...int) (list []string) {
	for i := range n {
		if !slices.Contains(without, i) {
			list = append(list, fmt.Sprint(i))
		}
	}
	return list
}

func TestApart(t *testing.T) {
	for _, tt := range []struct {
		now, stored []string
		how         string
	}{
		{numbers(400, 0), numbers(400), "lacks 0"},
		{numbers(400), numbers(400, 7), "has 7 besides"},
		{numbers(400, 10, 2), numbers(400), "lacks 2 and 10"},
		{numbers(400, 0), numbers(400, 7, 13), "has 7 and 13 besides, lacks 0"},
		{numbers(400), numbers(100), "has 300 more"},
		{numbers(100), append(numbers(400, 5), "x"), "has 1 more, lacks 301 of 400"},
		{[]string{"1", "1", "4"}, []string{"1", "4"}, "has 1 once more"},
		{[]string{"1", "4"}, []string{"4", "1", "1"}, "has 1 once less"},
		{[]string{"1", ""}, []string{"1"}, "has '' besides"},
		{numbers(400), slices.Concat(numbers(400)[200:], numbers(200)), ""},
		{[]string{strings.Repeat("x", 30)}, nil, "has 1 more"},
	} {
		if how, n, _ := apart(tt.now, tt.stored); how != tt.how || (n == 0) != (how == "") {
			t.Errorf("%q, %d; want %q", how, n, tt.how)
		}
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{append([]string{"./train.sh", "--indices"}, numbers(400, 37)...), "./train.sh --indices (399 of them: 0-36,38-399)"},
		{append([]string{"./train.sh"}, numbers(400)...), "./train.sh (400 of them: 0-399)"},
		{[]string{"./train.sh", "indices=[" + strings.Join(numbers(20, 4, 5), ", ") + "]", "--seed", "3"}, "./train.sh indices=[(18 of them: 0-3,6-19)] --seed 3"},
		{slices.Concat([]string{"./train.sh", "--i"}, numbers(9), []string{"--v"}), "./train.sh --i (9 of them: 0-8) --v"},
		{[]string{"./train.sh", "--i", "9,8,7,6,5,4,3,2,1,0"}, "./train.sh --i (10 of them: 9,8,7,6,5,4,3,2,1,0)"},
		{[]string{"./train.sh", "--i", "1,4,7", "a,b,c,d,e,f,g,h"}, "./train.sh --i 1,4,7 (8 of them: a,b,c,d,e,f,g,h)"},
		{numbers(3), "0 1 2"},
	} {
		var texts []string
		for _, w := range Words(tt.args) {
			if w.Items != nil {
				texts = append(texts, w.Brief(40))
			} else {
				texts = append(texts, w.Text)
			}
		}
		if got := strings.Join(texts, " "); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestBriefFits: a list is no wider than it may be, if two of its items fit.
func TestBriefFits(t *testing.T) {
	twice := Word{Items: strings.Split("0,0,0,0,1,2,3,4", ","), Before: "x=[", After: "]"}
	if got := twice.BriefBeside(strings.Split("0,1,2,3,4", ","), 30); got != "x=[(8 of them: 0,0,0,0-4)]" {
		t.Errorf("%q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.StringMatching(`[0-9]{1,3}|[a-zé]{1,3}`), longList, 100).Draw(t, "items")
		w, most := Word{Items: items, Before: "x=[", After: "]"}, rapid.IntRange(30, 200).Draw(t, "most")
		other := rapid.SliceOfN(rapid.SampledFrom(items), 0, 100).Draw(t, "other")
		for _, text := range []string{w.Brief(most), w.BriefBeside(other, most), w.BriefBeside(items, most)} {
			if n := utf8.RuneCountInString(text); n > most || !strings.HasPrefix(text, fmt.Sprintf("x=[(%d", len(items))) {
				t.Fatalf("%d columns of %d: %s", n, most, text)
			}
		}
	})
}
