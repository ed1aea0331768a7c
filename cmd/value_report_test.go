//go:build unix

package cmd

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestValueReport: the report is the same, but for what it tells of the run, whether its
// numbers come from the cache or not; it has the values that are printed, and its removal
// curves ask each of their subsets once.
func TestValueReport(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", valuedUtility)
	b.write("bad", "3\n8\n")
	b.env = append(b.env, "CALLS=calls")
	args := valueArgs("--jobs", "3", "--sort", "value", "--report", "report.html", "--removal-curve", "5", "--known-bad", "bad")
	run := func() (out, page string) {
		out, errs, status := b.run(args...)
		if status != 0 || errs != "" {
			t.Fatalf("status %d\n%s%s", status, out, errs)
		}
		text, err := os.ReadFile(filepath.Join(b.dir, "report.html"))
		if err != nil {
			t.Fatal(err)
		}
		return out, string(text)
	}
	out, cold := run()
	calls := b.lines("calls")
	if n := len(calls); n <= valuedSubsets || n > valuedSubsets+7*4 || len(distinct(calls)) != n {
		t.Errorf("%d evaluations of %d subsets", n, len(distinct(calls)))
	}
	again, cached := run()
	if n := len(b.lines("calls")); n != len(calls) {
		t.Errorf("%d evaluations for the second report", n-len(calls))
	}
	const tells = `<section aria-labelledby="run">`
	first, ofRun, ok := strings.Cut(cold, tells)
	second, ofSecond, _ := strings.Cut(cached, tells)
	if !ok || first != second || out != again {
		t.Error("what comes from the cache makes another report")
	}
	if !strings.Contains(ofRun, "<td>228</td>") && !strings.Contains(ofRun, "<td>28</td>") || !strings.Contains(ofSecond, `<th scope="row">evaluated</th><td>0</td>`) {
		t.Errorf("of the runs it tells\n%s\n%s", ofRun, ofSecond)
	}
	if err := xml.Unmarshal([]byte(cold), new(struct{})); err != nil {
		t.Errorf("the report is not well-formed: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
		row := `<tr><th scope="row" class="name"><bdi>` + strings.Replace(line, "\t", "</bdi></th><td>", 1)
		if row = strings.ReplaceAll(row, "\t", "</td><td>"); !strings.Contains(cold, row) {
			t.Errorf("the report has no row %s", row)
		}
	}
	if want := "dvlcache " + strings.Join(args, " ") + "\n"; !strings.Contains(strings.NewReplacer("<span>", "", "</span>", "", "</pre>", "\n").Replace(cold), want) {
		t.Errorf("the report doesn't have the command %s", want)
	}
}

// TestValueReportInterrupted: of a valuation that ends before it is through there is no report,
// and no part of one.
func TestValueReportInterrupted(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("u.sh", valuedUtility)
	b.env = append(b.env, "CALLS=calls")
	c := b.command(valueArgs("--report", "report.html")...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b.wait("it gets on", func() bool { return len(b.lines("calls")) >= 5 })
	c.Process.Signal(os.Interrupt)
	c.Wait()
	left, err := filepath.Glob(filepath.Join(b.dir, "report.html*"))
	if err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
}
