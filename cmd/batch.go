package cmd

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/plain"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
)

// batchFlags are the flags that only batch has.
type batchFlags struct {
	input, inputFormat, format, output, progress string
	null, unordered, halt, quiet                 bool
	retries                                      int
}

func newBatch(ui *terminal) *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch [flags] -- COMMAND [ARG|{}...]",
		Short: "Print COMMAND's number for each input line, several at a time",
		Long: `Print COMMAND's number for each input line, several at a time: from the cache,
or by running it. The line takes the place of {} in COMMAND's arguments, or
comes last. Answers come in the order of the lines, each as soon as it is known.
To resume a batch, run it again.`,
		Example: `  dvlcache batch --jobs 4 -- ./train.sh --indices {} <subsets.txt
  dvlcache batch --input-format csv --input runs.csv -- \
    ./train.sh --indices {subset} --k {k}`,
		DisableFlagsInUseLine: true,
		Args:                  commandAfterDash,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			q, s, _, err := loadQuery(ui, cmd, args)
			if err != nil {
				return err
			}
			return runBatch(ui, s, q, f)
		},
	}
	addSettings(cmd, config.KeySettings, without(config.RunSettings, "format"), config.RepeatSettings, config.StoreSettings)
	flags := cmd.Flags()
	flags.Lookup("jobs").Usage = "run N programs at a time"
	flags.Lookup("verbose").Usage = idleUsage
	flags.Lookup("only-cached").Usage = "never run COMMAND; print NA where the number is not there"
	flags.Var(pathFlag{&f.input}, "input", "read lines from `FILE` instead of stdin")
	flags.StringVar(&f.inputFormat, "input-format", "lines", "`FORMAT`: lines, null, tsv or csv (with a header), json (an object a line); {NAME} is a field's value")
	flags.BoolVar(&f.null, "null", false, "lines end with a NUL byte, as of find -print0")
	flags.StringVar(&f.format, "format", "tsv", "print `tsv|csv|json`: input and value, or more")
	flags.Var(pathFlag{&f.output}, "output", "write the results to `FILE` instead of stdout, whole or not at all")
	flags.BoolVar(&f.unordered, "unordered-output", false, "print answers as they come, not in the order of lines")
	flags.BoolVar(&f.halt, "halt", false, "start nothing more after a failure")
	flags.IntVar(&f.retries, "retries", 0, "try a line that fails again, `N` times at most")
	flags.StringVar(&f.progress, "progress", "auto", "`auto|plain|none`: on a terminal, a line every 10 s, or not")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	for _, choice := range f.choices() {
		complete(cmd, choice.flag, choice.of...)
	}
	return cmd
}

// choice is a flag whose value is one of few.
type choice struct {
	flag, value string
	of          []string
}

func (c *choice) check() error {
	if slices.Contains(c.of, c.value) {
		return nil
	}
	return usage(fmt.Errorf("--%s: %q is none of %s", c.flag, c.value, strings.Join(c.of, ", ")), "")
}

func (f *batchFlags) choices() []choice {
	return []choice{
		{"input-format", f.inputFormat, []string{"lines", "null", "tsv", "csv", "json"}},
		{"format", f.format, []string{"tsv", "csv", "json"}},
		{"progress", f.progress, []string{"auto", "plain", "none"}},
	}
}

func (f *batchFlags) check() error {
	for _, choice := range f.choices() {
		if err := choice.check(); err != nil {
			return err
		}
	}
	if f.null {
		if f.inputFormat != "lines" && f.inputFormat != "null" {
			return usage(fmt.Errorf("--null is for lines, and --input-format is %s", f.inputFormat), "leave one of them out")
		}
		f.inputFormat = "null"
	}
	if f.retries < 0 {
		return usage(fmt.Errorf("--retries: %d is less than none", f.retries), "")
	}
	return nil
}

// inOne reports whether COMMAND gets a line or a subset in one argument: in the place of
// {}, or as the last one.
func inOne(args []string) bool {
	return slices.Contains(args, "{}") || !slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "{") })
}

// isWrongUsage reports whether a program ended with the status by which most say that they
// don't understand their arguments.
func isWrongUsage(err error) bool {
	var exit *process.ExitError
	return errors.As(err, &exit) && exit.Status == 2
}

// failedLines says that a batch is through and that lines have failed.
type failedLines struct {
	failed, of int64
	hint       string // the first of those of the lines
}

func (e *failedLines) Error() string { return fmt.Sprintf("%d of %d lines failed", e.failed, e.of) }

func runBatch(ui *terminal, s *config.Settings, q exec.Query, f batchFlags) (err error) {
	var in io.Reader = os.Stdin
	if f.input != "" {
		file, err := os.Open(f.input)
		if err != nil {
			return usage(fmt.Errorf("--input %s: %w", f.input, plain.Error(err)), "")
		}
		defer file.Close()
		in = file
	}
	lines, err := newLineReader(f.inputFormat, in, q.Args, q.Rules)
	if err != nil {
		return err
	}
	lines.check = sameRules(s, q.Args)
	if unused := lines.template.Unused(); len(unused) > 0 {
		ui.message(fmt.Sprintf("%s is handed on as it is: lines have no fields", unused[0]), unusedHint)
	}
	made := &placeholder.Folder{}
	defer made.Close()
	var out io.Writer
	finish := func(bool) error { return nil }
	debug.SetGCPercent(200) // what a line leaves behind is garbage at once
	runner := &process.Runner{Stderr: os.Stderr, Grace: s.Grace}
	ctx, stop := watchSignals(context.Background(), runner)
	if f.output == "" {
		out = ui.aboveProgress(impatient(ctx, os.Stdout))
	} else if out, finish, err = createWhole("output", f.output); err != nil {
		return errors.Join(err, stop())
	}
	o, err := openCache(ui, s)
	if err != nil {
		stop()
		finish(false)
		return err
	}
	var outputs []string
	if file, ok := out.(*os.File); ok && f.output != "" {
		outputs = []string{f.output, file.Name()}
	}
	o.keepOutputs(lines.template.Example(q.Args, q.Rules), outputs...)
	whole := inOne(q.Args)
	q.Args = q.Args[:1]
	q.Repeat.Jobs = 1 // the workers are spread over the lines
	w := newBatchWriter(f.format, out)
	w.columns = f.inputFormat == "tsv"
	hint := ""
	tell := idleTeller(ui, s)
	batch := &exec.Batch{
		Memo:      &exec.Memo{Store: o.store, Stats: o.stats, Digests: o.digests, Runner: runner, Warn: ui.warn, Observer: o.observer(s, q, false), Made: made},
		Query:     q,
		Jobs:      s.Jobs,
		Retries:   f.retries,
		Halt:      f.halt,
		Unordered: f.unordered,
		Emit: func(a exec.LineAnswer) error {
			tell(a.Call)
			if a.Err != nil {
				line := fmt.Sprintf("line %d: ", a.Number)
				ui.message(line+a.Err.Error(), "", printed(line, a.Err)...)
				hint = cmp.Or(hint, meaningOf(a.Err).hint)
				if whole && strings.ContainsAny(a.Input, ", ") && isWrongUsage(a.Err) {
					hint = cmp.Or(hint, "where COMMAND wants the items of a line as arguments of their own, {...} stands for them, and not {}")
				}
			}
			return w.write(a)
		},
		Flush:    w.flush,
		Anew:     anewTeller(ui),
		Progress: ui.batchProgress(f.progress, f.quiet, nil),
	}
	state, err := batch.Run(ctx, lines.group)
	ui.endProgress()
	if err == nil {
		err = w.end()
	}
	if err == nil && state.Failed > 0 {
		err = &failedLines{state.Failed, state.Done, hint}
	}
	var failed *failedLines
	err = errors.Join(err, finish(err == nil || errors.As(err, &failed)), o.close())
	if errors.Is(err, syscall.EPIPE) {
		// Whoever read the results has gone, as any program in a pipe ends.
		err = &signalError{syscall.SIGPIPE}
	}
	var signal *signalError
	if signalled := stop(); signalled != nil || errors.Is(err, exec.ErrHalted) || errors.As(err, &signal) {
		ui.message(fmt.Sprintf("%d of the %d lines read are answered; what was evaluated is stored: run it again to resume", state.Done, state.Read), "")
		err = errors.Join(err, signalled)
	}
	return err
}

// batchWriter prints answers, whole lines at a time.
type batchWriter struct {
	format string
	to     io.Writer
	w      bytes.Buffer
	csv    *csv.Writer // to w
	header bool
	// columns says that the input is columns, which stay such in a TSV.
	columns bool
}

func newBatchWriter(format string, w io.Writer) *batchWriter {
	b := &batchWriter{format: format, to: w}
	b.csv = csv.NewWriter(&b.w)
	return b
}

// tsvText keeps what is in a cell in its cell, where its input is one text.
var tsvText = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func (b *batchWriter) write(a exec.LineAnswer) error {
	const much = 64 << 10
	if err := b.line(a); err != nil || b.w.Len() < much {
		return err
	}
	return b.flush()
}

func (b *batchWriter) line(a exec.LineAnswer) error {
	value, status := a.Text, meaningOf(a.Err).status
	if a.Err != nil {
		value = "NA"
	}
	switch b.format {
	case "tsv":
		input := a.Input
		if strings.ContainsAny(input, "\t\n\r") && !b.columns {
			input = tsvText.Replace(input)
		}
		b.w.WriteString(input)
		b.w.WriteByte('\t')
		b.w.WriteString(value)
		return b.w.WriteByte('\n')
	case "csv":
		b.head()
		input := csvCell(a.Input)
		row := []string{input, value, "NA", "0", "false", "NA", strconv.Itoa(status)}
		if a.Err == nil {
			row = []string{input, value, spreadText(a.Moments, a.Stderr()), strconv.FormatInt(a.Count, 10), strconv.FormatBool(a.Cached), secondsText(a.Seconds), "0"}
		}
		b.csv.Write(row)
		b.csv.Flush()
		return b.csv.Error()
	}
	row := struct {
		Input   string `json:"input"`
		Value   any    `json:"value"`
		Stderr  any    `json:"stderr"`
		Count   int64  `json:"count"`
		Cached  bool   `json:"cached"`
		Seconds any    `json:"seconds"`
		Status  int    `json:"status"`
	}{Input: a.Input, Status: status}
	if a.Err == nil {
		row.Value, row.Stderr, row.Seconds = jsonText(a.Text, a.Mean), jsonSpread(a.Moments, a.Stderr()), jsonSeconds(a.Seconds)
		row.Count, row.Cached = a.Count, a.Cached
	}
	line, err := json.Marshal(row)
	if err != nil {
		return err
	}
	b.w.Write(cache.EscapeControls(line))
	return b.w.WriteByte('\n')
}

// head writes the header of a CSV, if it isn't there yet.
func (b *batchWriter) head() {
	if !b.header {
		b.header = true
		b.csv.Write([]string{"input", "value", "stderr", "count", "cached", "seconds", "status"})
	}
}

// end is called when all lines are answered. A CSV without a row has a header, too, or
// readers such as pandas fail.
func (b *batchWriter) end() error {
	if b.format != "csv" || b.header {
		return nil
	}
	b.head()
	b.csv.Flush()
	return b.flush()
}

func (b *batchWriter) flush() error {
	_, err := b.w.WriteTo(b.to)
	b.w.Reset()
	if err != nil {
		return fmt.Errorf("the results can't be written: %w", err)
	}
	return nil
}
