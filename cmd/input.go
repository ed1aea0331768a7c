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

	"dvlcache/cache/key"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/placeholder"
)

// groupSize is how many lines are answered together at most.
const groupSize = 1024

// lineReader makes calls of the lines of a batch's input.
type lineReader struct {
	format  string // lines, null, tsv, csv, json
	in      *bufio.Reader
	csv     *csv.Reader
	columns []string // of the header
	number  int
	// template is COMMAND, and rules those by which its arguments count.
	template *placeholder.Template
	rules    key.Rules
	// check, if not nil, says what is wrong with a line's call.
	check func(args []string) error
}

// newLineReader reads the header, if the format has one, and finds the places
// in COMMAND's arguments.
func newLineReader(format string, r io.Reader, args []string, rules key.Rules) (*lineReader, error) {
	fields := format == "tsv" || format == "csv" || format == "json"
	t, err := placeholder.Parse(args, fields)
	if err == nil {
		err = t.Check(rules)
	}
	if err != nil {
		return nil, placeholderError(err)
	}
	l := &lineReader{format: format, in: bufio.NewReaderSize(r, 64<<10), template: t, rules: rules}
	if !t.Used() {
		if fields {
			return nil, usage(errors.New("COMMAND's arguments name no field of the input"), "put {NAME} where its value belongs")
		}
		if unused := t.Unused(); len(unused) > 0 {
			return nil, usage(fmt.Errorf("%s names a field, and lines have none", unused[0]), unusedHint)
		}
		t.AppendLine()
	}
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
		for _, name := range t.Fields() {
			if l.column(name) < 0 {
				return nil, usage(fmt.Errorf("the input has no column %q", name), "its header names "+strings.Join(l.columns, ", "))
			}
			if first := slices.Index(l.columns, name); first >= 0 && slices.Contains(l.columns[first+1:], name) {
				return nil, usage(fmt.Errorf("the input has more than one column %q", name), "rename all but one")
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
	values := func(string) (placeholder.Value, error) { return placeholder.Value{Text: text}, nil }
	switch l.format {
	case "tsv":
		values = l.cells(text, strings.Split(text, "\t"))
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
	line := strings.TrimSuffix(text.String(), "\n")
	return l.line(line, l.cells(line, cells)), nil
}

// cells finds the cells of a line; the line's own items are all of them.
func (l *lineReader) cells(line string, cells []string) func(name string) (placeholder.Value, error) {
	return func(name string) (placeholder.Value, error) {
		if name == "" {
			v := placeholder.Items(cells)
			v.Text = line
			return v, nil
		}
		if i := l.column(name); i < len(cells) {
			return placeholder.Value{Text: cells[i]}, nil
		}
		return placeholder.Value{}, fmt.Errorf("it has no column %s", name)
	}
}

// unusedHint says what a placeholder for a field needs.
const unusedHint = "--input-format csv, tsv or json gives lines fields; {} is the line, {...} its items"

// jsonFields finds the fields of a JSON object, or the items of a list. Numbers keep
// their text.
func jsonFields(text string) func(name string) (placeholder.Value, error) {
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
	return func(name string) (placeholder.Value, error) {
		v, ok := fields[name]
		switch {
		case name == "":
			return jsonValue(doc, doc.Result, text), nil
		case doc.IsArray():
			return placeholder.Value{}, &placeholder.Error{Reason: "it is a list, and has no field " + name, Hint: "{...}, {:file} and {:ranges} take its items"}
		case !doc.IsObject():
			return placeholder.Value{}, errors.New("it is no JSON object")
		case !ok:
			return placeholder.Value{}, fmt.Errorf("it has no field %s", name)
		case twice[name]:
			return placeholder.Value{}, fmt.Errorf("it has more than one field %s", name)
		case v.Type == gjson.String:
			return placeholder.Value{Text: v.String()}, nil
		}
		return jsonValue(doc, v, doc.Written(v.Raw)), nil
	}
}

// jsonValue is a value other than a string: its text, and the items of a list.
func jsonValue(doc number.Document, v gjson.Result, text string) placeholder.Value {
	return placeholder.Value{Text: text, Items: func() (items []string, err error) {
		switch {
		case v.Type == gjson.Number:
			return []string{text}, nil
		case !v.IsArray():
			return nil, fmt.Errorf("%s is no list", number.End([]byte(text)))
		}
		v.ForEach(func(_, item gjson.Result) bool {
			switch item.Type {
			case gjson.String:
				items = append(items, item.String())
			case gjson.Number, gjson.True, gjson.False:
				items = append(items, doc.Written(item.Raw))
			default:
				err = fmt.Errorf("item %d of its list is %s, and neither a number nor a text", len(items)+1, doc.Written(item.Raw))
			}
			return err == nil
		})
		return items, err
	}}
}

// line puts a line's texts into COMMAND's arguments.
func (l *lineReader) line(text string, values func(name string) (placeholder.Value, error)) exec.Line {
	l.number++
	line := exec.Line{Number: l.number, Input: text}
	call, err := l.template.Expand(l.rules, values)
	if err != nil {
		line.Err = placeholderError(err)
		return line
	}
	line.Args, line.Files = call.Args, call.Files
	if l.check != nil {
		line.Err = l.check(line.Args)
	}
	return line
}

// placeholderError is what is wrong with placeholders, or with what is put into them, as
// a usage error.
func placeholderError(err error) error {
	var wrong *placeholder.Error
	if errors.As(err, &wrong) {
		return usage(err, wrong.Hint)
	}
	return usage(err, "")
}
