package inputs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/key"
)

// bench is a folder in which a program runs, and what is remembered beside it.
type bench struct {
	testing.TB
	o Options
}

func newBench(t testing.TB) *bench {
	root := t.TempDir()
	b := &bench{t, Options{
		Places: Places{Home: root + "/home", Tmp: root + "/tmp", Dir: root + "/proj"},
		Path:   root + "/bin:/nowhere",
		Memory: root + "/cache/inputs", Digests: key.NewDigests(root + "/cache/digests"),
		Marks: NewMarks(root + "/cache/marks"),
		Rules: Rules{Own: []string{root + "/cache"}},
	}}
	t.Cleanup(func() { b.o.Digests.Close(); b.o.Marks.Close() })
	for _, d := range []string{"home", "tmp", "work", "bin", "cache"} {
		if err := os.Mkdir(root+"/"+d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// path is that of a name in the working directory, or of one that begins with "/".
func (b *bench) path(name string) string {
	switch {
	case strings.HasPrefix(name, "/"):
		return name
	case strings.HasPrefix(name, "../"):
		return filepath.Dir(b.o.Places.Dir) + name[2:] // the bench's own folders
	}
	return b.o.Places.Dir + "/" + name
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// write makes a file, with its folder.
func (b *bench) write(name, text string) {
	b.Helper()
	path := b.path(name)
	b.must(os.MkdirAll(filepath.Dir(path), 0o700))
	b.must(os.WriteFile(path, []byte(text), 0o600))
}

func (b *bench) link(target, name string) {
	b.Helper()
	b.must(os.Symlink(target, b.path(name)))
}

func (b *bench) remove(name string) { b.Helper(); b.must(os.RemoveAll(b.path(name))) }

func (b *bench) stamp(name string) Stamp {
	b.Helper()
	st, err := stampOf(b.path(name))
	b.must(err)
	return st
}

// stampOf is what a watcher says of a name.
func stampOf(path string) (Stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}, err
	}
	id := digest.Of(info)
	return Stamp{id.Device, id.Inode, id.Size, id.Mtime, id.Ctime, info.Mode()}, nil
}

// record makes a set of what r is told.
func (b *bench) record(tell func(r *Recorder)) Set {
	b.Helper()
	r := NewRecorder(b.o)
	tell(r)
	s, err := r.Set(context.Background())
	b.must(err)
	// It holds as it is stored.
	s, err = Parse(s.Encode(nil))
	b.must(err)
	return s
}

// check returns what doesn't hold any more of a set; empty if all does.
func (b *bench) check(s Set) string {
	b.Helper()
	m, err := NewChecker(b.o).Check(context.Background(), s)
	b.must(err)
	if m == nil {
		return ""
	}
	return m.String()
}

// use is what a program does with a name.
type use func(b *bench, r *Recorder, name string)

func opened(b *bench, r *Recorder, name string) {
	r.Opened(b.path(name), "train.py", b.stamp(name))
}

func looked(b *bench, r *Recorder, name string) {
	r.Looked(b.path(name), "train.py", b.stamp(name))
}

func listed(b *bench, r *Recorder, name string) {
	names, err := entriesOf(b.path(name))
	b.must(err)
	r.Listed(b.path(name), "train.py", b.stamp(name), names)
}

func absent(b *bench, r *Recorder, name string) { r.Absent(b.path(name), "train.py") }

func followed(b *bench, r *Recorder, name string) {
	target, err := os.Readlink(b.path(name))
	b.must(err)
	r.Link(b.path(name), "train.py", target)
}

func searched(b *bench, r *Recorder, name string) {
	r.Search(name, "train.sh", b.o.search(name))
}

// TestCheck: what must be seen, and what must not make a miss, for each kind.
func TestCheck(t *testing.T) {
	large := strings.Repeat("x", smallFile+1)
	var tests []func()
	for _, c := range []struct {
		what   string
		name   string
		use    use
		before func(b *bench)
		change func(b *bench)
		want   string // empty: it holds
	}{
		{"a module is edited", "helpers.py", opened, nil,
			func(b *bench) { b.write("helpers.py", "2") }, "helpers.py, which train.py read, changed since (2"},
		{"one of equal length", "helpers.py", opened, nil,
			func(b *bench) {
				at := time.Now().Add(-time.Hour)
				b.write("helpers.py", "2")
				b.must(os.Chtimes(b.path("helpers.py"), at, at))
			}, "helpers.py, which train.py read, changed since (2"},
		{"a file is touched", "helpers.py", opened, nil,
			func(b *bench) { b.write("helpers.py", "1") }, ""},
		{"another file with its contents", "helpers.py", opened, nil,
			func(b *bench) { b.remove("helpers.py"); b.write("helpers.py", "1") }, ""},
		{"a file is removed", "helpers.py", opened, nil,
			func(b *bench) { b.remove("helpers.py") }, "helpers.py, which train.py read, is gone"},
		{"a folder in its place", "helpers.py", opened, nil,
			func(b *bench) { b.remove("helpers.py"); b.write("helpers.py/x", "1") }, "is no file any more"},
		{"a script that may be run now", "helpers.py", opened, nil,
			func(b *bench) { b.must(os.Chmod(b.path("helpers.py"), 0o755)) }, "is executable now"},
		{"another umask", "helpers.py", opened, nil,
			func(b *bench) { b.must(os.Chmod(b.path("helpers.py"), 0o644)) }, ""},

		{"a small file that was looked at is edited", "helpers.py", looked, nil,
			func(b *bench) { b.write("helpers.py", "2") }, "changed since"},
		{"… is touched", "helpers.py", looked, nil,
			func(b *bench) { b.write("helpers.py", "1") }, ""},
		{"a large file that was looked at is edited", "d.bin", looked,
			func(b *bench) { b.write("d.bin", large) },
			func(b *bench) {
				b.write("d.bin", large)
				at := time.Now().Add(time.Second)
				b.must(os.Chtimes(b.path("d.bin"), at, at))
			}, "d.bin, which train.py looked at, changed since"},
		{"… grows", "d.bin", looked, func(b *bench) { b.write("d.bin", large) },
			func(b *bench) {
				st := b.stamp("d.bin")
				b.write("d.bin", large+"x")
				b.must(os.Chtimes(b.path("d.bin"), time.Time{}, time.Unix(0, st.Mtime)))
			}, "changed since"},
		{"… is left alone", "d.bin", looked, func(b *bench) { b.write("d.bin", large) }, func(*bench) {}, ""},

		{"a folder that was looked at gains a file", "data", looked, nil,
			func(b *bench) { b.write("data/new", "1") }, ""},
		{"… is removed", "data", looked, nil,
			func(b *bench) { b.remove("data") }, "data, which train.py looked at, is gone"},
		{"… is a file", "data", looked, nil,
			func(b *bench) { b.remove("data"); b.write("data", "") }, "is no folder any more"},

		{"a listed folder gains a file", "data", listed, nil,
			func(b *bench) { b.write("data/new.csv", "1") },
			"data, which train.py listed, gained new.csv (--untracked 'new.csv' leaves it out)"},
		{"… gains two", "data", listed, nil,
			func(b *bench) { b.write("data/n2", "1"); b.write("data/n1", "1"); b.write("data/n3", "1") }, "gained n1 and 2 more"},
		{"… loses one", "data", listed, nil,
			func(b *bench) { b.remove("data/a.csv") }, "lost a name"},
		{"… has one edited", "data", listed, nil,
			func(b *bench) { b.write("data/a.csv", "other") }, ""},
		{"… gains a batch system's output", "data", listed, nil,
			func(b *bench) { b.write("data/slurm-7_1.out", "1"); b.write("data/nohup.out", "") }, ""},
		{"… gains an editor's files", "data", listed, nil,
			func(b *bench) {
				b.write("data/.a.csv.swp", "1")
				b.write("data/a.csv~", "")
				b.write("data/.nfs00012", "")
			}, ""},
		{"… gains __pycache__", "data", listed, nil,
			func(b *bench) { b.write("data/__pycache__/a.pyc", "1") }, ""},
		{"… gains what a sibling made", "data", listed, nil,
			func(b *bench) { b.write("data/out-7", "1"); b.o.Marks.KeepMade(b.path("data/out-7")) }, ""},
		{"… gains what a sibling made through a link", "data", listed,
			func(b *bench) { b.link("data", "lnk") },
			func(b *bench) { b.write("data/out-7", "1"); b.o.Marks.KeepMade(b.path("lnk/out-7")) }, ""},
		{"… gains what another program made", "data", listed, nil,
			func(b *bench) {
				b.write("data/out-7", "1")
				b.o.Marks.For("prepare.py", "").KeepMade(b.path("data/out-7"))
			}, "gained out-7"},
		{"… loses what a sibling had made by then", "data", listed,
			func(b *bench) { b.write("data/tmp-7", "1") },
			func(b *bench) { b.remove("data/tmp-7"); b.o.Marks.KeepMade(b.path("data/tmp-7")) }, ""},
		{"… keeps what a sibling had begun by then", "data", listed,
			func(b *bench) { b.write("data/out-7", "1") },
			func(b *bench) { b.write("data/out-7", "12"); b.o.Marks.KeepMade(b.path("data/out-7")) }, ""},
		{"… was recorded without what a sibling had made", "data", listed,
			func(b *bench) { b.write("data/out-7", "1"); b.o.Marks.KeepMade(b.path("data/out-7")) },
			func(b *bench) { b.remove("data/out-7") }, ""},
		{"… has a name for another", "data", listed, nil,
			func(b *bench) { b.must(os.Rename(b.path("data/a.csv"), b.path("data/b.csv"))) }, "gained b.csv"},
		{"… has a folder for a file", "data", listed, nil,
			func(b *bench) { b.remove("data/a.csv"); b.write("data/a.csv/x", "") },
			"data, which train.py listed, has a folder in the place of a file, a.csv"},
		{"… has a link for a file", "data", listed, nil,
			func(b *bench) { b.must(os.Rename(b.path("data/a.csv"), b.path("x"))); b.link("../x", "data/a.csv") },
			"has a link in the place of a file, a.csv"},
		{"… has one that a sibling put there", "data", listed, nil,
			func(b *bench) {
				b.remove("data/a.csv")
				b.link("x", "data/a.csv")
				b.o.Marks.KeepMade(b.path("data/a.csv"))
			}, ""},
		{"… is removed", "data", listed, nil,
			func(b *bench) { b.remove("data") }, "is gone"},

		{"a link is turned", "lnk", followed, func(b *bench) { b.link("a", "lnk") },
			func(b *bench) { b.remove("lnk"); b.link("b", "lnk") }, "lnk, which train.py followed, leads elsewhere, to b"},
		{"a link is made anew", "lnk", followed, func(b *bench) { b.link("a", "lnk") },
			func(b *bench) { b.remove("lnk"); b.link("a", "lnk") }, ""},
		{"a link is a file now", "lnk", followed, func(b *bench) { b.link("a", "lnk") },
			func(b *bench) { b.remove("lnk"); b.write("lnk", "") }, "is no link any more"},
		{"a link to what looks like a variable", "lnk", followed, func(b *bench) { b.link("$HOME/x", "lnk") },
			func(*bench) {}, ""},
		{"… turned to what it is", "lnk", followed, func(b *bench) { b.link("$HOME/x", "lnk") },
			func(b *bench) { b.remove("lnk"); b.link(b.o.Places.Home+"/x", "lnk") }, "leads elsewhere"},

		{"a module that shadows appears", "numpy.py", absent, nil,
			func(b *bench) { b.write("numpy.py", "") }, "numpy.py, which train.py looked for, is there now, and was not"},
		{"… in a folder that appears", "data/x/y", absent, nil,
			func(b *bench) { b.write("data/x/y", "") }, "is there now"},
		{"… as a dangling link", "numpy.py", absent, nil,
			func(b *bench) { b.link("nowhere", "numpy.py") }, ""},
		{"its folder is a file now", "data/x/y", absent, nil,
			func(b *bench) { b.write("data/x", "") }, ""},

		{"another environment's python3", "python3", searched,
			func(b *bench) { b.program("../bin/python3") },
			func(b *bench) { b.program("../home/env/python3"); b.o.Path = b.o.Places.Home + "/env:" + b.o.Path },
			"python3, which train.sh looked for, is now found as "},
		{"python3 is removed", "python3", searched, func(b *bench) { b.program("../bin/python3") },
			func(b *bench) { b.remove("../bin/python3") }, "isn't found on PATH any more"},
		{"it may not be executed", "python3", searched, func(b *bench) { b.program("../bin/python3") },
			func(b *bench) { b.must(os.Chmod(b.path("../bin/python3"), 0o600)) }, "isn't found on PATH any more"},
		{"a program appears on PATH", "python4", searched, nil,
			func(b *bench) { b.program("../bin/python4") }, "is now found as"},
		{"a folder in front of PATH without it", "python3", searched, func(b *bench) { b.program("../bin/python3") },
			func(b *bench) { b.o.Path = "/nowhere:" + b.o.Path }, ""},

		{"a user's file is edited", "../home/.conf", opened, func(b *bench) { b.write("../home/.conf", "1") },
			func(b *bench) { b.write("../home/.conf", "2") }, "changed since"},
		{"another user has the same", "../home/.conf", opened, func(b *bench) { b.write("../home/.conf", "1") },
			func(b *bench) { b.write("../home2/.conf", "1"); b.o.Places.Home += "2" }, ""},
		{"another user has another", "../home/.conf", opened, func(b *bench) { b.write("../home/.conf", "1") },
			func(b *bench) { b.write("../home2/.conf", "2"); b.o.Places.Home += "2" }, "changed since"},
		{"another user has none", "../home/.conf", opened, func(b *bench) { b.write("../home/.conf", "1") },
			func(b *bench) { b.o.Places.Home += "2" }, "is gone"},
		{"home isn't known", "../home/.conf", opened, func(b *bench) { b.write("../home/.conf", "1") },
			func(b *bench) { b.o.Places.Home = "" }, "lies below a folder that isn't known here"},
		{"another node's TMPDIR", "../tmp/staged", opened, func(b *bench) { b.write("../tmp/staged", "1") },
			func(b *bench) { b.write("../tmp2/staged", "2"); b.o.Places.Tmp += "2" }, "changed since"},
	} {
		for _, memory := range []bool{false, true} {
			b := newBench(t)
			b.write("helpers.py", "1")
			b.write("data/a.csv", "1")
			if c.before != nil {
				c.before(b)
			}
			s := b.record(func(r *Recorder) {
				c.use(b, r, c.name)
				if memory { // so many that they have one
					for i := range 2 * fewToShare {
						r.Absent(b.path(fmt.Sprint("absent/", i)), "train.py")
					}
				}
			})
			tests = append(tests, func() {
				t.Run(fmt.Sprintf("%s/memory=%v", c.what, memory), func(t *testing.T) {
					b.TB = t
					if got := b.check(s); got != "" {
						t.Fatalf("before the change: %s", got)
					}
					if memory {
						b.mustRemember(s)
					}
					c.change(b)
					if got := b.check(s); !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
						t.Errorf("it says %q, not %q", got, c.want)
					}
				})
			})
		}
	}
	settle()
	for _, test := range tests {
		test()
	}
}

// settle waits until timestamps can be trusted.
func settle() { time.Sleep(2200 * time.Millisecond) }

// mustRemember fails unless all that can be believed of a set is remembered.
func (b *bench) mustRemember(s Set) {
	b.Helper()
	c := NewChecker(b.o)
	f, err := os.Open(b.o.Places.Dir)
	b.must(err)
	defer f.Close()
	if belief, _ := files.FilesystemOf(f); c.subject() == nil || belief != files.BelieveStat {
		return
	}
	m := c.recall(s)
	for i, o := range s.list {
		path, _ := b.o.Places.find(o.Name)
		if m.slots[i] < 0 {
			continue
		}
		if id, _, err := b.o.Digests.Stat(path); err != nil || !m.has(i, &id) {
			b.Errorf("%s isn't remembered", path)
		}
	}
}

// program makes a file that can be executed.
func (b *bench) program(name string) {
	b.Helper()
	b.write(name, "#!/bin/sh\n")
	b.must(os.Chmod(b.path(name), 0o755))
}
