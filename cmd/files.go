package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/maruel/natural"

	"dvlcache/cache/inputs"
	"dvlcache/config"
	"dvlcache/exec"
)

// elsewhere are programs that start others where nobody watches.
var elsewhere = []string{"srun", "ssh", "docker", "podman", "flux", "kubectl"}

// inputsNotes are rows that say what a set of inputs holds, and what of the evaluation
// the number may hang on that is none of them.
func inputsNotes(set inputs.Set, p *inputs.Places) (rows [][2]string) {
	counts := map[inputs.Kind]int{}
	var state, network, started []string
	for o := range set.All() {
		counts[o.Kind]++
		switch o.Kind {
		case inputs.State:
			state = append(state, p.Show(o))
		case inputs.Connection:
			network = append(network, o.Name)
		case inputs.Contents:
			if name := filepath.Base(o.Name); o.Executable && slices.Contains(elsewhere, name) {
				started = append(started, name)
			}
		}
	}
	what := fmt.Sprintf("%s, %s, %s looked for in vain", plural(counts[inputs.Contents]+counts[inputs.Stat], "file"),
		plural(counts[inputs.Folder]+counts[inputs.Listing], "folder"), plural(counts[inputs.Absent], "name"))
	rows = append(rows, [2]string{"inputs", what})
	for _, note := range []struct {
		what  string
		names []string
		why   string
	}{
		{"state", state, "it reads and changes that, and the number may hang on it"},
		{"network", network, "what comes from there doesn't count"},
		{"elsewhere", started, "what that starts elsewhere isn't seen"},
	} {
		if slices.SortFunc(note.names, natural.Compare); len(note.names) > 0 {
			rows = append(rows, [2]string{note.what, strings.Join(note.names, ", ") + "  " + note.why})
		}
	}
	return rows
}

// filesText lists a set of inputs, the system's apart.
func filesText(set inputs.Set, p *inputs.Places) string {
	var own, system []inputs.Observation
	for o := range set.All() {
		if p.Own(o) {
			own = append(own, o)
		} else {
			system = append(system, o)
		}
	}
	for _, list := range [][]inputs.Observation{own, system} {
		slices.SortStableFunc(list, func(a, b inputs.Observation) int { return natural.Compare(p.Show(a), p.Show(b)) })
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, group := range []struct {
		title string
		list  []inputs.Observation
	}{{"files of the experiment", own}, {"files of the system", system}} {
		fmt.Fprintf(w, "%s (%d)\n", group.title, len(group.list))
		for _, o := range group.list {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", oneLine(p.Show(o)), useOf(o), oneLine(o.By))
		}
		w.Flush()
	}
	return trimRight(b.String())
}

// useOf says what of an observation counts.
func useOf(o inputs.Observation) string {
	switch o.Kind {
	case inputs.Contents:
		return "contents"
	case inputs.Stat:
		return "size and time"
	case inputs.Folder:
		return "is a folder"
	case inputs.Listing:
		return "names in it"
	case inputs.Link:
		return oneLine("leads to " + o.Target)
	case inputs.Absent:
		return "is not there"
	case inputs.Search:
		if o.Target == "" {
			return "not found on PATH"
		}
		return oneLine("found on PATH as " + o.Target)
	case inputs.State:
		return "read and changed"
	case inputs.Untracked:
		return "left out by --untracked"
	case inputs.Place:
		return oneLine("is " + o.Target)
	}
	return "connected to"
}

// depfile is a rule for make: the target, and all files that are there and count.
func depfile(target string, set inputs.Set, p *inputs.Places) string {
	escape := strings.NewReplacer(`\`, `\\`, " ", `\ `, "#", `\#`, "$", "$$", ":", `\:`)
	var names []string
	for o := range set.All() {
		if o.Kind != inputs.Contents && o.Kind != inputs.Stat {
			continue
		}
		// Make has no way to write a line break in a name.
		if path, ok := p.Path(o); ok && !strings.ContainsAny(path, "\n\r") {
			names = append(names, escape.Replace(p.Relative(path)))
		}
	}
	rule := escape.Replace(target) + ":"
	for _, name := range names {
		rule += " \\\n  " + name
	}
	rule += "\n"
	for _, name := range names { // a file that is gone is no error for make
		rule += "\n" + name + ":\n"
	}
	return rule
}

// writeDepfile writes the depfile of an answer. Its target is the file that the result
// is written to, or else the depfile without its ending.
func writeDepfile(ui *terminal, s *config.Settings, q exec.Query, a *exec.Answer, name, output string) error {
	set := a.Inputs()
	if set == nil {
		ui.message("nobody watched what "+q.Args[0]+" reads, so "+name+" is not written", "")
		return nil
	}
	places, err := placesOf(s, q.Paths)
	if err != nil {
		return err
	}
	target := output
	if target == "" {
		target = strings.TrimSuffix(name, filepath.Ext(name))
	}
	return writeResult(depfile(target, *set, &places), name)
}

// explainInputs says, for --verbose, what the number hangs on besides its key.
func explainInputs(ui *terminal, s *config.Settings, q exec.Query, a *exec.Answer) {
	if a.Unwatched != nil {
		ui.message("not watched: "+a.Unwatched.Error(), "")
	}
	set := a.Inputs()
	if set == nil {
		return
	}
	if places, err := placesOf(s, q.Paths); err == nil {
		for _, note := range inputsNotes(*set, &places) {
			ui.message(note[0]+": "+note[1], "")
		}
	}
}
