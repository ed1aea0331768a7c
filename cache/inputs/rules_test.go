package inputs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPassing: the names that docs/key.md says come and go by themselves are left out of
// listings, and no others.
func TestPassing(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/key.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "what comes and goes by itself: ")
	text, _, found := strings.Cut(text, " All others count")
	if !found {
		t.Fatal("docs/key.md doesn't say which names come and go by themselves")
	}
	var names []Entry
	for _, quoted := range regexp.MustCompile("`[^`]+`").FindAllString(text, -1) {
		names = append(names, Entry{Name: strings.ReplaceAll(strings.Trim(quoted, "`"), "*", "x")})
	}
	count := []Entry{{Name: "a.bak"}, {Name: "notes.md"}, {Name: "slurm-7.err"}}
	out := (&Rules{}).ready(&Places{Dir: "/d"}, nil)
	if left := out.listed("/d", slices.Concat(names, count)); len(names) < 8 || !slices.Equal(left, count) {
		t.Errorf("of %v and %v count %v", names, count, left)
	}
}
