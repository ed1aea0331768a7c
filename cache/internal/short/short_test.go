package short

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSort: the order is that of the texts' bytes, whatever they are, and where
// that way isn't for them, nothing has changed.
func TestSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	numbers := func(n, most int) (list []string) {
		for range n {
			list = append(list, strconv.Itoa(rng.IntN(most)))
		}
		return list
	}
	letters := func(n, longest int) (list []string) {
		for range n {
			text := make([]byte, rng.IntN(longest+1))
			for i := range text {
				text[i] = byte(1 + rng.IntN(255))
			}
			list = append(list, string(text))
		}
		return list
	}
	for name, c := range map[string]struct {
		texts []string
		short bool
	}{
		"few":             {numbers(63, 1000), false},
		"numbers":         {numbers(1000, 1000), true},
		"of eight digits": {numbers(500, 99_999_999), true},
		"bytes":           {letters(500, 8), true},
		"one is longer":   {append(letters(100, 8), "123456789"), false},
		"a NUL":           {append(letters(100, 7), "a\x00", "a"), false},
		"all the same":    {slices.Repeat([]string{"17"}, 100), true},
		"empty":           {make([]string, 100), true},
	} {
		items := slices.Clone(c.texts)
		if short := Sort(items, func(text *string) string { return *text }); short != c.short {
			t.Errorf("%s: sorted %v", name, short)
		}
		want := slices.Clone(c.texts)
		if c.short {
			slices.SortFunc(want, strings.Compare)
		}
		for i, text := range want {
			if items[i] != text {
				t.Errorf("%s: item %d is %q, not %q", name, i, items[i], text)
				break
			}
		}
	}
}
