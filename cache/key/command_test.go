package key

import (
	"reflect"
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
		parts, matched := (&parser{hints: true}).parse(rules, args[1:])
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

func FuzzCommand(f *testing.F) {
	f.Add((&Command{Args: []string{"./train.sh", "--x", "1,4"}, Dir: "/d"}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			return
		}
		again, err := ParseCommand(c.Encode())
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v is read back as %+v, %v", c, again, err)
		}
	})
}
