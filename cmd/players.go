package cmd

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/plain"
)

// players are those among whom the utility is shared out: points, or groups of them.
type players struct {
	points []string // in the order in which a subset names them
	names  []string // of the players
	// members are the points of each player, as indices; nil: each point is a player.
	members [][]int32
	size    int // bytes of all points' names, with a comma behind each
}

// mostPoints is how many points there may be: more would be a mistake.
const mostPoints = 1_000_000

// newPlayers reads --points and, if there is one, the file of --groups.
func newPlayers(points, groups string) (*players, error) {
	var p players
	var err error
	if name, ok := strings.CutPrefix(points, "@"); ok {
		p.points, err = readNames("--points @"+name, name)
	} else {
		p.points, err = parsePoints(points)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range p.points {
		p.size += len(name) + 1
	}
	if p.names = p.points; groups != "" {
		err = p.group(groups)
	}
	return &p, err
}

// parsePoints reads a list of whole numbers and ranges of them, 1,5,9-20. They are in
// ascending order then, however they were given.
func parsePoints(text string) ([]string, error) {
	wrong := func(format string, args ...any) error {
		return usage(fmt.Errorf("--points "+format, args...), "--points 1-120, --points 1,5,9-20, or --points @FILE with a name a line")
	}
	var numbers []int
	for item := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(item), "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 31)
		to, err2 := strconv.ParseUint(last, 10, 31)
		switch {
		case err1 != nil || err2 != nil:
			return nil, wrong("%s: %q is neither a whole number nor a range of them", text, item)
		case to < from:
			return nil, wrong("%s: the range %s ends before it begins", text, item)
		case to-from >= uint64(mostPoints-len(numbers)):
			return nil, wrong("%s: more than %d points", text, mostPoints)
		}
		for n := from; n <= to; n++ {
			numbers = append(numbers, int(n))
		}
	}
	slices.Sort(numbers)
	list := make([]string, len(numbers))
	for i, n := range numbers {
		if i > 0 && numbers[i-1] == n {
			return nil, wrong("%s: %d is there more than once", text, n)
		}
		list[i] = strconv.Itoa(n)
	}
	return list, nil
}

// readNames reads a file with a name a line; what is what errors call it.
func readNames(what, name string) (list []string, err error) {
	wrong := func(format string, args ...any) error {
		return usage(fmt.Errorf("%s: "+format, append([]any{what}, args...)...), "")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, wrong("%w", plain.Error(err))
	}
	defer file.Close()
	in := bufio.NewReader(file)
	if err := skipMark(in); err != nil {
		return nil, wrong("%w", err)
	}
	line := map[string]int{} // on which a name stands
	for n := 1; ; n++ {
		text, err := in.ReadString('\n')
		if err == io.EOF && text == "" {
			break
		} else if err != nil && err != io.EOF {
			return nil, wrong("%w", plain.Error(err))
		}
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
		switch {
		case strings.TrimSpace(text) == "":
			return nil, wrong("line %d is blank, which is no name", n)
		case strings.IndexByte(text, 0) >= 0:
			return nil, wrong("line %d holds a NUL byte, which no argument can", n)
		case line[text] > 0:
			return nil, wrong("line %d names %q, as line %d does", n, text, line[text])
		case len(list) == mostPoints:
			return nil, wrong("more than %d points", mostPoints)
		}
		line[text] = n
		list = append(list, text)
	}
	if len(list) == 0 {
		return nil, wrong("it holds no point")
	}
	return list, nil
}

// group makes groups the players, in the order of their first points. The file has a
// point and its group on each line, separated by a tab or as CSV, with or without the
// header "point group". Points that it has besides don't matter.
func (p *players) group(name string) error {
	wrong := func(format string, args ...any) error {
		return usage(fmt.Errorf("--groups %s: "+format, append([]any{name}, args...)...), "each line is a point and its group, separated by a tab or a comma")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return usage(fmt.Errorf("--groups %s: %w", name, plain.Error(err)), "")
	}
	groupOf := map[string]string{}
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff")))
	in.FieldsPerRecord = 2
	if first, _, _ := strings.Cut(string(text), "\n"); strings.Contains(first, "\t") {
		in.Comma, in.LazyQuotes = '\t', true
	}
	for n := 1; ; n++ {
		cells, err := in.Read()
		var bad *csv.ParseError
		if err == io.EOF {
			break
		} else if errors.As(err, &bad) {
			return wrong("line %d: %w", bad.Line, bad.Err)
		} else if err != nil {
			return wrong("%w", err)
		}
		point, group := cells[0], cells[1]
		other, twice := groupOf[point]
		switch {
		case n == 1 && strings.EqualFold(point, "point") && strings.EqualFold(group, "group"):
			continue
		case group == "":
			return wrong("the group of point %s has no name", point)
		case twice && other != group:
			return wrong("point %s is in the groups %s and %s", point, other, group)
		}
		groupOf[point] = group
	}
	p.names = nil
	index := map[string]int{}
	for i, point := range p.points {
		group, ok := groupOf[point]
		if !ok {
			return wrong("point %s is in no group", point)
		}
		g, ok := index[group]
		if !ok {
			g = len(p.names)
			index[group] = g
			p.names, p.members = append(p.names, group), append(p.members, nil)
		}
		p.members[g] = append(p.members[g], int32(i))
	}
	return nil
}

// pointsOf yields the points of a set of players, as indices, in ascending order.
func (p *players) pointsOf(set []int32) iter.Seq[int] {
	return func(yield func(int) bool) {
		if p.members == nil {
			for _, i := range set {
				if !yield(int(i)) {
					return
				}
			}
			return
		}
		held := make([]uint64, (len(p.points)+63)/64)
		for _, g := range set {
			for _, i := range p.members[g] {
				held[i/64] |= 1 << (i % 64)
			}
		}
		for w, word := range held {
			for ; word != 0; word &= word - 1 {
				if !yield(64*w + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
