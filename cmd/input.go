package cmd

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"dvlcache/exec"
	"dvlcache/exec/number"
)

// groupSize is how many lines are answered together at most.
const groupSize = 1024

// lineReader makes calls of the lines of a batch's input.
type lineReader struct {
	format  string // lines, null, tsv, csv, json
	in      *bufio.Reader
	csv     *csv.Reader
	columns []string // of the header
	command []template
	number  int
	// check, if not nil, says what is wrong with a line's call.
	check func(args []string) error
}

// template is an argument of COMMAND: literal texts, and what goes between.
type template []piece

// piece is a literal, or the name of a field: "" is the whole line.
type piece struct {
	text  string
	field bool
}

// parseTemplate finds {} and, where lines have fields, {NAME} in an argument.
// What is put in is not looked at again.
func parseTemplate(arg string, fields bool) (t template) {
	for {
		i := strings.IndexByte(arg, '{')
		if i < 0 {
			break
		}
		n := strings.IndexByte(arg[i:], '}')
		if n < 0 {
			break
		}
		name := arg[i+1 : i+n]
		if name != "" && (!fields || strings.ContainsAny(name, "{\"'")) {
			// No place to put anything into: {a, b}, JSON, awk.
			t = append(t, piece{text: arg[:i+1]})
			arg = arg[i+1:]
			continue
		}
		if i > 0 {
			t = append(t, piece{text: arg[:i]})
		}
		t = append(t, piece{name, true})
		arg = arg[i+n+1:]
	}
	if arg == "" && t != nil {
		return t
	}
	return append(t, piece{text: arg})
}

// newLineReader reads the header, if the format has one, and finds the places
// in COMMAND's arguments.
func newLineReader(format string, r io.Reader, args []string) (*lineReader, error) {
	l := &lineReader{format: format, in: bufio.NewReaderSize(r, 64<<10)}
	fields := format == "tsv" || format == "csv" || format == "json"
	used := false
	for i, arg := range args {
		t := template{{text: arg}}
		if i > 0 { // COMMAND itself is what it is
			t = parseTemplate(arg, fields)
		}
		l.command = append(l.command, t)
		used = used || slices.ContainsFunc(t, func(p piece) bool { return p.field })
	}
	if !used {
		if fields {
			return nil, usage(errors.New("COMMAND's arguments name no field of the input"), "put {NAME} where its value belongs")
		}
		l.command = append(l.command, template{{field: true}})
	}
	var err error
	if format == "csv" || format == "tsv" {
		if err = skipMark(l.in); err != nil {
			return nil, err
		}
	}
	switch format {
	case "csv":
		l.csv = csv.NewReader(l.in)
		l.csv.FieldsPerRecord = -1
		l.columns, err = l.csv.Read()
	case "tsv":
		var header string
		if header, err = l.in.ReadString('\n'); header != "" {
			l.columns, err = strings.Split(strings.TrimRight(header, "\r\n"), "\t"), nil
		}
	}
	var wrong *csv.ParseError
	switch {
	case err == io.EOF:
		return nil, usage(errors.New("the input is empty"), "its first line names the columns")
	case errors.As(err, &wrong):
		return nil, usage(fmt.Errorf("the header of the input: %w", err), "")
	case err != nil:
		return nil, fmt.Errorf("the header of the input: %w", err)
	}
	if l.columns != nil {
		for _, t := range l.command {
			for _, p := range t {
				if !p.field || p.text == "" {
					continue
				}
				if l.column(p.text) < 0 {
					return nil, usage(fmt.Errorf("the input has no column %q", p.text), "its header names "+strings.Join(l.columns, ", "))
				}
				if first := slices.Index(l.columns, p.text); first >= 0 && slices.Contains(l.columns[first+1:], p.text) {
					return nil, usage(fmt.Errorf("the input has more than one column %q", p.text), "rename all but one")
				}
			}
		}
	}
	return l, nil
}

// column is the index of a column, by name or by number from 1, or -1.
func (l *lineReader) column(name string) int {
	if i := slices.Index(l.columns, name); i >= 0 {
		return i
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(l.columns) {
		return n - 1
	}
	return -1
}

// group reads as many lines as are there, never waiting for more, and says
// whether still more are. Its error is io.EOF at the end.
func (l *lineReader) group() (group []exec.Line, more bool, err error) {
	for len(group) == 0 || len(group) < groupSize && more {
		line, err := l.read()
		if err != nil && len(group) > 0 {
			return group, false, nil // the error comes again
		} else if err != nil {
			return nil, false, err
		}
		group = append(group, line)
		more = l.more()
	}
	return group, more, nil
}

// skipMark skips the byte order mark with which spreadsheets and editors begin their
// files. It waits for no byte more than it needs: who sent one line may be waiting for
// its answer.
func skipMark(in *bufio.Reader) error {
	const mark = "\ufeff"
	for n := 1; n <= len(mark); n++ {
		head, _ := in.Peek(n)
		if s := string(head); n == 2 && (s == "\xff\xfe" || s == "\xfe\xff") {
			return usage(errors.New("the input is in UTF-16"), "save it in UTF-8; iconv -f UTF-16 -t UTF-8 makes that of it")
		} else if n == 1 && (s == "\xff" || s == "\xfe") {
			continue
		} else if s != mark[:n] {
			return nil
		}
	}
	_, err := in.Discard(len(mark))
	return err
}

func (l *lineReader) end() byte {
	if l.format == "null" {
		return 0
	}
	return '\n'
}

// more reports whether another line is there already.
func (l *lineReader) more() bool {
	there, _ := l.in.Peek(l.in.Buffered())
	end := bytes.IndexByte(there, l.end())
	if end < 0 || l.csv == nil {
		return end >= 0
	}
	// A line of CSV goes on within quotes, and one that is blank is none.
	line := there[:end]
	return bytes.Count(line, []byte{'"'})%2 == 0 && len(bytes.TrimSuffix(line, []byte{'\r'})) > 0
}

// read reads a line and makes a call of it. What is wrong with it is the
// line's error; read's own are those of the input.
func (l *lineReader) read() (exec.Line, error) {
	if l.csv != nil {
		return l.readCSV()
	}
	if l.number == 0 && (l.format == "lines" || l.format == "json") {
		if err := skipMark(l.in); err != nil {
			return exec.Line{}, err
		}
	}
	text, err := l.in.ReadString(l.end())
	if err != nil && (err != io.EOF || text == "") {
		return exec.Line{}, err
	}
	text = strings.TrimSuffix(text, string(l.end()))
	if l.format != "null" {
		text = strings.TrimSuffix(text, "\r")
	}
	var values func(string) (string, error)
	switch l.format {
	case "tsv":
		cells := strings.Split(text, "\t")
		values = func(name string) (string, error) { return l.cell(cells, name) }
	case "json":
		values = jsonFields(text)
	}
	return l.line(text, values), nil
}

func (l *lineReader) readCSV() (exec.Line, error) {
	cells, err := l.csv.Read()
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		l.number++
		return exec.Line{Number: l.number, Err: usage(err, "")}, nil
	} else if err != nil {
		return exec.Line{}, err
	}
	var text strings.Builder
	w := csv.NewWriter(&text)
	w.Write(cells)
	w.Flush()
	return l.line(strings.TrimSuffix(text.String(), "\n"), func(name string) (string, error) { return l.cell(cells, name) }), nil
}

func (l *lineReader) cell(cells []string, name string) (string, error) {
	if i := l.column(name); i < len(cells) {
		return cells[i], nil
	}
	return "", fmt.Errorf("it has no column %s", name)
}

// jsonFields finds the fields of a JSON object. Numbers keep their text.
func jsonFields(text string) func(string) (string, error) {
	fields := map[string]gjson.Result{}
	twice := map[string]bool{}
	doc, _ := number.ParseJSON([]byte(text))
	if doc.IsObject() {
		doc.ForEach(func(k, v gjson.Result) bool {
			_, again := fields[k.String()]
			fields[k.String()], twice[k.String()] = v, again
			return true
		})
	}
	return func(name string) (string, error) {
		v, ok := fields[name]
		switch {
		case !doc.IsObject():
			return "", errors.New("it is no JSON object")
		case !ok:
			return "", fmt.Errorf("it has no field %s", name)
		case twice[name]:
			return "", fmt.Errorf("it has more than one field %s", name)
		case v.Type == gjson.String:
			return v.String(), nil
		}
		return doc.Written(v.Raw), nil
	}
}

// line puts a line's texts into COMMAND's arguments.
func (l *lineReader) line(text string, values func(string) (string, error)) exec.Line {
	l.number++
	line := exec.Line{Number: l.number, Input: text, Args: make([]string, len(l.command))}
	for i, t := range l.command {
		for _, p := range t {
			arg := p.text
			switch {
			case !p.field:
			case p.text == "":
				arg = text
			default:
				var err error
				if arg, err = values(p.text); err != nil {
					return exec.Line{Number: l.number, Input: text, Err: usage(err, "")}
				}
			}
			line.Args[i] += arg // mostly there is one piece, and nothing to copy
		}
		if strings.IndexByte(line.Args[i], 0) >= 0 {
			return exec.Line{Number: l.number, Input: text, Err: usage(errors.New("it holds a NUL byte, which no argument can"), "")}
		}
	}
	if l.check != nil {
		line.Err = l.check(line.Args)
	}
	return line
}
