package key

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// commands draws what Identify makes of calls.
func commands() *rapid.Generator[*Command] {
	digest := rapid.Custom(func(t *rapid.T) *Digest {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		d := &Digest{}
		copy(d[:ShortDigest], rapid.SliceOfN(rapid.Byte(), ShortDigest, ShortDigest).Draw(t, "digest"))
		return d
	})
	return rapid.Custom(func(t *rapid.T) *Command {
		texts := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "--x", "1,4,7", "[ 7, 1 ]", "--data=f.csv", "é\xff", "./train.sh"}), 1, 8)
		args := texts.Draw(t, "args")
		rules := Rules{Unordered: []string{"x"}, Ignore: []string{"data"}}
		parts, matched := (&parser{hints: true}).parse(rules, args[1:], nil)
		for i := range parts {
			parts[i].Flag, parts[i].Hint, parts[i].Hidden, parts[i].Place = "", "", "", 0
			parts[i].File = digest.Draw(t, "file")
			for j := range parts[i].Items {
				if parts[i].Form != FormSorted {
					parts[i].Items[j].Digest = digest.Draw(t, "item")
				}
			}
			if parts[i].Form == FormSorted {
				parts[i].Style, parts[i].Whole = sortedAsWritten(parts[i].Whole)
			}
		}
		parts = append(parts, Part{Kind: PartProgram, Items: []Item{{Text: "/p/" + args[0], Path: PathInProject, Digest: &Digest{1}}}},
			Part{Kind: PartDependency, Style: "tree", Items: []Item{{Text: "lib", Digest: &Digest{2}}}},
			Part{Kind: PartEnvironment, Name: "SEED", Form: FormUnset}, Part{Kind: PartStdin, File: &Digest{3}})
		for _, rule := range matched {
			parts = append(parts, Part{Kind: PartRule, Items: []Item{{Text: rule}}})
		}
		return &Command{Args: args, Dir: rapid.String().Draw(t, "dir"), Paths: PathsProject, TrackArgs: rapid.Bool().Draw(t, "track"),
			DependsOn: texts.Draw(t, "depends-on"), Parts: parts, Foreign: rapid.Bool().Draw(t, "foreign")}
	})
}

// sortedAsWritten is what sort makes of a text: its style, and the text.
func sortedAsWritten(text string) (style, whole string) {
	p := Part{Items: []Item{{Text: text}}}
	p.Sort()
	return p.Style, p.Whole
}

func TestCommandRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := commands().Draw(t, "command")
		got, err := ParseCommand(c.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Fatalf("got %+v, want %+v", got, c)
		}
	})
}

// subsets draws arguments that hold a subset, in the forms that programs take, and the
// rules that may be given with them.
func subsets() *rapid.Generator[*Command] {
	return rapid.Custom(func(t *rapid.T) *Command {
		var items []string
		switch n := rapid.IntRange(0, 600).Draw(t, "n"); rapid.SampledFrom([]string{"ordered", "any", "names", "odd"}).Draw(t, "kind") {
		case "ordered":
			for i, step := 0, rapid.IntRange(1, 3).Draw(t, "step"); len(items) < n; i += step {
				items = append(items, fmt.Sprint(i))
			}
		case "any":
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, 1<<40), n, n).Draw(t, "numbers") {
				items = append(items, fmt.Sprint(i))
			}
		case "names":
			for i := range n {
				items = append(items, fmt.Sprintf("img_%06d.png", i*i))
			}
		default: // what looks like numbers, and isn't read back as they are
			items = rapid.SliceOfN(rapid.SampledFrom([]string{"0", "00", "007", "7", "-7", "1e3", "999999999999999999999", "1.5", "", "a\x00b", "é"}), n, n).Draw(t, "odd")
		}
		rules := []Rules{{}, {Unordered: []string{"indices"}}, {Unordered: []string{"indices..."}}, {IgnoreSwitch: []string{"v"}, Ignore: []string{"job"}}}
		args := []string{"./train.sh", "-v"}
		switch rapid.SampledFrom([]string{"one", "many", "assigned", "flag", "positional"}).Draw(t, "form") {
		case "one":
			args = append(args, "--indices", strings.Join(items, ","))
		case "many":
			args = append(append(args, "--indices"), items...)
		case "assigned":
			args = append(args, "indices=["+strings.Join(items, ", ")+"]")
		case "flag":
			args = append(args, "--indices="+strings.Join(items, ","))
		default:
			args = append(args, items...)
		}
		args = append(args, "--job", "17", "--epochs=20")
		parts, matched := (&parser{hints: true}).parse(rapid.SampledFrom(rules).Draw(t, "rules"), args[1:], nil)
		for _, rule := range matched {
			parts = append(parts, Part{Kind: PartRule, Items: []Item{{Text: rule}}})
		}
		c := &Command{Args: args, Dir: "/d", Paths: PathsAbsolute, DependsOn: []string{}, Parts: parts}
		if rapid.Bool().Draw(t, "hidden") {
			c.Args, c.Parts = nil, Hidden(parts)
		}
		for i := range c.Parts { // what only messages need
			p := &c.Parts[i]
			p.Flag, p.Hint, p.Hidden, p.Place = "", "", "", 0
		}
		return c
	})
}

// TestSubsetRoundTrip: large subsets in all forms are read back to the letter, in their
// order, whatever the arguments look like.
func TestSubsetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := subsets().Draw(t, "command")
		b := c.Encode()
		got, err := ParseCommand(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, c) {
			t.Fatalf("got %+v, want %+v", got, c)
		}
		if args := EncodedArgs(b); !reflect.DeepEqual(args, c.Args) {
			t.Fatalf("the arguments are %q, want %q", args, c.Args)
		}
		for _, arg := range c.Args {
			if !Mentions(b, arg) {
				t.Fatalf("%q isn't mentioned", arg)
			}
		}
	})
}

// TestTooLong: of arguments that can't be kept there is a sum, which tells them apart.
func TestTooLong(t *testing.T) {
	args := []string{"./train.sh", "--indices"}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(110_000) {
		args = append(args, fmt.Sprint(i))
	}
	args = append(args, "--seed", "1")
	command := func() *Command {
		parts, _ := (&parser{hints: true}).parse(Rules{}, args[1:], nil)
		c := &Command{Args: args, Dir: "/d", Paths: PathsAbsolute, DependsOn: []string{}, Parts: parts}
		b := c.Encode()
		if len(b) > 1000 {
			t.Fatalf("%d bytes", len(b))
		}
		got, err := ParseCommand(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseCommand(got.Encode()); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%+v is read back as %+v, %v", got, again, err)
		}
		return got
	}
	a := command()
	if a.Args != nil || a.TooLong == nil || a.TooLong.Args != len(args)-1 || len(a.Parts) != 4 {
		t.Fatalf("%+v", a)
	}
	args[1000], args[1001] = args[1001], args[1000]
	if b := command(); a.TooLong.Sum == b.TooLong.Sum || a.TooLong.Bytes != b.TooLong.Bytes || reflect.DeepEqual(a.Parts[1], b.Parts[1]) || !reflect.DeepEqual(a.Parts[3], b.Parts[3]) {
		t.Fatalf("%+v, and in another order %+v", a, b)
	}
}

func BenchmarkParseCommand(b *testing.B) {
	for _, n := range []int{17, 400, 20_000} {
		args := []string{"./train.sh", "--indices"}
		for i := range n {
			args = append(args, fmt.Sprint(3*i))
		}
		args = append(args, "--epochs", "20")
		joined := []string{"./train.sh", "--indices", strings.Join(args[2:2+n], ","), "--epochs", "20"}
		for name, args := range map[string][]string{"many": args, "one": joined} {
			encoded := (&Command{Args: args, Dir: "/d", Paths: PathsAbsolute, Parts: ParseArguments(Rules{}, args[1:])}).Encode()
			b.Run(fmt.Sprintf("%s of %d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := ParseCommand(encoded); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(encoded)), "bytes")
			})
		}
	}
}

func FuzzCommand(f *testing.F) {
	f.Add((&Command{Args: []string{"./train.sh", "--x", "1,4"}, Dir: "/d"}).Encode())
	args := []string{"./train.sh", "--x"}
	for i := range 200 {
		args = append(args, fmt.Sprint(i*i))
	}
	parts, _ := (&parser{}).parse(Rules{Unordered: []string{"x..."}}, args[1:], nil)
	f.Add((&Command{Args: args, Dir: "/d", Parts: parts}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			return
		}
		encoded := c.Encode()
		again, err := ParseCommand(encoded)
		if err == nil && again.TooLong != nil && c.TooLong == nil {
			return // see TestTooLong
		}
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v is read back as %+v, %v", c, again, err)
		}
	})
}
