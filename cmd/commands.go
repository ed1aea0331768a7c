package cmd

import (
	"os"
	"slices"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/key/difference"
)

// command is how an entry was called, as it is shown.
type command struct {
	words []difference.Word // nil: it isn't recorded
	text  string            // all of it
	space string            // the namespace: lists of another one are of other points
}

func commandOf(namespace string, e *cache.Entry) command {
	if args := e.Args(); args != nil {
		return command{difference.Words(args), wordsText(args), namespace}
	}
	return command{text: commandText(e.Command())}
}

// rowOf is commandOf for a row among others: a file that is made for an evaluation is shown
// by its items, since {file} would be the same for all subsets.
func rowOf(namespace string, e *cache.Entry) command {
	c := commandOf(namespace, e)
	if !slices.ContainsFunc(c.words, func(w difference.Word) bool { return strings.HasSuffix(w.Text, "{file}") }) {
		return c
	}
	call := e.Command()
	for i := range call.Files {
		text, ok := call.Files[i].Text()
		at := slices.IndexFunc(c.words, func(w difference.Word) bool { return w.Items == nil && w.Text == call.Args[call.Files[i].Arg] })
		if ok && at >= 0 {
			items := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
			c.words[at] = difference.Word{Items: append([]string{}, items...), Before: c.words[at].Text}
		}
	}
	c.text = wordsBrief(c.words, widestRow, nil)
	return c
}

// widestRow is in how many columns a row is shown at most.
const widestRow = 400

// fit shows a command in so many columns: long lists by their size, and the rest cut.
func (c *command) fit(most int) string { return cut(c.brief(most), most) }

// brief is fit, but cuts nothing beside lists.
func (c *command) brief(most int) string {
	if c.words == nil || columns(c.text) <= most {
		return c.text
	}
	return wordsBrief(c.words, most, nil)
}

// shownCommand is an entry's command behind some columns: whole, but for the long lists in
// it where stdout is a terminal.
func shownCommand(e *cache.Entry, behind int) string {
	c := commandOf("", e)
	if width := widthOf(os.Stdout); width > 0 {
		return c.brief(width - behind)
	}
	return c.text
}

const (
	shortestList = 12 // columns in which a list is shown at least
	messageList  = 40 // … and in a message
)

// wordsBrief shows words in so many columns if it can by shortening lists, beside what
// others have in their place.
func wordsBrief(words []difference.Word, most int, beside func(at int) []string) string {
	texts := make([]string, len(words))
	room, lists := most-len(words)+1, 0
	for i, w := range words {
		if w.Items != nil {
			lists++
			continue
		}
		texts[i] = wordsText([]string{w.Text})
		room -= columns(texts[i])
	}
	for i, w := range words {
		if w.Items == nil {
			continue
		}
		each := max(room/lists, min(shortestList, most))
		if beside != nil {
			texts[i] = oneLine(w.BriefBeside(beside(i), each))
		} else {
			texts[i] = oneLine(w.Brief(each))
		}
	}
	return strings.Join(texts, " ")
}

// commandColumn shows the commands of a screenful of rows: what all begin with stands
// above them, and of long lists is said how they differ.
type commandColumn struct {
	rows   []command
	shared int                 // words, of each row …
	before string              // … and what is before the list in the next one
	all    map[string][]string // the items that lists of a name have together
}

// newCommandColumn lays out commands in about so many columns.
func newCommandColumn(rows []command, most int) *commandColumn {
	c := &commandColumn{rows: rows, all: map[string][]string{}}
	if !slices.ContainsFunc(rows, func(r command) bool { return columns(r.text) > most }) {
		return c
	}
	for i := range rows {
		for at, w := range rows[i].words {
			if w.Items != nil {
				name := rows[i].listName(at)
				c.all[name] = difference.Union(c.all[name], w.Items)
			}
		}
	}
	first := rows[0].words
	for len(rows) > 1 && c.shared < len(first)-1 && !slices.ContainsFunc(rows, func(r command) bool {
		return len(r.words) < c.shared+2 || !r.words[c.shared].Same(first[c.shared])
	}) {
		c.shared++
	}
	if c.shared > 0 && c.shared < len(first) {
		if c.before = first[c.shared].Before; slices.ContainsFunc(rows, func(r command) bool { return r.words[c.shared].Before != c.before }) {
			c.before = ""
		}
	}
	if c.shared == 1 && c.before == "" && columns(first[0].Text) < shortestList {
		c.shared = 0 // that is no longer than what would stand for it
	}
	return c
}

// listName tells lists apart: the program, and what stands before the list.
func (c *command) listName(at int) string {
	name := c.space + "\x00" + c.words[0].Text + "\x00" + c.words[at].Before
	if c.words[at].Before == "" && at > 0 {
		name += c.words[at-1].Text
	}
	return name
}

// above is what stands above the rows, or nothing.
func (c *commandColumn) above(width int) string {
	if c.shared == 0 {
		return ""
	}
	const head = "… is "
	text := wordsBrief(c.rows[0].words[:c.shared], width-columns(head), nil)
	if c.before != "" {
		text += " " + oneLine(c.before)
	}
	return head + cut(text, width-columns(head))
}

// text is a row's command in so many columns.
func (c *commandColumn) text(i, most int) string {
	r := &c.rows[i]
	if r.words == nil || c.shared == 0 && columns(r.text) <= most {
		return cut(r.text, most)
	}
	head := ""
	if c.shared > 0 {
		head = "… "
	}
	rest := slices.Clone(r.words[c.shared:])
	rest[0].Before = strings.TrimPrefix(rest[0].Before, c.before)
	return cut(head+wordsBrief(rest, most-columns(head), func(at int) []string { return c.all[r.listName(c.shared+at)] }), most)
}
