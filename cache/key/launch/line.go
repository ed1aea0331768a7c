package launch

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/internal/files"
)

// Line is what a script's #! line starts.
type Line struct {
	Interpreter string   // as the kernel takes it: a path, be it without a slash; "": no script
	Words       []string // what follows it
	Expanded    []string // arguments that env makes of a text with variables in it
	Err         error    // it can't be told
}

// lineLength is as much of a #! line as the kernel reads.
const lineLength = 256

var (
	errLongLine = errors.New("its #! line is longer than the system reads, and what it starts can't be told")
	errSplit    = errors.New("how env splits the text behind -S can't be told")
	errChdir    = errors.New("its #! line goes to another folder, and what it starts there can't be told")
)

// Line reads the #! line of a regular file.
func (f *Finder) Line(script string) *Line {
	l := f.lines[script]
	if l == nil {
		l = &Line{}
		f.lines[script] = l
		var split []string
		l.Interpreter, l.Words, split, l.Err = readLine(script)
		if slices.ContainsFunc(l.Words, func(w string) bool { return strings.Contains(w, "${") }) {
			l.Expanded = slices.DeleteFunc(slices.Clone(split), func(w string) bool { return !strings.HasPrefix(w, "-") && strings.Contains(w, "=") })
		}
	}
	return l
}

func readLine(script string) (interpreter string, words, split []string, err error) {
	f, err := files.OpenRegular(script, os.O_RDONLY, 0)
	if err != nil {
		return "", nil, nil, err
	}
	defer f.Close()
	var head [lineLength]byte
	n, _ := f.Read(head[:])
	text, ok := bytes.CutPrefix(head[:n], []byte("#!"))
	if !ok {
		return "", nil, nil, nil
	}
	text, _, ended := bytes.Cut(text, []byte("\n"))
	if !ended && n == len(head) {
		return "", nil, nil, errLongLine
	}
	// Blanks and tabs separate, nothing else; a NUL ends.
	text, _, _ = bytes.Cut(text, []byte{0})
	rest := strings.Trim(string(text), " \t")
	at := strings.IndexAny(rest, " \t")
	if at < 0 {
		at = len(rest)
	}
	interpreter, arg := rest[:at], strings.TrimLeft(rest[at:], " \t")
	if interpreter == "" {
		return "/bin/sh", nil, nil, nil // as execvp(3) has it
	}
	if arg == "" {
		return interpreter, nil, nil, nil
	}
	// Linux hands on one argument, other systems several.
	words = []string{arg}
	if fields := strings.Fields(arg); len(fields) > 1 {
		words = append(words, fields...)
	}
	split, err = SplitStrings(interpreter, []string{arg})
	words = append(words, split...)
	if err == nil && (changesFolder(interpreter, split) || changesFolder(interpreter, words)) {
		err = errChdir
	}
	return interpreter, words, split, err
}

// changesFolder reports whether env gets an option that takes it to another folder.
func changesFolder(program string, args []string) bool {
	env := filepath.Base(program) == "env"
	for i, arg := range args {
		switch {
		case i > 0 && env && takesValue(args[i-1]):
		case env && (strings.HasPrefix(arg, "--c") || lastOption(arg) == 'C'):
			return true
		case !strings.HasPrefix(arg, "-") && !strings.Contains(arg, "="):
			env = filepath.Base(arg) == "env"
		}
	}
	return false
}

// takesValue reports whether the word after this option of env belongs to it.
func takesValue(option string) bool {
	switch option {
	case "--unset", "--chdir", "--argv0":
		return true
	}
	last := lastOption(option)
	return last != 0 && last != 'S' && option[len(option)-1] == last
}

// lastOption is, of options of env in one word, the letter that takes the rest of it
// or the next word, or 0.
func lastOption(word string) byte {
	i := strings.IndexAny(word, "uCaPS")
	if i < 0 || !strings.HasPrefix(word, "-") || strings.HasPrefix(word, "--") {
		return 0
	}
	return word[i]
}

// SplitStrings returns the words that env makes of the texts behind its option -S.
func SplitStrings(program string, args []string) (words []string, err error) {
	env := filepath.Base(program) == "env"
	for i, arg := range args {
		text, ok := "", false
		if env {
			text, ok = stringToSplit(arg)
		}
		if ok && text == "" && i+1 < len(args) {
			text = args[i+1]
		}
		env = env || filepath.Base(arg) == "env"
		if !ok {
			continue
		}
		split, err := splitString(text)
		if err != nil {
			return nil, err
		}
		more, err := SplitStrings("env", split)
		if err != nil {
			return nil, err
		}
		words = append(append(words, split...), more...)
	}
	return words, nil
}

// stringToSplit is what is glued to env's option -S, if an argument is that.
func stringToSplit(arg string) (text string, ok bool) {
	if name, text, _ := strings.Cut(arg, "="); strings.HasPrefix(name, "--s") && strings.HasPrefix("--split-string", name) {
		return text, true
	}
	if !strings.HasPrefix(arg, "-") {
		return "", false
	}
	return strings.CutPrefix(strings.TrimLeft(arg[1:], "iv0"), "S")
}

// splitString splits a text as env -S does.
func splitString(text string) (words []string, err error) {
	var word strings.Builder
	inside := false // of a word
	quote := byte(0)
	end := func() {
		if inside {
			words = append(words, word.String())
			word.Reset()
			inside = false
		}
	}
	put := func(c byte) {
		word.WriteByte(c)
		inside = true
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
			end()
		case (c == '\'' || c == '"') && (quote == 0 || quote == c):
			quote ^= c
			inside = true
		case quote == 0 && c == '#' && !inside:
			return words, nil
		case c == '\\':
			if i++; i == len(text) {
				return nil, errSplit
			}
			e := text[i]
			at := strings.IndexByte("fnrtv", e)
			switch {
			case quote == '\'' && e != '\\' && e != '\'':
				put('\\')
				put(e)
			case e == '"' || e == '#' || e == '$' || e == '\'' || e == '\\':
				put(e)
			case e == '_' && quote == 0:
				end()
			case e == '_':
				put(' ')
			case e == 'c' && quote == 0:
				end()
				return words, nil
			case at >= 0:
				put("\f\n\r\t\v"[at])
			default:
				return nil, errSplit
			}
		case c == '$' && quote != '\'':
			name, _, ok := strings.Cut(text[i+1:], "}")
			name, brace := strings.CutPrefix(name, "{")
			if !ok || !brace || name == "" {
				return nil, errSplit
			}
			if value, ok := os.LookupEnv(name); ok {
				word.WriteString(value)
				inside = true
			}
			i += len("{}") + len(name)
		default:
			put(c)
		}
	}
	if quote != 0 {
		return nil, errSplit
	}
	end()
	return words, nil
}
