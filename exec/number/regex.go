package number

import (
	"bytes"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

func (x Extraction) lastMatch(out []byte, cut bool) (string, error) {
	for l := range lastToFirst(out, cut) {
		if l.cut {
			return x.sureMatch(l.text)
		}
		line := bytes.TrimSuffix(l.text, []byte("\r"))
		if all := x.re.FindAllSubmatch(line, -1); all != nil {
			if number := all[len(all)-1][1]; number != nil {
				return string(number), nil
			}
			return "", fmt.Errorf("the group matches nothing in %s", quote(string(line)))
		}
	}
	if cut {
		return "", ErrCut
	}
	if last, ok := lastLine(out, false); ok {
		return "", fmt.Errorf("up to the last line, %s: no line matches", quote(string(last.text)))
	}
	return "", errors.New("no line matches")
}

// sureMatch finds the last match in the end of a line whose beginning isn't known,
// if it is the one that the whole line has. Matches don't overlap, so that one which
// begins before end and reaches into it moves the next; the last is sure where it is
// the same wherever such a one may stop.
func (x Extraction) sureMatch(end []byte) (string, error) {
	end = ending(end, maxSure)
	if len(end) == 0 || !utf8.RuneStart(end[0]) || bytes.ContainsAny(end, "\r\b\a\x1b") {
		return "", ErrCut
	}
	stops, ok := x.stops(string(end))
	if !ok {
		return "", ErrCut
	}
	var found []int
	for _, from := range stops {
		all := x.re.FindAllSubmatchIndex(end[from:], -1)
		if all == nil {
			return "", ErrCut
		}
		group := []int{all[len(all)-1][2] + from, all[len(all)-1][3] + from}
		if found == nil {
			found = group
		}
		if group[0] < from || !slices.Equal(group, found) {
			return "", ErrCut
		}
	}
	return string(end[found[0]:found[1]]), nil
}

// maxSure is how much of the end of a line sureMatch looks at, in bytes.
const maxSure = 4096

// stops returns all places in end where a match may stop that began before it, and 0.
// It fails for expressions whose matches depend on what stands before them, or are
// empty.
func (x Extraction) stops(end string) (at []int, ok bool) {
	parsed, err := syntax.Parse(x.re.String(), syntax.Perl)
	if err != nil {
		return nil, false
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, false
	}
	const behind = syntax.EmptyBeginLine | syntax.EmptyBeginText | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
	states := newStates(prog)
	for i := range prog.Inst {
		if in := &prog.Inst[i]; in.Op == syntax.InstEmptyWidth && syntax.EmptyOp(in.Arg)&behind != 0 {
			return nil, false
		}
	}
	if states.add(prog.Start); states.matched {
		return nil, false
	}
	// Before end, a match may have come to anywhere.
	states.clear()
	for i := range prog.Inst {
		states.add(i)
	}
	at = []int{0}
	for i, r := range end {
		next := newStates(prog)
		for _, pc := range states.waiting {
			if in := &prog.Inst[pc]; in.MatchRune(r) {
				next.add(int(in.Out))
			}
		}
		if states = next; len(states.waiting) == 0 && !states.matched {
			break
		}
		if states.matched {
			_, size := utf8.DecodeRuneInString(end[i:])
			at = append(at, i+size)
		}
	}
	return at, true
}

// states are where matches of an expression may stand.
type states struct {
	prog    *syntax.Prog
	seen    []bool
	waiting []int // for a character
	matched bool
}

func newStates(prog *syntax.Prog) *states {
	return &states{prog: prog, seen: make([]bool, len(prog.Inst))}
}

func (s *states) clear() { *s = *newStates(s.prog) }

// add adds an instruction, and all that it leads to without a character. What holds
// at the end of a text alone may hold anywhere: that can only be too much.
func (s *states) add(pc int) {
	if s.seen[pc] {
		return
	}
	s.seen[pc] = true
	switch in := &s.prog.Inst[pc]; in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		s.add(int(in.Out))
		s.add(int(in.Arg))
	case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		s.add(int(in.Out))
	case syntax.InstMatch:
		s.matched = true
	case syntax.InstFail:
	default:
		s.waiting = append(s.waiting, pc)
	}
}
