package number

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cell is a place on a screen.
type cell struct{ row, column int }

// onScreen is what an empty terminal shows of a text: a plain model of one, that
// knows characters, backspaces, and the sequences of moves below.
func onScreen(moves []string) string {
	cells := map[cell]string{}
	at := cell{}
	erase := func(gone func(cell) bool) {
		maps.DeleteFunc(cells, func(c cell, _ string) bool { return gone(c) })
	}
	for _, move := range moves {
		rest, control := strings.CutPrefix(move, "\x1b[")
		count, _ := strconv.Atoi(strings.TrimRight(rest, "ABCDGJKEFHml"))
		switch {
		case move == "\b":
			at.column = max(0, at.column-1)
		case move == "\a" || strings.HasPrefix(move, "\x1b]") || strings.HasPrefix(move, "\x1b("):
		case !control:
			for _, c := range move {
				cells[at] = string(c)
				at.column++
			}
		default:
			switch n := max(count, 1); rest[len(rest)-1] {
			case 'A':
				at.row -= n
			case 'B':
				at.row += n
			case 'C':
				at.column += n
			case 'D':
				at.column = max(0, at.column-n)
			case 'E':
				at = cell{at.row + n, 0}
			case 'G':
				at.column = n - 1
			case 'J':
				erase(func(c cell) bool { return c.row > at.row || c.row == at.row && c.column >= at.column || count == 2 })
			case 'K':
				erase(func(c cell) bool { return c.row == at.row && (c.column >= at.column || count == 2) })
			}
		}
	}
	var rows []string
	row := 0
	for _, c := range slices.SortedFunc(maps.Keys(cells), func(a, b cell) int {
		if a.row != b.row {
			return a.row - b.row
		}
		return a.column - b.column
	}) {
		if len(rows) == 0 || c.row != row {
			rows, row = append(rows, ""), c.row
		}
		last := &rows[len(rows)-1]
		*last += strings.Repeat(" ", c.column-len([]rune(*last))) + cells[c]
	}
	rows = slices.DeleteFunc(rows, func(row string) bool { return strings.TrimSpace(row) == "" })
	return strings.TrimSpace(strings.Join(rows, "\n"))
}

// TestShownAsATerminal: what is taken for a line is what a terminal shows, blanks
// around it apart, or what was written as it is.
func TestShownAsATerminal(t *testing.T) {
	move := rapid.SampledFrom([]string{"0", "1", ".", " ", "0.5", "x", "█", "\b", "\b", "\a", "\x1b[K", "\x1b[0K", "\x1b[2K", "\x1b[D", "\x1b[3D", "\x1b[C", "\x1b[2C",
		"\x1b[G", "\x1b[1G", "\x1b[3G", "\x1b[A", "\x1b[2B", "\x1b[E", "\x1b[J", "\x1b[2J", "\x1b[m", "\x1b[1;31m", "\x1b[?25h", "\x1b]0;50%\a", "\x1b(B"})
	known := 0
	rapid.Check(t, func(t *rapid.T) {
		moves := rapid.SliceOfN(move, 1, 10).Draw(t, "moves")
		raw := strings.Join(moves, "")
		text, _ := written([]byte(raw))
		if string(text) == raw {
			return
		}
		known++
		if got, want := strings.TrimSpace(string(text)), onScreen(moves); got != want {
			t.Fatalf("%q is shown as %q, on a terminal it is %q", raw, got, want)
		}
	})
	if known == 0 {
		t.Error("no text was known: this test shows nothing")
	}
}
