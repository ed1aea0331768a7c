package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/config"
)

// matchesNone is why a rule has no say that is for nothing in a call.
const matchesNone = "matches no argument"

// idleRule is a rule that had no say in a call, or less than its user may think.
type idleRule struct {
	rule string // "ignore job-id"
	why  string
	hint string // the rule that is meant, if it is known
}

// idleUsage is what --verbose means to commands of many calls.
const idleUsage = "say on stderr which rules had no say"

// idleTeller tells of the rules that had no say in the first of many calls, if that is
// asked for. A call that is nil is of an answer that was at hand.
func idleTeller(ui *terminal, s *config.Settings) func(*key.Call) {
	told := !s.Verbose
	return func(c *key.Call) {
		if !told && c != nil {
			told = true
			tellIdle(ui, c)
		}
	}
}

// idleRules finds those of a call.
func idleRules(c *key.Call) (idle []idleRule) {
	r, args := c.Spec().Rules, c.Args()[1:]
	add := func(rule, name, why, hint string) { idle = append(idle, idleRule{rule + " " + name, why, hint}) }
	had := func(rule, name string) bool {
		return slices.ContainsFunc(c.Parts, func(p key.Part) bool { return p.Kind == key.PartRule && p.Items[0].Text == rule+" "+name })
	}
	used := func(name string) key.Use { return key.UseOf(args, name) }
	for _, name := range r.Ignore {
		if !had("ignore", name) && used(name).Alone {
			add("ignore", name, "finds no value of the flag", "--ignore-switch "+name)
		} else if !had("ignore", name) {
			add("ignore", name, matchesNone, "")
		}
	}
	for _, n := range r.IgnoreArg {
		if !had("ignore-arg", strconv.Itoa(n)) {
			add("ignore-arg", strconv.Itoa(n), matchesNone, "")
		}
	}
	for _, name := range r.IgnoreSwitch {
		if used(name).Alone {
			continue
		}
		if used(name).Assigned {
			add("ignore-switch", name, "finds a flag with a value", "--ignore "+name)
		} else {
			add("ignore-switch", name, matchesNone, "")
		}
	}
	for _, given := range r.Unordered {
		name, list := strings.CutSuffix(given, "...")
		use := used(name)
		one := len(use.Values) > 0 && strings.Contains(use.Values[0], ",")
		switch {
		case !list && len(use.Values) > 1 && !one:
			add("unordered", given, fmt.Sprintf("covers %s alone, of %d values", use.Values[0], len(use.Values)), "--unordered "+name+"...")
		case list && len(use.Values) == 1 && one:
			add("unordered", given, "takes the list for one value", "--unordered "+name)
		case had("unordered", given):
		case list && use.Assigned:
			add("unordered", given, "finds the flag with one value", "--unordered "+name)
		case len(use.Values) > 0 || use.Assigned:
			add("unordered", given, "leaves the value in its order: more than commas may separate it", "")
		default:
			add("unordered", given, matchesNone, "")
		}
	}
	for _, given := range r.UnorderedArg {
		place, list := strings.CutSuffix(given, "...")
		n, _ := strconv.Atoi(place)
		there := n <= len(args) && !endsList(args[n-1])
		switch {
		case there && !list && n < len(args) && !endsList(args[n]) && !strings.Contains(args[n-1], ","):
			add("unordered-arg", given, "covers "+args[n-1]+" alone", "--unordered-arg "+place+"...")
		case had("unordered-arg", given):
		case there:
			add("unordered-arg", given, "leaves the argument in its order: more than commas may separate it", "")
		default:
			add("unordered-arg", given, matchesNone, "")
		}
	}
	const noFile = "finds no file"
	for _, name := range r.ByContent {
		use := used(name)
		switch {
		case had("by-content", name):
		case len(use.Values) > 0 || use.Assigned:
			add("by-content", name, noFile, "")
		default:
			add("by-content", name, matchesNone, "")
		}
	}
	for _, n := range r.ByContentArg {
		if place := strconv.Itoa(n); !had("by-content-arg", place) {
			add("by-content-arg", place, noFile, "")
		}
	}
	for _, p := range c.Parts {
		if p.Kind == key.PartEnvironment && p.Form == key.FormUnset {
			add("env", p.Name, "finds no such variable", "")
		}
	}
	return idle
}

// endsList reports whether no list of arguments goes beyond this one.
func endsList(arg string) bool { return arg == "--" || key.IsFlag(arg) }

// anewTeller tells, of the first of many calls that are evaluated though numbers of them
// are stored, why these don't answer: it may be all of them, and take long.
func anewTeller(ui *terminal) func(*inputs.Mismatch) {
	told := false
	return func(m *inputs.Mismatch) {
		if !told && m != nil {
			told = true
			ui.message(m.String()+": what was evaluated before is evaluated again", "")
		}
	}
}
