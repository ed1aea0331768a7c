package placeholder

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// blanks are what separates items where no commas do, and may stand around them.
const blanks = " \t\r\n\v\f"

// Split finds the items of a subset in a text: between its commas or, where there are
// none, its blanks. A text of blanks alone is the empty subset. Its error is an *Error.
func Split(text string) ([]string, error) {
	if !strings.Contains(text, ",") {
		return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(blanks, r) }), nil
	}
	items := strings.Split(text, ",")
	for i, it := range items {
		if items[i] = strings.Trim(it, blanks); items[i] == "" {
			return nil, &Error{fmt.Sprintf("item %d of %d is empty", i+1, len(items)), "items are what stands between commas; a comma too many makes an empty one"}
		}
	}
	return items, nil
}

// lines is what a file of items holds.
func lines(items []string) (string, error) {
	n := len(items)
	for _, it := range items {
		if strings.IndexByte(it, '\n') >= 0 {
			return "", &Error{fmt.Sprintf("the item %q is more than a line", it), "in a file each line is an item; {...} hands it on as an argument"}
		}
		n += len(it)
	}
	var b strings.Builder
	b.Grow(n)
	for _, it := range items {
		b.WriteString(it)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// ranges writes whole numbers, in their order or sorted, with a range in the place of
// each run that goes up by one: 1-3,7.
func ranges(items []string, sorted bool) (string, error) {
	numbers := make([]uint64, len(items))
	for i, it := range items {
		n, err := strconv.ParseUint(it, 10, 63)
		if err != nil || strconv.FormatUint(n, 10) != it {
			return "", &Error{fmt.Sprintf("the item %q is no whole number from 0 on, as ranges are made of", it), "{} or {...} takes any items"}
		}
		numbers[i] = n
	}
	if sorted {
		slices.SortFunc(numbers, cmp.Compare)
	}
	var b []byte
	for i := 0; i < len(numbers); {
		first := i
		for i++; i < len(numbers) && numbers[i] == numbers[i-1]+1; i++ {
		}
		if first > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, numbers[first], 10)
		if i-1 > first {
			b = strconv.AppendUint(append(b, '-'), numbers[i-1], 10)
		}
	}
	return string(b), nil
}
