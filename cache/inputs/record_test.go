package inputs

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// names returns those of a set, each behind its kind.
func (s Set) names() (names []string) {
	for o := range s.All() {
		names = append(names, [kinds]string{"contents", "stat", "folder", "listing", "link", "absent", "search", "state", "connection", "place", "untracked"}[o.Kind]+" "+o.Name)
	}
	return names
}

func (b *bench) wantNames(s Set, want ...string) {
	b.Helper()
	if got := strings.Join(s.names(), "\n"); got != strings.Join(want, "\n") {
		b.Errorf("it has\n%s\nnot\n%s", got, strings.Join(want, "\n"))
	}
}

func TestRecorder(t *testing.T) {
	b := newBench(t)
	b.o.Places.Home, b.o.Places.Project, b.o.Places.ByProject = b.path("../home"), b.o.Places.Dir, true
	b.write("train.py", "1")
	b.write("data/d.bin", strings.Repeat("x", smallFile+1))
	b.write("../home/.rc", "")
	b.write("../home/sub/x", "")
	b.link("data", "lnk")
	b.link(b.path("../home/.rc"), "rc")
	s := b.record(func(r *Recorder) {
		looked(b, r, "train.py")
		opened(b, r, "train.py") // the one that tells more counts
		looked(b, r, "train.py")
		looked(b, r, "data")
		listed(b, r, "data")
		looked(b, r, "data/d.bin")
		looked(b, r, "../home/sub") // not listed
		opened(b, r, "../home/sub") // as a folder is
		followed(b, r, "lnk")
		listed(b, r, "lnk")
		followed(b, r, "rc")
		opened(b, r, "lnk/../train.py") // never cleaned
		opened(b, r, "../home/.rc")
		absent(b, r, "../tmp/none")
		searched(b, r, "nowhere")
		r.State(b.path("log.db"), "train.py")
	})
	b.wantNames(s,
		"contents $HOME/.rc", "folder $HOME/sub",
		"contents $PROJECT/../home/.rc", "folder $PROJECT/../home/sub", "absent $PROJECT/../tmp/none", // as other checkouts may find them
		"listing $PROJECT/data", "stat $PROJECT/data/d.bin", "listing $PROJECT/lnk",
		"link $PROJECT/lnk", "contents $PROJECT/lnk/../train.py", "state $PROJECT/log.db", "link $PROJECT/rc", "contents $PROJECT/train.py",
		"absent $TMPDIR/none", "search nowhere")
	for o := range s.All() {
		if o.Name == "$PROJECT/rc" && o.Target != "$HOME/.rc" {
			t.Errorf("rc leads to %s", o.Target)
		}
	}
}

// TestRecorderLeavesOut: what doesn't count.
func TestRecorderLeavesOut(t *testing.T) {
	b := newBench(t)
	files := []string{
		"train.py", "__pycache__/train.pyc", "sub/__pycache__/x.pyc", "out/1/model", "out.txt", "results.csv", "sub/results.csv",
		"logs/a/b.log", "sub/logs/x.log", "../cache/cache.db", "made.txt", "data/d.csv",
	}
	for _, f := range files {
		b.write(f, f)
	}
	b.link("out", "latest")
	b.link(b.path("../cache"), "cachelink")
	b.o.Rules.Ignored = []string{"out", ".", b.path("out.txt"), "no\x00name"}
	b.o.Rules.Untracked = []string{"results.csv", "logs/**/*.log", "[broken"}
	s := b.record(func(r *Recorder) {
		for _, f := range append(files, "latest/1/model", "cachelink/cache.db") {
			opened(b, r, f)
		}
		r.Made(b.path("made.txt"))
		followed(b, r, "latest")
		// The working directory's name is ignored, not what is below.
		looked(b, r, "")
		listed(b, r, "data")
	})
	dir := b.o.Places.Dir
	b.wantNames(s, "folder "+dir+"/", "listing "+dir+"/data", "contents "+dir+"/data/d.csv", "link "+dir+"/latest", "contents "+dir+"/train.py",
		"untracked logs/**/*.log", "untracked results.csv")

	// What was left out counts where fewer patterns are given.
	for _, c := range []struct {
		patterns []string
		holds    bool
	}{
		{[]string{"results.csv", "logs/**/*.log"}, true},
		{[]string{"results.csv", "logs/**/*.log", "more"}, true},
		{[]string{"results.csv"}, false},
		{nil, false},
	} {
		b.o.Rules.Untracked = c.patterns
		m, err := NewChecker(b.o).Check(context.Background(), s)
		if err != nil || (m == nil) != c.holds {
			t.Errorf("under %q: %v, %v", c.patterns, m, err)
		}
	}
}

// TestRecorderChanged: of a file that somebody changed meanwhile it isn't known which
// contents were read.
func TestRecorderChanged(t *testing.T) {
	large := strings.Repeat("x", smallFile+1)
	for _, c := range []struct {
		what string
		tell func(b *bench, r *Recorder)
	}{
		{"after it was read", func(b *bench, r *Recorder) {
			opened(b, r, "f")
			b.write("f", "other")
		}},
		{"between two readings", func(b *bench, r *Recorder) {
			opened(b, r, "f")
			b.write("f", "other")
			opened(b, r, "f")
		}},
		{"after it was looked at", func(b *bench, r *Recorder) {
			b.write("f", large)
			looked(b, r, "f")
			b.write("f", large+"x")
		}},
		{"removed", func(b *bench, r *Recorder) {
			opened(b, r, "f")
			b.remove("f")
		}},
		{"appeared", func(b *bench, r *Recorder) {
			b.remove("f")
			absent(b, r, "f")
			b.write("f", "1")
			opened(b, r, "f")
		}},
		{"became a folder", func(b *bench, r *Recorder) {
			opened(b, r, "f")
			b.remove("f")
			b.write("f/x", "1")
			looked(b, r, "f")
		}},
		{"turned", func(b *bench, r *Recorder) {
			b.remove("f")
			b.link("a", "f")
			followed(b, r, "f")
			b.remove("f")
			b.link("b", "f")
			followed(b, r, "f")
		}},
	} {
		for _, made := range []bool{false, true} {
			b := newBench(t)
			b.write("f", "1")
			r := NewRecorder(b.o)
			c.tell(b, r)
			if made {
				r.Made(b.path("f")) // then it is the evaluation's own
			}
			s, err := r.Set(context.Background())
			var changed *ChangedError
			if made && (err != nil || s.Len() != 0) {
				t.Errorf("%s, made by the evaluation: %v, %v", c.what, s.names(), err)
			}
			if !made && (!errors.As(err, &changed) || changed.Name != b.path("f")) {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	}
}

func TestRecorderCancelled(t *testing.T) {
	b := newBench(t)
	b.write("f", "1")
	ctx, stop := context.WithCancelCause(context.Background())
	r := NewRecorder(b.o)
	opened(b, r, "f")
	cause := errors.New("the user has gone")
	stop(cause)
	if _, err := r.Set(ctx); err != cause {
		t.Error(err)
	}
}

// TestRecorderSearch: a program that searches a PATH of its own has no search that can
// be done again.
func TestRecorderSearch(t *testing.T) {
	b := newBench(t)
	b.program("../bin/python3")
	b.program("env/bin/python3")
	s := b.record(func(r *Recorder) { r.Search("python3", "train.sh", b.path("env/bin/python3")) })
	b.wantNames(s)
	b.o.Path = "env/bin:" + b.o.Path // below the working directory
	s = b.record(func(r *Recorder) { r.Search("python3", "train.sh", b.path("env/bin/python3")) })
	b.wantNames(s, "search python3")
}

// TestUnreadable: a file that can't be read counts by what stat says, until it can.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t) // root reads all
		return
	}
	b := newBench(t)
	b.write("f", "1")
	b.must(os.Chmod(b.path("f"), 0))
	s := b.record(func(r *Recorder) { opened(b, r, "f") })
	b.wantNames(s, "stat "+b.path("f"))
	if got := b.check(s); got != "" {
		t.Error(got)
	}
	b.must(os.Chmod(b.path("f"), 0o600))
	if got := b.check(s); !strings.Contains(got, "can be read now") {
		t.Errorf("it says %q", got)
	}
}

func TestPatterns(t *testing.T) {
	b := newBench(t)
	b.write("out/x", "")
	b.write("sub/out", "")
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.csv", "d.csv", true}, {"*.csv", "sub/d.csv", true}, {"*.csv", "d.csv/below", true}, {"*.csv", "d.csv.gz", false},
		{"sub/*.csv", "sub/d.csv", true}, {"sub/*.csv", "a/sub/d.csv", true}, {"sub/*.csv", "d.csv", false}, {"sub/*.csv", "xsub/d.csv", false},
		{"a/**/z", "a/b/c/z", true}, {"a/**/z", "a/z/below", true}, {"a/**/z", "z", false},
		{"/tmp/x*", "/tmp/x1/y", true}, {"/tmp/x*", "tmp/x1", false}, {"./d.csv", "d.csv", true},
		{"out/", "out", true}, {"out/", "out/x", true}, {"out/", "sub/out", false}, {"out/", "none/out", false},
		{"[broken", "[broken", false}, {"{a,b}", "b", true},
	} {
		l := (&Rules{Untracked: []string{c.pattern}}).ready(&b.o.Places, nil)
		if got := l.has(b.path(c.name)); got != c.want {
			t.Errorf("%s is for %s: %v", c.pattern, c.name, got)
		}
	}
}

// TestState: a state holds as the last watched evaluation has left it.
func TestState(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	b.write("log.db", "1")
	s := b.record(func(r *Recorder) { r.State(b.path("log.db"), "train.py") })
	unknown := "log.db, which train.py reads and changes, was changed by something else"
	step := func(what, want string) {
		t.Helper()
		if got := b.check(s); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: it says %q, not %q", what, got, want)
		}
	}
	step("nothing is known of it", unknown)
	b.o.Marks.KeepState(ctx, b.path("log.db"))
	step("as it was left", "")
	b.write("log.db", "2")
	step("changed by somebody", unknown)
	b.o.Marks.KeepState(ctx, b.path("log.db"))
	step("by an evaluation", "")
	b.remove("log.db")
	step("removed by somebody", unknown)
	b.o.Marks.KeepState(ctx, b.path("log.db"))
	step("by an evaluation", "")
	// A folder that it removes and makes anew.
	b.must(os.Mkdir(b.path("log.db"), 0o700))
	step("a folder by somebody", unknown)
	b.write("log.db/made", "")
	b.o.Marks.KeepMade(b.path("log.db/made"))
	b.o.Marks.KeepState(ctx, b.path("log.db"))
	step("by an evaluation", "")
	b.remove("log.db")
	b.must(os.Mkdir(b.path("log.db"), 0o700))
	step("by another, which made other names", "")
	b.write("log.db/x", "")
	step("with a name that none made", unknown)
	b.o.Marks.KeepState(ctx, b.path("log.db"))
	step("which one has left there", "")
	b.remove("log.db/x")
	step("and somebody removed", unknown)
	b.must(b.o.Marks.Close())
	b.remove("../cache/marks")
	b.o.Marks = NewMarks(b.path("../cache/marks"))
	step("the marks are lost", unknown)
	b.o.Marks = nil
	step("without marks", unknown)
}

// TestMarksDamaged: a mark that was flipped anywhere is none.
func TestMarksDamaged(t *testing.T) {
	path := t.TempDir() + "/marks"
	m := NewMarks(path)
	m.KeepUnwatchable("sudo", "it would lose its privileges")
	m.KeepUnwatchable("long", strings.Repeat("x", 1000))
	if why, ok := m.Unwatchable("long"); !ok || why != strings.Repeat("x", longestText) {
		t.Errorf("%q %v", why, ok)
	}
	if _, ok := m.Unwatchable("su"); ok {
		t.Error("su is known")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	text := strings.Index(string(whole), "it would")
	for i := range slotSize {
		at := text - slotText + i
		damaged := []byte(string(whole))
		damaged[at] ^= 1 << (i % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		m := NewMarks(path)
		if why, ok := m.Unwatchable("sudo"); ok {
			t.Fatalf("with byte %d flipped it says %q", i, why)
		}
		m.KeepUnwatchable("sudo", "again")
		if why, _ := m.Unwatchable("sudo"); why != "again" {
			t.Fatalf("it isn't remembered anew: %q", why)
		}
		m.Close()
	}
}
