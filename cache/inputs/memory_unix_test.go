//go:build unix

package inputs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestMemoryDamaged: a memory that was flipped, torn, lost or another's is as good as
// none.
func TestMemoryDamaged(t *testing.T) {
	b := newBench(t)
	for i := range fewToRemember {
		b.write(fmt.Sprint("f", i), "1")
		b.write(fmt.Sprint("g", i), "1")
	}
	set := func(prefix string) Set {
		return b.record(func(r *Recorder) {
			for i := range fewToRemember {
				opened(b, r, fmt.Sprint(prefix, i))
			}
		})
	}
	s, other := set("f"), set("g")
	settle()
	for _, s := range []Set{s, other} {
		if got := b.check(s); got != "" {
			t.Fatal(got)
		}
		b.mustRemember(s)
	}
	path, otherPath := NewChecker(b.o).recall(s).path, NewChecker(b.o).recall(other).path
	whole, err := os.ReadFile(path)
	b.must(err)
	others, err := os.ReadFile(otherPath)
	b.must(err)
	damaged := map[string][]byte{"empty": {}, "another's": others, "cut": whole[:len(whole)-1], "longer": append(whole[:len(whole):len(whole)], 0)}
	for i := 0; i < len(whole); i += 7 {
		flipped := []byte(string(whole))
		flipped[i] ^= 1 << (i % 8)
		damaged[fmt.Sprint("flipped at ", i)] = flipped
	}
	for what, text := range damaged {
		b.must(os.WriteFile(path, text, 0o600))
		m := NewChecker(b.o).recall(s)
		if strings.Trim(string(m.ids), "\x00") != "" {
			t.Errorf("%s: something is remembered", what)
		}
		if got := b.check(s); got != "" {
			t.Errorf("%s: it says %q", what, got)
		}
	}
	b.mustRemember(s)
	b.must(os.WriteFile(path, whole[:20], 0o600))
	b.write("f3", "2")
	if got := b.check(s); !strings.Contains(got, "f3") {
		t.Errorf("it says %q", got)
	}
}

// TestMemoryYoung: what has just been written is not remembered.
func TestMemoryYoung(t *testing.T) {
	b := newBench(t)
	s := b.record(func(r *Recorder) {
		for i := range fewToRemember {
			name := fmt.Sprint("f", i)
			b.write(name, "1")
			opened(b, r, name)
		}
		listed(b, r, "")
	})
	if got := b.check(s); got != "" {
		t.Fatal(got)
	}
	if strings.Trim(string(NewChecker(b.o).recall(s).ids), "\x00") != "" {
		t.Error("something is remembered")
	}
}

// TestMemoryRules: what held under some rules isn't believed under others.
func TestMemoryRules(t *testing.T) {
	b := newBench(t)
	b.write("data/results.csv", "1")
	record := func() Set {
		return b.record(func(r *Recorder) {
			listed(b, r, "data")
			for i := range fewToRemember {
				absent(b, r, fmt.Sprint("none", i))
			}
		})
	}
	b.o.Rules.Untracked = []string{"*.csv"}
	s := record()
	settle()
	if got := b.check(s); got != "" {
		t.Fatal(got)
	}
	b.mustRemember(s)
	b.o.Rules.Untracked = nil
	if got := b.check(s); !strings.Contains(got, "gained results.csv") {
		t.Errorf("it says %q", got)
	}
}

// TestStill: who leaves no trace makes no memory.
func TestStill(t *testing.T) {
	b := newBench(t)
	s, _ := installCode(b, 40)
	b.o.Still = true
	if got := b.check(s); got != "" {
		t.Fatal(got)
	}
	if _, err := os.Stat(b.o.Memory); !os.IsNotExist(err) {
		t.Errorf("there is one: %v", err)
	}
}

// TestForgetOld: the folder doesn't grow without end.
func TestForgetOld(t *testing.T) {
	dir := t.TempDir()
	for i := range mostRemembered + 1 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	forgetOld(dir)
	left, err := entriesOf(dir)
	if err != nil || len(left) != mostRemembered/2 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}

// TestSideBySide: checks, recordings and marks of several at once.
func TestSideBySide(t *testing.T) {
	b := newBench(t)
	s, _ := installCode(b, 300)
	shared, own := s.Split(b.o.Places)
	c := NewChecker(b.o)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				checker := c
				if i%2 == 0 {
					checker = NewChecker(b.o)
				}
				if m, err := checker.Check(context.Background(), shared, own); m != nil || err != nil {
					t.Error(m, err)
				}
				name := b.path(fmt.Sprint("made", i, j))
				b.o.Marks.KeepMade(name)
				folder, base := split(name)
				h := hashName(base)
				if made, ok := b.o.Marks.made((&leftOut{}).resolve(folder), string(h[:nameHash])); !ok || made != h {
					t.Errorf("%s is not known to be made", name)
				}
			}
		})
	}
	wg.Wait()
}

// TestOrder: of what changed, the experiment's own is told first, and what has come or gone
// in a folder last, which would hide an edit.
func TestOrder(t *testing.T) {
	b := newBench(t)
	files := []string{"../bin/tool", "../home/.rc", "data/d.csv", "train.py", "../lib/python3.12/site-packages/x.py"}
	s := b.record(func(r *Recorder) {
		for _, f := range files {
			b.write(f, "1")
			opened(b, r, f)
		}
		listed(b, r, "data")
		for i := range 200 {
			absent(b, r, fmt.Sprintf("../lib/a%d", i))
		}
	})
	b.write("data/old", "")
	if got := b.check(s); !strings.Contains(got, "data, which train.py listed") {
		t.Errorf("after data/old it says %q", got)
	}
	b.write("../lib/a7", "")
	b.write("../bin/tool", "2")
	for _, step := range []struct{ name, want string }{
		{"", "bin/tool"}, {"../lib/python3.12/site-packages/x.py", "bin/tool"}, {"../home/.rc", ".rc"},
		{"data/new", ".rc"}, {"train.py", "train.py changed since"}, {"data/d.csv", "data/d.csv, which"},
	} {
		if step.name != "" {
			b.write(step.name, "2")
		}
		if got := b.check(s); !strings.Contains(got, step.want) {
			t.Errorf("after %s it says %q, not %q", step.name, got, step.want)
		}
	}
}

// TestCheckCancelled: its error is the context's.
func TestCheckCancelled(t *testing.T) {
	b := newBench(t)
	s, _ := installCode(b, 20)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if m, err := NewChecker(b.o).Check(ctx, s); m != nil || err != context.Canceled {
		t.Error(m, err)
	}
}

// TestMessages: names steer no terminal.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		m    Mismatch
		want string
	}{
		{Mismatch{Observation{Name: "/w/a\x1b[2J", By: "b\n"}, (&Places{Dir: "/w"}).show("/w/a\x1b[2J"), "is gone"}, `"a\x1b[2J", which "b\n" read, is gone`},
		{Mismatch{Observation{Name: "/w/Übung 1", By: "sh"}, (&Places{Dir: "/w/"}).show("/w/Übung 1"), "is gone"}, `Übung 1, which sh read, is gone`},
		{Mismatch{Observation{Name: "/w/train.sh", By: "train.sh"}, (&Places{Dir: "/"}).show("/w/train.sh"), "is gone"}, `/w/train.sh is gone`},
	} {
		if got := c.m.String(); got != c.want {
			t.Errorf("it says %s, not %s", got, c.want)
		}
	}
	for names, want := range map[string]string{
		"x.py": "gained x.py", "it's": "gained it's (--untracked leaves it out)", "a*": "gained a* (--untracked leaves it out)", "a b": "gained a b (--untracked 'a b' leaves it out)",
	} {
		if got := gained([]string{names}); got != want {
			t.Errorf("it says %s, not %s", got, want)
		}
	}
}

// TestShortHashes: where the short hashes of two names are one, their digest tells.
func TestShortHashes(t *testing.T) {
	b := newBench(t)
	seen := map[string]string{}
	for i := 0; ; i++ {
		name := fmt.Sprint(i)
		short := string(digestOne(name))
		other, found := seen[short]
		if !found {
			seen[short] = name
			continue
		}
		b.write("data/"+other, "")
		s := b.record(func(r *Recorder) { listed(b, r, "data") })
		b.must(os.Rename(b.path("data/"+other), b.path("data/"+name)))
		if got := b.check(s); !strings.Contains(got, "has other names") {
			t.Errorf("%s for %s: it says %q", name, other, got)
		}
		return
	}
}

func digestOne(name string) []byte { h := hashName(name); return h[:nameHash] }

// TestMarksGrow: tens of thousands of names are remembered.
func TestMarksGrow(t *testing.T) {
	m := NewMarks(t.TempDir() + "/marks")
	defer m.Close()
	const many = 40_000
	for i := range many {
		m.KeepUnwatchable(fmt.Sprint(i), fmt.Sprint("why ", i))
	}
	for i := range many {
		if why, ok := m.Unwatchable(fmt.Sprint(i)); !ok || why != fmt.Sprint("why ", i) {
			t.Fatalf("%d: %q %v", i, why, ok)
		}
	}
}
