package number

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/kballard/go-shellquote"
	"github.com/tidwall/gjson"
)

// mostPaths is how many paths a hint shows.
const mostPaths = 5

// hint says which --extract, as a shell takes it, finds a number where there was none.
func (x Extraction) hint(out []byte, cut bool) string {
	if x.kind == "regex" {
		return ""
	}
	if doc, err := document(out, cut); err == nil && (doc.IsObject() || doc.IsArray()) {
		return x.pathsHint(doc)
	}
	// R's print puts an index before what it shows.
	const pattern = `regex:^\[1\] (.*)`
	if last, ok := lastLine(out, cut); ok && printedByR.Match(last.text) && x.finds(string(last.text[len("[1] "):])) {
		return "cat() in the place of R's print(), or --extract " + shellquote.Join(pattern)
	}
	return ""
}

var printedByR = regexp.MustCompile(`^\[1\] `)

// finds reports whether a text is a number that is accepted.
func (x Extraction) finds(text string) bool {
	_, _, err := Parse(text, x.nonfinite)
	return err == nil
}

// pathsHint names the paths to the numbers of a document, those first that end as the
// one that was asked for.
func (x Extraction) pathsHint(doc Document) string {
	all := numberPaths(nil, doc.Result, "", 0)
	if asked := x.path; asked != "" {
		last := asked[strings.LastIndexByte(asked, '.')+1:]
		var alike, others []string
		for _, p := range all {
			if p == last || strings.HasSuffix(p, "."+last) || strings.HasPrefix(p, asked+".") {
				alike = append(alike, p)
			} else {
				others = append(others, p)
			}
		}
		all = append(alike, others...)
	}
	var shown []string
	for len(all) > 0 && len(shown) < mostPaths {
		// A key that is there twice leads nowhere.
		if r, err := follow(doc.Result, all[0]); err == nil && x.finds(doc.Written(r.Raw)) {
			shown = append(shown, "--extract "+shellquote.Join("json:"+all[0]))
		}
		all = all[1:]
	}
	hint := strings.Join(shown, " or ")
	if len(all) > 0 && hint != "" {
		hint += " (and " + strconv.Itoa(len(all)) + " more)"
	}
	return hint
}

const (
	deepest  = 32   // levels that a path goes down
	longest  = 100  // bytes of a path
	mostSeen = 1000 // paths that are looked for
)

// numberPaths appends the paths to the numbers below a value, in their order.
func numberPaths(all []string, r gjson.Result, path string, depth int) []string {
	if r.Type == gjson.Number && path != "" {
		return append(all, path)
	}
	if depth > deepest || !r.IsObject() && !r.IsArray() {
		return all
	}
	i := 0
	r.ForEach(func(k, v gjson.Result) bool {
		key := strconv.Itoa(i)
		if i++; r.IsObject() {
			key = k.String()
		}
		if below := joinPath(path, key); len(below) <= longest && !strings.ContainsFunc(key, unseen) {
			all = numberPaths(all, v, below, depth+1)
		}
		return len(all) < mostSeen
	})
	return all
}

// unseen reports whether a message shows a character as another.
func unseen(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// joinPath is the path of a key below another path, as cutKey takes it apart.
func joinPath(path, key string) string {
	var b strings.Builder
	for i := range len(key) {
		if strings.IndexByte(`.\`+pathSigns, key[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(key[i])
	}
	if path == "" {
		return b.String()
	}
	return path + "." + b.String()
}
