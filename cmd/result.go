package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/durable"
	"dvlcache/cache/plain"
	"dvlcache/exec"
	"dvlcache/exec/number"
)

// formatAnswer makes the line that is printed.
func formatAnswer(format string, a exec.Answer) string {
	number := number.Format
	key := ""
	if a.Call != nil {
		key = a.Call.Key.String()
	}
	switch format {
	case "tsv":
		return strings.Join([]string{
			a.Text, spreadText(a.Moments, a.Stderr()), strconv.FormatInt(a.Count, 10), spreadText(a.Moments, a.Variance()), number(a.Min), number(a.Max),
			strconv.FormatBool(a.Cached), strconv.FormatBool(a.Stable), secondsText(a.Seconds), key, oneLine(a.Namespace),
		}, "\t") + "\n"
	case "json":
		line, err := json.Marshal(struct {
			Value     any    `json:"value"`
			Stderr    any    `json:"stderr"`
			Count     int64  `json:"count"`
			Variance  any    `json:"variance"`
			Min       any    `json:"min"`
			Max       any    `json:"max"`
			Cached    bool   `json:"cached"`
			Stable    bool   `json:"stable"`
			Seconds   any    `json:"seconds"`
			Key       string `json:"key"`
			Namespace string `json:"namespace"`
		}{
			jsonText(a.Text, a.Mean), jsonSpread(a.Moments, a.Stderr()), a.Count, jsonSpread(a.Moments, a.Variance()), jsonNumber(a.Min), jsonNumber(a.Max),
			a.Cached, a.Stable, jsonSeconds(a.Seconds), key, a.Namespace,
		})
		if err != nil {
			panic(err) // numbers, booleans and strings alone
		}
		return string(cache.EscapeControls(line)) + "\n"
	default:
		return a.Text + "\n"
	}
}

// jsonText keeps a number as it was written where JSON allows for that.
func jsonText(text string, v float64) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return jsonNumber(v)
}

// jsonNumber is a string for what JSON has no number for.
func jsonNumber(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return json.RawMessage(number.Format(v))
}

// toMicroseconds is a time in seconds without what floating point makes of a mean.
func toMicroseconds(seconds float64) float64 { return math.Round(seconds*1e6) / 1e6 }

func secondsText(v float64) string { return number.Format(toMicroseconds(v)) }

func jsonSeconds(v float64) any { return jsonNumber(toMicroseconds(v)) }

// computed is what we have computed of numbers, without the noise of floating point:
// a float64 holds 15 decimal digits of any number.
func computed(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		return v // the largest there are are rounded beyond them
	}
	return rounded
}

// spreadText is a standard error or a variance of moments in a column: NA where
// there are too few samples for one, which 0 would hide.
func spreadText(m cache.Moments, v float64) string {
	if !m.Spread() {
		return "NA"
	}
	return number.Format(computed(v))
}

// jsonSpread is spreadText in JSON, with null for NA.
func jsonSpread(m cache.Moments, v float64) any {
	if !m.Spread() {
		return nil
	}
	return jsonNumber(computed(v))
}

// writeResult writes a result to stdout, or, whole or not at all, to a file.
func writeResult(text, file string) error {
	if file == "" {
		// Where whoever read it has gone, the system ends us here, as any
		// program in a pipe.
		brokenPipeEnds()
		if _, err := io.WriteString(os.Stdout, text); err != nil {
			return fmt.Errorf("the result can't be written: %w", err)
		}
		return nil
	}
	w, finish, err := createGuarded(file)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return errors.Join(err, finish(err == nil))
}

// createWhole creates the file of a flag that is there whole or not at all: finish(true)
// puts it in place, and has it outlast a power cut; finish(false) removes what was
// written. A device or a pipe can't be replaced, nor must what stdout leads to: it is
// written to as it is.
func createWhole(flag, file string) (w io.Writer, finish func(good bool) error, err error) {
	explain := func(err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("--%s %s: %w", flag, file, plain.Error(err))
	}
	old, none := os.Stat(file)
	if namesOpenFile(file) || none == nil && !old.Mode().IsRegular() {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return nil, nil, explain(err)
		}
		return f, func(bool) error { return explain(f.Close()) }, nil
	}
	place := file
	if target, err := filepath.EvalSymlinks(file); err == nil {
		place = target
	}
	// Not os.CreateTemp, whose files nobody else may read.
	temp := fmt.Sprintf("%s.%08x.tmp", place, rand.Uint32())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, nil, explain(err)
	}
	if none == nil {
		f.Chmod(old.Mode().Perm()) // what was for its owner alone stays so, as under >
	}
	return f, func(good bool) error {
		if good {
			if err = durable.Rename(f, place); err == nil {
				return nil
			}
		} else {
			err = f.Close()
		}
		os.Remove(temp)
		return explain(err)
	}, nil
}

// namesOpenFile reports whether a path stands for a file that is open, as stdout.
func namesOpenFile(path string) bool {
	return slices.ContainsFunc([]string{"/dev/std", "/dev/fd/", "/proc/"}, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// duration shows seconds for people: 0.31 s, 4.2 min, 2 h 14 min.
func duration(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)).Round(time.Minute); {
	case seconds < 1:
		return strconv.FormatFloat(seconds, 'f', 3, 64) + " s"
	case seconds < 120:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	case d < time.Hour:
		return strconv.FormatFloat(seconds/60, 'f', 1, 64) + " min"
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %02d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// plural counts things in words.
func plural[N int | int64](n N, what string) string {
	switch {
	case n == 1:
	case what == "entry":
		what = "entries"
	case what == "miss":
		what = "misses"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
