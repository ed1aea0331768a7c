package inputs

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dvlcache/cache/internal/digest"
)

// draw returns observations that may disagree with each other: names, sums and
// programs are few.
func draw(t *rapid.T, label string) []Observation {
	name := rapid.SampledFrom([]string{
		"/", "/usr/lib/python3/os.py", "/usr/lib/python3/os/path.py", "/proj/a b", "/proj/../x", "/proj/\xff\n",
		"$HOME", "$HOME/data.csv", "$TMPDIR/t", "$PROJECT/train.py", "/dev/shm/d", "/proj/venv/lib/python3.12/x.py",
	})
	one := rapid.Custom(func(t *rapid.T) Observation {
		o := Observation{
			Name: name.Draw(t, "name"),
			Kind: Kind(rapid.IntRange(0, int(kinds)-1).Draw(t, "kind")),
			By:   rapid.SampledFrom([]string{"train.py", "sh", ""}).Draw(t, "by"),
		}
		switch o.Kind {
		case Contents:
			o.Sum = digest.Digest{byte(rapid.IntRange(0, 1).Draw(t, "sum"))}
			o.Executable = rapid.Bool().Draw(t, "executable")
		case Stat:
			o.Size, o.Mtime = rapid.Int64Range(0, 2).Draw(t, "size"), rapid.Int64().Draw(t, "mtime")
			o.Unreadable = rapid.Bool().Draw(t, "unreadable")
		case Listing:
			o.Sum, o.Names, o.Kinds = digestNames(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Entry {
				return Entry{rapid.StringN(1, 3, -1).Draw(t, "name"), rapid.SampledFrom([]fs.FileMode{0, fs.ModeDir, fs.ModeSymlink, fs.ModeIrregular, fs.ModeSocket}).Draw(t, "type")}
			}), 0, 3).Draw(t, "names"))
			if rapid.Bool().Draw(t, "old") {
				o.Kinds = ""
			}
		case Link:
			o.Target = rapid.SampledFrom([]string{"x", "../x", "/usr/x", "$HOME/x", "./$HOME/x"}).Draw(t, "target")
		case Place:
			o.Name = rapid.SampledFrom([]string{"$HOME", "$TMPDIR"}).Draw(t, "place")
			o.Target = rapid.SampledFrom([]string{"/home/u", "/tmp"}).Draw(t, "folder")
		case Untracked:
			o.By = ""
		case Search:
			o.Name = rapid.SampledFrom([]string{"python3", "$x"}).Draw(t, "program")
			o.Target = rapid.SampledFrom([]string{"", "/usr/bin/python3", "$HOME/bin/python3"}).Draw(t, "found")
		}
		return o
	})
	return rapid.SliceOfN(one, 0, 12).Draw(t, label)
}

// drawSet returns a set: what draw returns without what disagrees.
func drawSet(t *rapid.T, label string) Set {
	var s Set
	for _, o := range draw(t, label) {
		one, ok := NewSet([]Observation{o})
		if !ok {
			t.Fatalf("%+v disagrees with itself", o)
		}
		if both, ok := Unite(s, one); ok {
			s = both
		}
	}
	return s
}

func TestEncodeParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t, "set")
		b := s.Encode([]byte("before"))
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Fatal("what stood before it is lost")
		}
		b = b[len("before"):]
		got, err := Parse(b)
		if err != nil || !got.Equal(s) {
			t.Fatalf("%+v is parsed as %+v, %v", s.list, got.list, err)
		}
		if got.Sum() != s.Sum() || !bytes.Equal(got.Encode(nil), b) {
			t.Fatal("equal sets don't encode equally")
		}
	})
}

// TestNewSetOrder: a set is the same in whatever order its observations come, and how
// often.
func TestNewSetOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := draw(t, "list")
		a, ok := NewSet(list)
		other := rapid.Permutation(slices.Concat(list, list)).Draw(t, "other")
		b, also := NewSet(other)
		if ok != also || !a.Equal(b) {
			t.Fatalf("%v %+v in one order, %v %+v in another", ok, a.list, also, b.list)
		}
	})
}

func TestUnite(t *testing.T) {
	unite := func(sets ...Set) (s Set, ok bool) {
		for i := range sets {
			if s, ok = Unite(s, sets[i]); !ok {
				return Set{}, false
			}
		}
		return s, ok
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawSet(t, "a"), drawSet(t, "b"), drawSet(t, "c")
		if same, ok := Unite(a, a); !ok || !same.Equal(a) {
			t.Fatalf("%+v with itself is %+v, %v", a.list, same.list, ok)
		}
		ab, ok := Unite(a, b)
		ba, also := Unite(b, a)
		if ok != also || !ab.Equal(ba) {
			t.Fatalf("a with b is %v %+v, b with a %v %+v", ok, ab.list, also, ba.list)
		}
		left, ok := unite(a, b, c)
		bc, also := Unite(b, c)
		var right Set
		if also {
			right, also = Unite(a, bc)
		}
		if ok != also || !left.Equal(right) {
			t.Fatalf("(ab)c is %v %+v, a(bc) %v %+v", ok, left.list, also, right.list)
		}
		if ok {
			for _, o := range a.list {
				if !slices.ContainsFunc(left.list, func(l Observation) bool {
					return l.Name == o.Name && (l.Kind == o.Kind || l.Kind == Listing && o.Kind == Folder)
				}) {
					t.Fatalf("%+v is lost", o)
				}
			}
		}
	})
}

func TestUniteDisagrees(t *testing.T) {
	sum := digest.Digest{1}
	for _, c := range []struct {
		name string
		a, b Observation
		ok   bool
	}{
		{"other contents", Observation{Kind: Contents}, Observation{Kind: Contents, Sum: sum}, false},
		{"other mode", Observation{Kind: Contents}, Observation{Kind: Contents, Executable: true}, false},
		{"there and absent", Observation{Kind: Contents}, Observation{Kind: Absent}, false},
		{"looked at and absent", Observation{Kind: Stat}, Observation{Kind: Absent}, false},
		{"a file and a folder", Observation{Kind: Stat}, Observation{Kind: Folder}, false},
		{"state and input", Observation{Kind: Contents}, Observation{Kind: State}, false},
		{"other names", Observation{Kind: Listing}, Observation{Kind: Listing, Sum: sum}, false},
		{"other targets", Observation{Kind: Link, Target: "a"}, Observation{Kind: Link, Target: "b"}, false},
		{"read and looked at", Observation{Kind: Contents}, Observation{Kind: Stat, Size: 7}, true},
		{"looked at and listed", Observation{Kind: Folder}, Observation{Kind: Listing, Sum: sum}, true},
		{"a link and what it leads to", Observation{Kind: Link, Target: "a"}, Observation{Kind: Contents}, true},
		{"a dangling link", Observation{Kind: Link, Target: "a"}, Observation{Kind: Absent}, true},
		{"other programs", Observation{Kind: Absent, By: "a"}, Observation{Kind: Absent, By: "b"}, true},
	} {
		c.a.Name, c.b.Name = "/n", "/n"
		if _, ok := NewSet([]Observation{c.a, c.b}); ok != c.ok {
			t.Errorf("%s: agree is %v", c.name, ok)
		}
	}
}

func TestSplit(t *testing.T) {
	p := Places{Home: "/home/u", Tmp: "/scratch/u", Dir: "/proj/sub", Project: "/proj"}
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t, "set")
		shared, own := s.Split(p)
		both, ok := Unite(shared, own)
		if !ok || !both.Equal(s) || both.Len() != shared.Len()+own.Len() {
			t.Fatalf("%+v is parted in %+v and %+v", s.list, shared.list, own.list)
		}
	})
	for name, want := range map[string]bool{
		"/proj/train.py": true, "/proj/sub/d.csv": true, "/dev/shm/d.csv": true, "$TMPDIR/d.csv": true,
		"$PROJECT/x":             true, // not known here
		"/usr/lib/python3/os.py": false, "$HOME/.config/x": false, "/projshop/x": false, "/proj": true,
		"/proj/env/lib/python3.12/site-packages/numpy/__init__.py": false, "/proj/env/lib64/python3.12/x.py": false,
		"/proj/node_modules/x.js": false, "/proj/renv/library/R-4.4/x/R/x.rdb": false, "/proj/.venv/bin/python": false,
		"/proj/lib/pythonic.py": true, "/proj/library/x": true,
	} {
		if got := p.owned(name); got != want {
			t.Errorf("%s is the experiment's own: %v, want %v", name, got, want)
		}
	}
}

func TestPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, other := drawSet(t, "set"), drawSet(t, "other")
		common, rest := s.Part(other)
		if both, ok := Unite(common, rest); !ok || !both.Equal(s) {
			t.Fatalf("%+v is parted in %+v and %+v", s.list, common.list, rest.list)
		}
		if also, _ := other.Part(s); !also.Equal(common) {
			t.Fatalf("they have %+v in common, and %+v", common.list, also.list)
		}
		if none, _ := rest.Part(other); none.Len() > 0 {
			t.Fatalf("%+v is in common, too", none.list)
		}
		if same, _ := s.Part(s); !same.Equal(s) {
			t.Fatalf("%+v has %+v in common with itself", s.list, same.list)
		}
	})
}

// TestSize: four thousand names take no more than a quarter of a megabyte.
func TestSize(t *testing.T) {
	s := manyNames(4000)
	if size := len(s.Encode(nil)); size > 250_000 {
		t.Errorf("%d names take %d bytes", s.Len(), size)
	}
}

// manyNames returns a set of that many files, as an interpreter reads them: in folders
// of twelve.
func manyNames(n int) Set {
	var list []Observation
	words := strings.Fields("linear_model ensemble preprocessing utils metrics tree neighbors datasets cluster impl base _testing")
	for i := range n {
		name := "/usr/lib/python3/dist-packages/sklearn/" + words[i/12%12] + "/" + words[i/144%12] + words[i/1728%12] + "/_" + words[i%12] + ".cpython-312.py"
		list = append(list, Observation{Name: name, Kind: Contents, By: "train.py", Sum: shortSum(name)})
	}
	s, _ := NewSet(list)
	return s
}

func shortSum(name string) digest.Digest { sum, _, _ := digestNames([]Entry{{Name: name}}); return sum }

func FuzzParse(f *testing.F) {
	f.Add(manyNames(3).Encode(nil))
	list := []Observation{
		{Name: "$HOME/a", Kind: Listing, By: "sh"}, {Name: "/b", Kind: Stat, Size: 3, Mtime: -1, Unreadable: true},
		{Name: "/b", Kind: Link, Target: "c"}, {Name: "sh", Kind: Search, Target: "/bin/sh"}, {Name: "/s", Kind: State},
		{Name: "/b/d", Kind: Absent}, {Name: "/b/e", Kind: Folder}, {Name: "/b/f", Kind: Contents, Executable: true},
	}
	list[0].Sum, list[0].Names, list[0].Kinds = digestNames([]Entry{{Name: "x"}, {"y", fs.ModeDir}})
	s, ok := NewSet(list)
	if !ok {
		f.Fatal("the seed disagrees")
	}
	f.Add(s.Encode(nil))
	f.Add([]byte{setVersion, 0, 0})
	f.Add([]byte{2, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if s.Len() != 0 {
				t.Fatal("there is a set beside an error")
			}
			return
		}
		again, err := Parse(s.Encode(nil))
		if err != nil || !again.Equal(s) {
			t.Fatalf("%+v is parsed as %+v, %v", s.list, again.list, err)
		}
		if same, ok := NewSet(s.list); !ok || !same.Equal(s) {
			t.Fatalf("%+v is no set", s.list)
		}
	})
}
