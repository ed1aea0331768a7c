package cmd

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"dvlcache/cache"
	"dvlcache/exec/number"
	"dvlcache/exec/valuation"
)

// valueColumns are what is printed of each point.
var valueColumns = []string{"point", "value", "stderr", "lower", "upper", "rank", "rank_low", "rank_high", "count"}

// write prints the values. What it prints hangs on the settings and on the utility's
// values alone, not on what was cached or how long it took.
func (v *valued) write(to io.Writer, format, order string) error {
	index := make([]int, len(v.Points))
	for i := range index {
		index[i] = i
	}
	if order == "value" {
		slices.SortFunc(index, func(i, j int) int { return cmp.Compare(v.Points[i].Rank, v.Points[j].Rank) })
	}
	var text bytes.Buffer
	var err error
	switch format {
	case "json":
		err = v.writeJSON(&text, index)
	case "csv":
		w := csv.NewWriter(&text)
		w.Write(valueColumns)
		for _, i := range index {
			w.Write(append([]string{csvCell(v.players.names[i])}, v.cells(i)...))
		}
		w.Flush()
	default:
		text.WriteString(strings.Join(valueColumns, "\t") + "\n")
		for _, i := range index {
			name := v.players.names[i]
			if strings.ContainsAny(name, "\t\n\r") {
				name = tsvText.Replace(name)
			}
			text.WriteString(name + "\t" + strings.Join(v.cells(i), "\t") + "\n")
		}
	}
	if err == nil {
		_, err = text.WriteTo(to)
	}
	if err != nil {
		return fmt.Errorf("the values can't be written: %w", err)
	}
	return nil
}

// withoutNoise is a result with its values as they are shown.
func withoutNoise(r valuation.Result) valuation.Result {
	for i := range r.Points {
		p := &r.Points[i]
		p.Value, p.Stderr, p.Lower, p.Upper = computed(p.Value), computed(p.Stderr), computed(p.Lower), computed(p.Upper)
	}
	r.Reliability, r.Unsampled = computed(r.Reliability), computed(r.Unsampled)
	return r
}

// cells are a point's columns behind its name.
func (v *valued) cells(i int) []string {
	p := v.Points[i]
	x, n := number.Format, strconv.Itoa
	return []string{x(p.Value), x(p.Stderr), x(p.Lower), x(p.Upper), n(p.Rank), n(p.RankLow), n(p.RankHigh), n(p.Count)}
}

func (v *valued) writeJSON(to *bytes.Buffer, index []int) error {
	type row struct {
		Point    string `json:"point"`
		Value    any    `json:"value"`
		Stderr   any    `json:"stderr"`
		Lower    any    `json:"lower"`
		Upper    any    `json:"upper"`
		Rank     int    `json:"rank"`
		RankLow  int    `json:"rank_low"`
		RankHigh int    `json:"rank_high"`
		Count    int    `json:"count"`
	}
	rows := make([]row, len(index))
	for at, i := range index {
		p := v.Points[i]
		rows[at] = row{v.players.names[i], jsonNumber(p.Value), jsonNumber(p.Stderr), jsonNumber(p.Lower), jsonNumber(p.Upper), p.Rank, p.RankLow, p.RankHigh, p.Count}
	}
	var empty any // leave-one-out doesn't ask for it
	if !math.IsNaN(v.Empty) {
		empty = jsonNumber(v.Empty)
	}
	line, err := json.Marshal(struct {
		Method      string `json:"method"`
		Seed        uint64 `json:"seed"`
		N           int    `json:"n"`
		Evaluations int    `json:"evaluations"`
		Stopped     string `json:"stopped"`
		Reliability any    `json:"reliability"`
		Unsampled   any    `json:"unsampled"`
		Noise       bool   `json:"noise"`
		Empty       any    `json:"empty"`
		Full        any    `json:"full"`
		Version     string `json:"version"`
		Values      []row  `json:"values"`
	}{v.Method.String(), v.Seed, v.Players, v.Evaluations, cmp.Or(v.Stopped, "max-time"), jsonNumber(v.Reliability), jsonNumber(v.Unsampled), v.noisy,
		empty, jsonNumber(v.Full), version(), rows})
	if err != nil {
		return err
	}
	to.Write(cache.EscapeControls(line))
	return to.WriteByte('\n')
}

// tell says in the end what it took and how far the values are to be trusted.
func (v *valued) tell(ui *terminal) {
	text := fmt.Sprintf("%s (%s), %d cached, %s", plural(v.asked, "subset"), v.limit, v.hits, duration(v.took))
	if v.saved > 0 {
		text += "; " + duration(v.saved) + " saved"
	}
	ui.message(fmt.Sprintf("%s; reliability %.3f", text, v.Reliability), "")
	if v.Unsampled > 0.001 {
		ui.message(fmt.Sprintf("%.1f %% of the weight lies on sizes of which no subset was asked", 100*v.Unsampled), "more --evaluations")
	}
	if v.Method.Truncated() {
		ui.message("the standard errors know nothing of the bias that truncation brings", "--method shapley has none, and needs fewer evaluations")
	}
}
