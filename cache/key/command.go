package key

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/internal/wire"
	"dvlcache/cache/key/launch"
)

// Command is how a call was made: what explains its key, and what is needed to
// make it again.
type Command struct {
	// Args are COMMAND and its arguments, as they were written. They are
	// nil, and the texts of Parts that come from them or from variables are
	// digests, where they are not recorded.
	Args []string
	// Files are those which are made for an evaluation; nil where Args are.
	Files []File
	Dir   string // the working directory
	// Paths, TrackArgs and DependsOn are those of the CallSpec; its rules
	// and variables are among the parts.
	Paths     Paths
	TrackArgs bool
	DependsOn []string
	// Parts are what the key was made of. Of digests the first 8 bytes are
	// kept.
	Parts []Part
	// TooLong is, in the place of arguments that would make a record too long, what is
	// kept of them; else nil.
	TooLong *TooLong
	// Foreign says that it did not come from a call made here, but with a
	// file that was imported. It is somebody's code.
	Foreign bool
}

// TooLong is what is kept of arguments that are too long to be kept.
type TooLong struct {
	Args  int    // their number, without COMMAND itself
	Bytes int    // of all of them
	Sum   Digest // the first 8 bytes of one over them
}

// ShortDigest is how much of a digest a record keeps: enough to tell that
// contents differ. Whether a call is the same, its key says.
const ShortDigest = 8

// Command describes the call; without its arguments and the values of variables,
// which may be secret, unless record is set.
func (c *Call) Command(record bool) *Command {
	cmd := &Command{Dir: c.dir, Paths: c.spec.Paths, TrackArgs: c.spec.TrackArgs, DependsOn: c.spec.DependsOn, Parts: c.Parts}
	if record {
		cmd.Args, cmd.Files = c.args, c.made
	} else {
		cmd.Parts = Hidden(c.Parts)
	}
	return cmd
}

// Of many hidden arguments some are one part, so that their digests don't make a record
// larger than the arguments would.
const (
	manyValues  = 16 // of one flag are one
	manyHidden  = 64 // or more are one from …
	firstHidden = 32 // … this one on
)

// Hidden puts digests in the place of what may be secret.
func Hidden(parts []Part) []Part {
	hidden := make([]Part, 0, min(len(parts), 2*manyHidden))
	first, end := 0, 0 // of the arguments, which stand together
	for len(parts) > 0 {
		n := 1
		switch p := &parts[0]; {
		case p.Kind == PartArgument:
			for n < len(parts) && parts[n].Kind == PartArgument && parts[n].Flag == p.Flag {
				n++
			}
			if n <= manyValues {
				n = 1
			}
			if end == 0 {
				first = len(hidden)
			}
			hidden = append(hidden, hide(parts[:n]))
			end = len(hidden)
		case p.Kind == PartEnvironment, p.Style == styleExpanded:
			hidden = append(hidden, hide(parts[:n]))
		default:
			hidden = append(hidden, *p)
		}
		parts = parts[n:]
	}
	if first += firstHidden; end >= first-firstHidden+manyHidden {
		rest := hide(hidden[first:end])
		rest.Flag, rest.Hint = "", "" // they are of several
		hidden = slices.Replace(hidden, first, end, rest)
	}
	return hidden
}

// hide puts one digest in the place of some parts.
func hide(parts []Part) Part {
	p := &parts[0]
	h := Part{Kind: p.Kind, Form: p.Form, Flag: p.Flag, Hint: p.Hint, Place: p.Place}
	if p.Kind == PartEnvironment {
		h.Name = p.Name
	}
	sum := sha256.New()
	var b []byte
	for i := range parts {
		b = parts[i].encode(b[:0])
		sum.Write(b)
	}
	text := "#" + hex.EncodeToString(sum.Sum(nil)[:ShortDigest])
	if len(parts) > 1 {
		h.Form, h.Hint = FormKept, "" // they may be the subset
		text += fmt.Sprintf(" (%d arguments)", len(parts))
	}
	h.Items = []Item{{Text: text}}
	return h
}

// summed is the command with a sum in the place of its arguments.
func (c *Command) summed() *Command {
	s := *c
	s.TooLong = &TooLong{Args: max(len(c.Args)-1, 0)}
	sum := sha256.New()
	for _, arg := range c.Args {
		s.TooLong.Bytes += len(arg)
		sum.Write(wire.AppendBytes(nil, arg))
	}
	copy(s.TooLong.Sum[:], sum.Sum(nil)[:ShortDigest])
	s.Args, s.Files, s.Parts = nil, nil, Hidden(c.Parts)
	return &s
}

// Rules are the rules that had a say.
func (c *Command) Rules() (r Rules) {
	for _, p := range c.Parts {
		if p.Kind != PartRule {
			continue
		}
		rule, name, _ := strings.Cut(p.Items[0].Text, " ")
		r = r.And(RuleOf(rule, name))
	}
	return r
}

// RuleOf is one rule by the name of its flag.
func RuleOf(rule, name string) (r Rules) {
	switch rule {
	case "ignore":
		r.Ignore = []string{name}
	case "ignore-arg":
		n, _ := strconv.Atoi(name)
		r.IgnoreArg = []int{n}
	case "ignore-switch":
		r.IgnoreSwitch = []string{name}
	case "unordered":
		r.Unordered = []string{name}
	case "unordered-arg":
		r.UnorderedArg = []string{name}
	case "by-content":
		r.ByContent = []string{name}
	case "by-content-arg":
		n, _ := strconv.Atoi(name)
		r.ByContentArg = []int{n}
	}
	return r
}

// Env returns the variables that count, and their values; nil for one that
// wasn't set.
func (c *Command) Env() map[string]*string {
	env := map[string]*string{}
	for _, p := range c.Parts {
		if p.Kind == PartEnvironment {
			env[p.Name] = nil
			if p.Form != FormUnset {
				env[p.Name] = &p.Items[0].Text
			}
		}
	}
	return env
}

// Stdin reports whether what stdin held counts.
func (c *Command) Stdin() bool {
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.Kind == PartStdin })
}

// Program is the place of the program, as it counts.
func (c *Command) Program() string {
	for _, p := range c.Parts {
		if p.Kind == PartProgram {
			return p.Items[0].Text
		}
	}
	return ""
}

// Of reports whether it is a call of a program of this base name, or of a launcher
// that starts it.
func (c *Command) Of(name string) bool {
	if filepath.Base(c.Program()) == name {
		return true
	}
	return launch.IsLauncher(c.Program()) && len(c.Args) > 0 &&
		slices.ContainsFunc(c.Args[1:], func(arg string) bool { return filepath.Base(arg) == name })
}
