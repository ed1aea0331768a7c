package number

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf8"
)

// cutMark stands before the end of a line whose beginning isn't kept. Where that may
// hold what steers a terminal, as in what process.Tail keeps, there is a bell after
// it, which no line has that was taken as it is shown.
const cutMark = "…"

// blanks are what may stand around a number.
const blanks = " \t\r\n\v\f"

// line is a line of an output, as a terminal shows it.
type line struct {
	text  []byte
	cut   bool // its beginning is missing, and may matter
	ended bool // by a line end
}

// lastToFirst yields the lines of an output, the last one first. cut says that
// earlier lines are missing, and, where the output begins with cutMark, the
// beginning of its first line too.
func lastToFirst(out []byte, cut bool) iter.Seq[line] {
	if cut {
		out, cut = bytes.CutPrefix(out, []byte(cutMark))
	}
	return func(yield func(line) bool) {
		for len(out) > 0 || cut {
			raw, ended := bytes.CutSuffix(out, []byte("\n"))
			from := bytes.LastIndexByte(raw, '\n') + 1
			text, start := shown(raw[from:])
			l := line{text: text, ended: ended}
			if l.cut = cut && from == 0 && start == 0; l.cut {
				l.text = raw // what it begins with may be the end of an escape sequence
			}
			// An end that shows nothing, as of a bar that was taken away, is none.
			nothing := len(l.text) == 0 && !ended && !l.cut
			if !nothing && !yield(l) || from == 0 {
				return
			}
			out = out[:from]
		}
	}
}

// lastLine returns the last line that holds more than blanks, if there is one.
func lastLine(out []byte, cut bool) (line, bool) {
	for l := range lastToFirst(out, cut) {
		if l.cut || !isBlank(l.text) {
			return l, true
		}
	}
	return line{}, false
}

func isBlank(text []byte) bool { return len(bytes.Trim(text, blanks)) == 0 }

// Lines returns whole lines from the end of an output, as a terminal shows them, in
// limit bytes at most, and whether there is more. Where the last line that holds
// something is longer it is the end of that. Find finds in what is returned what it
// would find in the output, or ErrCut.
func Lines(out []byte, cut bool, limit int) (kept []byte, more bool) {
	// From the end of room to its beginning.
	room := make([]byte, min(limit, len(out)+len(cutMark)))
	at, blank := len(room), true
	put := func(b ...byte) {
		at -= len(b)
		copy(room[at:], b)
	}
	for l := range lastToFirst(out, cut) {
		mark := ""
		if l.cut {
			mark = cutMark
		}
		size := len(mark) + len(l.text)
		if l.ended {
			size++
		}
		if size > at {
			if !blank || isBlank(l.text) {
				return room[at:], true
			}
			if mark = cutMark; l.cut && l.text[0] == '\a' {
				mark += "\a"
			}
			if l.text = ending(l.text, at-len(mark)-1); len(l.text) == 0 {
				return room[at:], true
			}
		}
		if l.ended {
			put('\n')
		}
		put(l.text...)
		put([]byte(mark)...)
		if mark != "" {
			return room[at:], true
		}
		blank = blank && isBlank(l.text)
	}
	return room[at:], cut
}

// whole is an output that isn't cut, as a terminal shows it.
func whole(out []byte) []byte {
	if !bytes.ContainsAny(out, "\r\b\a\x1b") {
		return out
	}
	var all []byte
	for raw := range bytes.Lines(out) {
		raw, ended := bytes.CutSuffix(raw, []byte("\n"))
		text, _ := shown(raw)
		if all = append(all, text...); ended {
			all = append(all, '\n')
		}
	}
	return all
}

// ending returns the end of a text, of size bytes at most, not from within a
// character.
func ending(text []byte, size int) []byte {
	if len(text) <= size {
		return text
	}
	text = text[len(text)-max(size, 0):]
	for i := 0; i < utf8.UTFMax && i < len(text); i++ {
		if utf8.RuneStart(text[i]) {
			return text[i:]
		}
	}
	if len(text) < utf8.UTFMax {
		return nil
	}
	return text
}

// End shows the end of an output in a message.
func End(out []byte) string {
	last, _ := lastLine(out, true)
	return quote(string(last.text))
}

// quote shows a line in a message: its end, if it is long, where a number would be.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return "…" + strconv.Quote(string(ending([]byte(s), most)))
	}
	return strconv.Quote(s)
}
