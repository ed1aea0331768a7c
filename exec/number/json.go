package number

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Document is a JSON document, be it with NaN, Infinity or -Infinity as values, as
// Python writes it. The library knows no such values: in its result numbers stand
// in their places that the document doesn't hold.
type Document struct {
	gjson.Result
	places *strings.Replacer // back to what was written; nil if there are none
}

// ParseJSON reports whether doc is one.
func ParseJSON(doc []byte) (d Document, ok bool) {
	if gjson.ValidBytes(doc) {
		return Document{Result: gjson.ParseBytes(doc)}, true
	}
	zero := "0e1"
	for bytes.Contains(doc, []byte(zero)) {
		zero += "0"
	}
	nan, infinity := zero+"1", zero+"2"
	finite := replaceValues(doc, map[string]string{"NaN": nan, "Infinity": infinity, "-Infinity": "-" + infinity})
	if !gjson.ValidBytes(finite) {
		return Document{}, false
	}
	return Document{gjson.ParseBytes(finite), strings.NewReplacer(nan, "NaN", infinity, "Infinity")}, true
}

// Written is a part of the document as it was written.
func (d Document) Written(raw string) string {
	if d.places == nil {
		return raw
	}
	return d.places.Replace(raw)
}

// replaceValues replaces words that stand where JSON has values.
func replaceValues(doc []byte, words map[string]string) []byte {
	out := make([]byte, 0, len(doc)+64)
	quoted, escaped := false, false
next:
	for i := 0; i < len(doc); i++ {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = doc[i] == '\\', doc[i] != '"'
		case doc[i] == '"':
			quoted = true
		case i == 0 || strings.IndexByte(" \t\r\n[:,", doc[i-1]) >= 0:
			for word, by := range words {
				rest, found := bytes.CutPrefix(doc[i:], []byte(word))
				if found && (len(rest) == 0 || strings.IndexByte(" \t\r\n]},", rest[0]) >= 0) {
					out = append(out, by...)
					i += len(word) - 1
					continue next
				}
			}
		}
		out = append(out, doc[i])
	}
	return out
}

// document is the whole output, or its last line. Not both can be a document unless
// they are the same: one that spans lines ends with a bracket that was opened on an
// earlier line.
func document(out []byte, cut bool) (Document, error) {
	last, found := lastLine(out, cut)
	if last.cut || !found && cut {
		return Document{}, ErrCut
	}
	if !found {
		return Document{}, errEmpty
	}
	doc, ok := ParseJSON(last.text)
	if !ok && cut {
		return Document{}, ErrCut
	}
	if !ok {
		if doc, ok = ParseJSON(whole(out)); !ok {
			return Document{}, fmt.Errorf("neither the whole nor the last line, %s, is JSON", quote(string(last.text)))
		}
	}
	return doc, nil
}

func (x Extraction) inDocument(out []byte, cut bool) (string, error) {
	doc, err := document(out, cut)
	if err != nil {
		return "", err
	}
	r, err := follow(doc.Result, x.path)
	switch {
	case err != nil:
		return "", err
	case !r.Exists():
		return "", fmt.Errorf("there is nothing at %q", x.path)
	case r.Type != gjson.Number:
		return "", fmt.Errorf("at %q is %s, not a number", x.path, quote(doc.Written(r.Raw)))
	}
	return doc.Written(r.Raw), nil
}

// follow goes down a path. A key that an object has twice is an error: which of
// the two counts is another one for each reader of JSON.
func follow(r gjson.Result, path string) (gjson.Result, error) {
	for more := true; more; {
		var key string
		key, path, more = cutKey(path)
		found, times := gjson.Result{}, 0
		if r.IsArray() {
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && key == strconv.Itoa(i) {
				if list := r.Array(); i < len(list) {
					found = list[i]
				}
			}
		} else if r.IsObject() {
			r.ForEach(func(k, v gjson.Result) bool {
				if k.String() == key {
					found = v
					times++
				}
				return true
			})
		}
		if times > 1 {
			return found, fmt.Errorf("the key %q is there %d times", key, times)
		}
		r = found
	}
	return r, nil
}

// cutKey takes the first key off a path; a backslash stands before a character
// that means itself.
func cutKey(path string) (key, rest string, more bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			b.WriteByte(path[i])
		case path[i] == '.':
			return b.String(), path[i+1:], true
		default:
			b.WriteByte(path[i])
		}
	}
	return b.String(), "", false
}
