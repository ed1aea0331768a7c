package number

import (
	"bytes"
	"strconv"
)

// shown returns what a terminal shows of a line: what was written after its last
// carriage return, as a progress bar does it, without colours, and without what was
// taken back. Of what an earlier writing leaves to the right of a shorter one it
// knows nothing. It starts at that byte of the line, and depends on none before.
func shown(line []byte) (text []byte, start int) {
	if !bytes.ContainsAny(line, "\r\b\a\x1b") {
		return line, 0
	}
	for {
		start = bytes.LastIndexByte(line, '\r') + 1
		text, touched := written(line[start:])
		if touched || start == 0 {
			return text, start
		}
		line = line[:start-1] // nothing came after this return
	}
}

// written returns what a terminal shows of a text without carriage returns, and
// whether anything was written or erased. A text that moves about the screen in
// other ways than on its line is returned as it is.
func written(raw []byte) (text []byte, touched bool) {
	if !bytes.ContainsAny(raw, "\b\a\x1b") {
		return raw, len(raw) > 0
	}
	var s screenLine
	for rest := raw; len(rest) > 0; {
		n, ok := 1, true
		switch c := rest[0]; c {
		case '\a':
		case '\b':
			s.to(s.at - 1)
		case 0x1b:
			n, ok = s.escape(rest)
		default:
			ok = s.write(c)
		}
		if !ok {
			return raw, true
		}
		rest = rest[n:]
	}
	if s.over && !isBlank(s.text[min(s.end, len(s.text)):]) {
		return raw, true // 0.5 over 0.99 would be 0.59
	}
	return s.text, s.touched
}

// screenLine is a line of a terminal.
type screenLine struct {
	text    []byte
	at      int  // where the next character goes
	end     int  // where the last one that was written ends
	over    bool // something was written over
	wide    bool // there are characters whose width isn't known
	touched bool
}

func (s *screenLine) to(at int) { s.at = max(at, 0) }

// write writes a byte. It fails where it can't be known what that covers.
func (s *screenLine) write(c byte) bool {
	s.touched = true
	s.wide = s.wide || c >= 0x80
	if s.at < len(s.text) {
		if s.wide {
			return false
		}
		s.over = true
		s.text[s.at] = c
	} else {
		for len(s.text) < s.at {
			s.text = append(s.text, ' ')
		}
		s.text = append(s.text, c)
	}
	s.at++
	s.end = s.at
	return true
}

// escape obeys the escape sequence that b begins with, and returns its length. It
// fails where it doesn't know what that shows.
func (s *screenLine) escape(b []byte) (n int, ok bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '[':
		return s.control(b)
	case ']': // a title, or a link
		for i := 2; i < len(b); i++ {
			if b[i] == '\a' {
				return i + 1, true
			}
			if b[i] == 0x1b {
				return i + 2, i+1 < len(b) && b[i+1] == '\\'
			}
		}
		return 0, false
	case '(', ')': // a character set
		return 3, len(b) >= 3
	case '=', '>':
		return 2, true
	}
	return 0, false
}

// control is escape for what begins with ESC [.
func (s *screenLine) control(b []byte) (n int, ok bool) {
	for n = 2; n < len(b) && b[n] >= 0x20 && b[n] < 0x40; n++ {
	}
	if n == len(b) {
		return 0, false
	}
	const most = 1 << 12 // columns that a line is wide
	given := string(b[2:n])
	count, err := strconv.Atoi(given)
	if given != "" && (err != nil || count > most) {
		count = -1
	}
	final := b[n]
	n++
	switch final {
	case 'm', 'h', 'l': // colours, modes
		return n, true
	case 'K', 'J': // erase
		if s.at < len(s.text) && s.wide {
			return n, false
		}
		s.touched = s.touched || count != 3
		switch count {
		case 0:
			s.text = s.text[:min(s.at, len(s.text))]
			return n, true
		case 2:
			s.text, s.over = s.text[:0], false
			return n, true
		case 3: // what was scrolled away
			return n, final == 'J'
		}
		return n, false
	case 'C', 'D': // right, left
		if count < 0 {
			return n, false
		}
		if count = max(count, 1); final == 'D' {
			count = -count
		}
		s.to(s.at + count)
		return n, final == 'D' || !s.wide && s.at <= most
	case 'G': // to a column
		if count < 0 {
			return n, false
		}
		s.to(count - 1)
		s.wide = s.wide && (s.at > 0 || len(s.text) > 0)
		return n, true
	case 'A', 'B': // up, down
		return n, s.leave(s.at)
	case 'E', 'F': // to the beginning of a line below, above
		return n, s.leave(0)
	case 'H': // to the corner
		return n, given == "" && s.leave(0)
	}
	return n, false
}

// leave goes to a column of another line. It fails where something is written here
// already, which then isn't what the rest goes on from.
func (s *screenLine) leave(at int) bool {
	if !isBlank(s.text) {
		return false
	}
	*s = screenLine{at: at, wide: s.wide && at > 0, touched: s.touched}
	return true
}
