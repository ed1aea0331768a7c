package key

import "testing"

// TestUnordered: two calls are one where commas are sure to separate the items of a
// multiset, and each keeps its key where another sign may make groups of them.
func TestUnordered(t *testing.T) {
	k := newKeyer(t)
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"1,4,7", "7,1,4", true},
		{"1, 4, 7", "7, 1, 4", true},
		{"<1,4>", "<4,1>", true},
		{"{1,4}", "{4,1}", true},
		{"1-3,7", "7,1-3", true},
		{"2.5,-1,1e-5", "1e-5,2.5,-1", true},
		{"x_1.csv,y.csv", "y.csv,x_1.csv", true},
		{"tr/a,tr/b", "tr/b,tr/a", true},
		{"chr1:10,chr2:20", "chr2:20,chr1:10", true},
		{"a=1,b=2", "b=2,a=1", true},
		{"élan,naïve", "naïve,élan", true},
		{"1,2;3,4", "1,4;3,2", false},
		{"1;2,3;4", "3;4,1;2", false},
		{"<1,2>,<3,4>", "<1,4>,<3,2>", false},
		{"«1,2»,«3,4»", "«1,4»,«3,2»", false},
		{"(1,2),(3,4)", "(1,4),(3,2)", false},
		{"1,2|3,4", "1,4|3,2", false},
		{"1,2&3,4", "1,4&3,2", false},
		{"1,2:3,4", "4,2:3,1", false},
		{"1,2/3,4", "4,2/3,1", false},
		{"1,2+3,4", "4,2+3,1", false},
		{"1,2->3,4", "4,2->3,1", false},
		{"1,2 3,4", "4,2 3,1", false},
		{"1,2\t3,4", "4,2\t3,1", false},
		{"1,2,\n3,4", "1,3,\n2,4", false},
		{"1,2,,3,4", "1,3,,2,4", false},
		{"1,2,;,3,4", "1,3,;,2,4", false},
		{"a=1,2,b=3,4", "a=1,4,b=3,2", false},
		{`1,"2,3",4`, `1,"2,4",3`, false},
		// Blanks keep their places.
		{"1, 4", "4, 1", true},
		{"1, 4", "1,4", false},
		{"1 ,4", "1, 4", false},
		{"[1,4]", "1,4", false},
	} {
		for _, form := range []func(string) []string{
			func(v string) []string { return []string{"--x", v} },
			func(v string) []string { return []string{"--x=" + v} },
			func(v string) []string { return []string{"x=" + v} },
		} {
			rules := Rules{Unordered: []string{"x"}}
			if same := k.key(t, rules, form(tt.a)) == k.key(t, rules, form(tt.b)); same != tt.same {
				t.Errorf("%q and %q share a key: %v", form(tt.a), form(tt.b), same)
			}
		}
	}
}

// TestUnorderedList does the same for lists of arguments.
func TestUnorderedList(t *testing.T) {
	k := newKeyer(t)
	for _, tt := range []struct {
		a, b []string
		same bool
	}{
		{[]string{"1", "4", "7"}, []string{"7", "1", "4"}, true},
		{[]string{"(1,2)", "(3,4)"}, []string{"(3,4)", "(1,2)"}, true},
		{[]string{"a/", "b.csv"}, []string{"b.csv", "a/"}, true},
		{[]string{"1", "2", ";", "3", "4"}, []string{"1", "4", ";", "3", "2"}, false},
		{[]string{"1", "2", "+", "3", "4"}, []string{"1", "4", "+", "3", "2"}, false},
		{[]string{"[", "1", "2", "]", "[", "3", "4", "]"}, []string{"[", "1", "4", "]", "[", "3", "2", "]"}, false},
		{[]string{"(1", "2)", "(3", "4)"}, []string{"(3", "2)", "(1", "4)"}, false},
		{[]string{"1", "2,", "3", "4"}, []string{"3", "2,", "1", "4"}, false},
		{[]string{"1", "", "3", "4"}, []string{"3", "", "1", "4"}, false},
	} {
		rules := Rules{Unordered: []string{"x..."}}
		a, b := append([]string{"--x"}, tt.a...), append([]string{"--x"}, tt.b...)
		if same := k.key(t, rules, a) == k.key(t, rules, b); same != tt.same {
			t.Errorf("%q and %q share a key: %v", a, b, same)
		}
	}
}
