package cmd

import "strings"

// csvCell is a text in a CSV that a spreadsheet doesn't run, as it does what begins
// with one of these signs: an apostrophe before it makes it a text. Numbers stay as
// they are, and what is made of them, as a subset -1,4.
func csvCell(text string) string {
	runs := strings.TrimLeft(text, " \t\r\n")
	switch {
	case runs == "" || strings.IndexByte("=+-@", runs[0]) < 0,
		runs[0] != '=' && runs[0] != '@' && strings.Trim(runs, "0123456789.,;:eE+- ") == "":
		return text
	}
	return "'" + text
}
