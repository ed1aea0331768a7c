package cmd

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/maruel/natural"
	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/key/difference"
	"dvlcache/config"
	"dvlcache/exec"
)

func newExplain(ui *terminal) *cobra.Command {
	var asJSON, stdin, files bool
	cmd := &cobra.Command{
		Use:   "explain [flags] -- COMMAND [ARG...]",
		Short: "Say what goes into a call's key, and why it hits or would miss",
		Long: `Say whether a call, given with the flags it is run with, would be answered from
the cache, and why: which file that COMMAND read has changed, or in what the call
differs from the nearest one that is stored. Then list what its key is made of, and
what its number hangs on besides. Nothing is run, nothing stored.`,
		Example:               `  dvlcache explain --unordered indices -- ./train.sh --indices 7,4,1 --job-id 17`,
		DisableFlagsInUseLine: true,
		Args:                  commandAfterDash,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, s, _, err := loadQuery(ui, cmd, args)
			if err != nil {
				return err
			}
			if stdin {
				if q.Stdin, err = exec.ReadInput(os.Stdin); err != nil {
					return fmt.Errorf("stdin: %w", err)
				}
				defer q.Stdin.Close()
			}
			o, err := openWith(ui, s, key.ReadDigests)
			if err != nil {
				return err
			}
			defer o.close()
			memo := &exec.Memo{Store: o.store, Digests: o.digests, Warn: ui.warn, Observer: o.observer(s, q, true)}
			if s.NoCache {
				memo.Store = nil
			}
			x, err := memo.Explain(context.Background(), q)
			if err != nil {
				return err
			}
			places, err := placesOf(s, q.Paths)
			if err != nil {
				return err
			}
			if asJSON || s.Format == "json" {
				return writeJSON(explanationJSON(s, x, files, &places))
			}
			text := explanationText(s, q, x, widthOf(os.Stdout), &places)
			if files && x.Inputs != nil {
				text += filesText(*x.Inputs, &places)
			}
			return writeResult(text, "")
		},
	}
	addSettings(cmd, config.KeySettings, config.RunSettings, config.RepeatSettings, config.StoreSettings)
	cmd.Flags().String("output", "", "of run")
	cmd.Flags().String("depfile", "", "of run")
	// What says how a call is run says nothing about its key or its number.
	// (--format json is --json.)
	hide(cmd, "pass-env", "keep-output", "no-record-command", "format", "default", "timeout", "grace", "wait-timeout", "time-threshold",
		"tee", "allow-open-stdout", "verbose", "jobs", "ttl", "strict", "output", "depfile")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&files, "files", false, "list the files that COMMAND was seen to use, the system's apart")
	cmd.Flags().BoolVar(&stdin, "stdin", false, "what stdin holds counts")
	return cmd
}

// partText is a part of a key as a row: what it is, the value, and how it
// counts.
func partText(p *key.Part) (what, value, how string) {
	var texts, notes []string
	digest := func(d *key.Digest) {
		if d != nil {
			notes = append(notes, "contents "+hex.EncodeToString(d[:6]))
		}
	}
	for _, it := range p.Items {
		text := it.Text
		if text == "" {
			text = "''"
		}
		texts = append(texts, text)
		digest(it.Digest)
		switch it.Path {
		case key.PathInProject:
			notes = append(notes, "in the project")
		case key.PathBase:
			notes = append(notes, "wherever it lies")
		}
	}
	if p.Form == key.FormList {
		slices.SortFunc(texts, natural.Compare)
	}
	value = p.Name + strings.Join(texts, " ")
	switch p.Form {
	case key.FormIgnored:
		value = p.Name + p.Hidden
		notes = append(notes, "ignored")
	case key.FormSorted:
		value = p.Name + p.Whole
		notes = append(notes, "unordered")
	case key.FormList:
		notes = append(notes, "unordered")
	case key.FormContents:
		value = p.Name + cmp.Or(p.Hidden, "{file}")
		if notes = append(notes, "whatever it is called"); p.Style != "" {
			notes = append(notes, "its lines unordered")
		}
	case key.FormBoundary:
		value = "(a switch)"
		notes = append(notes, "ignored")
	case key.FormUnset:
		notes = append(notes, "unset")
	}
	switch p.Kind {
	case key.PartProgram:
		what = "program"
	case key.PartInterpreter:
		what = "interpreter"
	case key.PartArgument:
		what = "argument"
	case key.PartDirectory:
		what = "directory"
	case key.PartDependency:
		what = "depends on"
	case key.PartEnvironment:
		what = "variable"
		if p.Form != key.FormUnset {
			value = p.Name + "=" + p.Items[0].Text
		}
	case key.PartDescriptor:
		what = "descriptor"
	case key.PartStdin:
		what, value = "stdin", "-"
	case key.PartRule:
		what, value = "rule", "--"+value
	}
	digest(p.File)
	return what, value, strings.Join(notes, ", ")
}

// mostAligned is how wide a value may be beside which notes are aligned: a list of
// a thousand indices would push them off the screen.
const mostAligned = 44

// explanationText is an explanation for people, on a terminal of a width, or on
// none, where no command is cut.
func explanationText(s *config.Settings, q exec.Query, x exec.Explanation, width int, places *inputs.Places) string {
	var b strings.Builder
	verdict := "miss: "
	if x.Hit {
		verdict = "hit: " + x.Answer.Text + ", "
	}
	b.WriteString(oneLine(verdict+x.Reason) + "\n")
	if x.Hint != "" {
		b.WriteString("hint: " + oneLine(x.Hint) + "\n")
	}
	if x.Call == nil {
		return b.String()
	}
	type line struct{ what, value, how string }
	rows := []line{{"key", x.Call.Key.String(), ""}, {"namespace", s.Namespace, ""}}
	parts := x.Call.Parts
	if width > 0 {
		parts = difference.Gather(parts)
	}
	for i := range parts {
		what, value, how := partText(&parts[i])
		switch list, ok := difference.ListOf(&parts[i]); {
		case ok && width > 0:
			value = list.Brief(width - len("interpreter  ") - 2 - columns(how))
		case parts[i].Form == key.FormKept && len(parts[i].Items) > 1:
			for _, it := range parts[i].Items {
				rows = append(rows, line{what, cmp.Or(it.Text, "''"), how})
			}
			continue
		}
		rows = append(rows, line{what, value, how})
	}
	for _, r := range idleRules(x.Call) {
		rows = append(rows, line{"rule", "--" + r.rule, strings.TrimSuffix(r.why+"; hint: "+r.hint, "; hint: ")})
	}
	if x.Inputs != nil {
		for _, note := range inputsNotes(*x.Inputs, places) {
			rows = append(rows, line{note[0], note[1], ""})
		}
	} else if x.Entry != nil && q.Reads != exec.ReadsOff {
		rows = append(rows, line{"inputs", "nobody watched what it reads", ""})
	}
	rows = append(rows, line{"extraction", q.Extraction.String(), "each has its own numbers in an entry"})
	notes := 0
	for _, r := range rows {
		notes = max(notes, columns(r.how))
	}
	most, aligned := mostAligned, 0
	if width > 0 {
		most = min(most, width-len("interpreter  ")-2-notes)
	}
	for i := range rows {
		rows[i].value = oneLine(rows[i].value)
		if n := columns(rows[i].value); rows[i].how != "" && n <= most {
			aligned = max(aligned, n)
		}
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s  %s\n", r.what, pad(r.value, aligned), r.how)
	}
	w.Flush()
	for _, near := range x.Near {
		command := commandOf("", near.Entry)
		text := command.text
		if width > 0 {
			text = command.fit(width - len("near 0123456789ab  "))
		}
		fmt.Fprintf(&b, "near %.12s  %s\n", near.ID.Key, text)
		for _, d := range near.Differences {
			line := "  " + d.String()
			if d.Hint != "" {
				line += "  (" + d.Hint + ")"
			}
			b.WriteString(oneLine(line) + "\n")
		}
	}
	return trimRight(b.String())
}

// trimRight takes the blanks off the ends of lines, which a table leaves.
func trimRight(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func explanationJSON(s *config.Settings, x exec.Explanation, files bool, places *inputs.Places) any {
	type part struct {
		What  string `json:"what"`
		Value string `json:"value"`
		How   string `json:"how,omitempty"`
	}
	type file struct {
		Name string `json:"name"`
		Use  string `json:"use"`
		By   string `json:"by,omitempty"`
		Own  bool   `json:"own"`
	}
	type near struct {
		Key         string                  `json:"key"`
		Namespace   string                  `json:"namespace"`
		Command     string                  `json:"command"`
		Differences []difference.Difference `json:"differences"`
	}
	out := struct {
		Hit       bool   `json:"hit"`
		Value     any    `json:"value"`
		Reason    string `json:"reason"`
		Hint      string `json:"hint,omitempty"`
		Key       string `json:"key,omitempty"`
		Namespace string `json:"namespace"`
		Program   string `json:"program"`
		Parts     []part `json:"parts"`
		Near      []near `json:"near"`
		Files     []file `json:"files,omitempty"`
	}{Hit: x.Hit, Reason: x.Reason, Hint: x.Hint, Namespace: s.Namespace, Program: x.Program, Parts: []part{}, Near: []near{}}
	if x.Hit {
		out.Value = jsonText(x.Answer.Text, x.Answer.Mean)
	}
	if x.Call != nil {
		out.Key = x.Call.Key.String()
		for i := range x.Call.Parts {
			what, value, how := partText(&x.Call.Parts[i])
			out.Parts = append(out.Parts, part{what, value, how})
		}
	}
	if files && x.Inputs != nil {
		for o := range x.Inputs.All() {
			out.Files = append(out.Files, file{places.Show(o), useOf(o), o.By, places.Own(o)})
		}
	}
	for _, n := range x.Near {
		out.Near = append(out.Near, near{n.ID.Key.String(), n.ID.Namespace, entryCommand(n.Entry), n.Differences})
	}
	return out
}

// writeJSON prints one JSON object.
func writeJSON(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("the result can't be encoded: %w", err)
	}
	return writeResult(string(cache.EscapeControls(line))+"\n", "")
}
