package cmd

import (
	"fmt"
	"strconv"
)

// printGroup prints rows that are no wider than the terminal where that can be had by
// cutting the command, and never a number. What matters less is shown where there is
// room.
func (l *lister) printGroup() {
	if len(l.group) == 0 {
		return
	}
	head, first := "", make([]string, len(l.group))
	commands := make([]command, len(l.group))
	for i := range l.group {
		l.values = max(l.values, columns(valueText(&l.group[i])))
	}
	for i := range l.group {
		head, first[i] = l.fitting(&l.group[i])
		commands[i] = rowOf(l.group[i].id.Namespace, l.group[i].entry)
	}
	column := newCommandColumn(commands, l.width-columns(head))
	if l.lines == len(l.group) {
		l.w.WriteString(head + "COMMAND\n")
	}
	if above := column.above(l.width); above != l.above {
		l.above = above
		if above != "" {
			l.w.WriteString(above + "\n")
		}
	}
	for i := range l.group {
		r, of := &l.group[i], ""
		if r.extraction != "last" && r.series != nil {
			of = oneLine(r.extraction) + " of "
		}
		room := l.width - columns(first[i])
		l.w.WriteString(first[i] + cut(of+column.text(i, max(room-columns(of), 1)), room) + "\n")
	}
	l.group = l.group[:0]
}

// fitting is what stands before the command in a row on a terminal, and its heading.
func (l *lister) fitting(r *row) (head, text string) {
	const widest = 17 // of values that are aligned
	count, values := "0", min(max(l.values, len("VALUE")), widest)
	if r.series != nil {
		count = strconv.FormatInt(r.series.Count, 10)
	}
	if l.width >= 72 {
		values = widest
	}
	for _, column := range []struct {
		name, format, cell string
		from               int // columns of the terminal
	}{
		{"KEY", "%-8s", r.id.Key.String()[:8], 0},
		{"VALUE", "%-" + strconv.Itoa(values) + "s", valueText(r), 0},
		{"COUNT", "%5s", count, 72},
		{"TOOK", "%9s", duration(r.seconds), 84},
		{"AGE", "%9s", ago(r.at), 0},
		{"NAMESPACE", "%-12s", pad(cut(oneLine(r.id.Namespace), l.width/5), 12), 100},
	} {
		if l.width >= column.from && (column.name != "NAMESPACE" || l.namespaces) {
			head += fmt.Sprintf(column.format, column.name) + "  "
			text += fmt.Sprintf(column.format, column.cell) + "  "
		}
	}
	return head, text
}

// valueText is the value of a row on a terminal.
func valueText(r *row) string {
	switch {
	case r.series == nil:
		return "(output)"
	case r.series.Count > 1:
		return fmt.Sprintf("%.6g ± %.2g", r.series.Mean, r.series.Stderr())
	}
	return r.value()
}
