package cmd

import (
	"strings"
	"testing"
)

// TestSettingsFit: one long value breaks no other line, and no text is wider than the
// terminal but a word that is.
func TestSettingsFit(t *testing.T) {
	const file = "/home/somebody/projects/flowers/dvlcache.yaml"
	rows := []settingRow{
		{"backend", "bolt", "default"},
		{"dir", "/home/somebody/.cache/dvlcache", "default"},
		{"paths", "project", "environment DVLCACHE_PATHS"},
		{"ignore", "job-id,seed", file},
		{"for train.sh", "unordered: indices; ignore: job-id,log-file; depends-on: " + strings.TrimSuffix(file, "dvlcache.yaml") + "iris.csv; env: SEED", file},
		{"wait-timeout", "1m", "default"},
	}
	for _, width := range []int{80, 100, 120} {
		text := settingsText(rows, width)
		for line := range strings.Lines(text) {
			if columns(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("at %d columns: %q", width, line)
			}
		}
		for _, r := range rows {
			for _, word := range append(strings.Fields(r.value), r.from) {
				if !strings.Contains(text, word) {
					t.Errorf("at %d columns: %s lacks %s:\n%s", width, r.name, word, text)
				}
			}
		}
		if !strings.Contains(text, "\nwait-timeout  1m ") {
			t.Errorf("at %d columns: other lines are broken:\n%s", width, text)
		}
	}
	// In a pipe each row is a line.
	if text := settingsText(rows, 0); strings.Count(text, "\n") != len(rows) || !strings.Contains(text, "env: SEED  "+file+"\n") {
		t.Errorf("in a pipe:\n%s", text)
	}
}
