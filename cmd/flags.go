package cmd

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/key"
	"dvlcache/cache/key/recorded"
)

// call is how an entry was called, for who groups entries by it: in a CSV each flag has
// a column of its own, in JSON a field of flags, so that what flattens the latter
// (pandas' json_normalize, jsonlite's flatten) gives the names of the former.
type call struct {
	Program   string            `json:"program"`
	Digest    string            `json:"program_digest"`
	Flags     map[string]string `json:"flags"` // null: not recorded
	Arguments string            `json:"arguments"`
}

// flagColumn begins the name of a flag's column, so that no flag has that of another
// column.
const flagColumn = "flags."

// callOf takes a command apart; nil is one that isn't recorded. Of a flag with several
// values these are separated by blanks, and true is that of a flag without.
func callOf(c *key.Command) (of call) {
	if c == nil {
		return of
	}
	name, digest, at := recorded.Utility(c)
	of.Program = name
	if digest != nil {
		// With a name, or one of digits alone would be read as a number.
		of.Digest = "sha256:" + hex.EncodeToString(digest[:key.ShortDigest])
	}
	if c.Args == nil {
		return of
	}
	of.Flags = map[string]string{}
	var words []string
	all, held := withFiles(c)
	for _, args := range [][]string{all[1:max(at, 1)], all[at+1:]} { // the launcher's, and the program's
		flags, rest := key.Flags(args)
		for _, f := range flags {
			value := "true"
			if f.Values != nil {
				value = held.Replace(strings.Join(f.Values, " "))
			}
			if before, ok := of.Flags[f.Name]; ok {
				value = before + " " + value
			}
			of.Flags[f.Name] = value
		}
		words = append(words, rest...)
	}
	of.Arguments = held.Replace(strings.Join(words, " "))
	return of
}

// withFiles are the arguments of a command with marks in the place of files that are
// made for an evaluation, and what puts their items there, or a digest of too many:
// {file} would be the same for all subsets.
func withFiles(c *key.Command) (args []string, held *strings.Replacer) {
	args = c.Args
	var marks []string
	for i := range c.Files {
		f := &c.Files[i]
		text, ok := f.Text()
		if text = strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", " "); !ok {
			text = "sha256:" + hex.EncodeToString(f.Digest[:key.ShortDigest])
		}
		mark := "\x00" + strconv.Itoa(i) + "\x00" // no argument holds a NUL
		if marks == nil {
			args = slices.Clone(args)
		}
		args[f.Arg] = args[f.Arg][:f.At] + mark
		marks = append(marks, mark, text)
	}
	return args, strings.NewReplacer(marks...)
}

// mostFlags is how many flags have a column.
const mostFlags = 1000

// flagColumns are the columns of a CSV for flags: those of all entries, in the order of
// their names.
type flagColumns struct {
	names map[string]bool
	order []string
	more  bool // some have none: there were too many, or they came later
}

func (f *flagColumns) collect(c *key.Command) {
	for name := range callOf(c).Flags {
		if !f.names[name] && len(f.names) == mostFlags {
			f.more = true
		} else if !f.names[name] {
			f.names[name] = true
		}
	}
}

// head are the names of the columns. Nothing can be collected after it.
func (f *flagColumns) head() []string {
	f.order = slices.Sorted(maps.Keys(f.names))
	names := []string{"program", "program_digest", "arguments"}
	for _, name := range f.order {
		names = append(names, flagColumn+name)
	}
	return names
}

// cells appends the cells of a command to a row.
func (f *flagColumns) cells(row []string, c *key.Command) []string {
	of := callOf(c)
	row = append(row, csvCell(oneLine(of.Program)), of.Digest, csvCell(oneLine(of.Arguments)))
	for _, name := range f.order {
		row = append(row, csvCell(oneLine(of.Flags[name])))
	}
	for name := range of.Flags {
		f.more = f.more || !f.names[name]
	}
	return row
}
