package key

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--indices 1,4,7 --seed 3":              "indices=[1,4,7] seed=[3] []",
		"--indices 1 4 7 --seed=3":              "indices=[1 4 7] seed=[3] []",
		"17":                                    "[17]",
		"data.csv 1 4 7 -v":                     "v=[] [data.csv 1 4 7]",
		"-n -3 --lr -1e-3 --x -y":               "n=[-3] lr=[-1e-3] x=[] y=[] []",
		"--seed 1 --seed 2":                     "seed=[1 2] []",
		"indices=[1,4,7] +model=big --multirun": "indices=[[1,4,7]] +model=[big] multirun=[] []",
		"-m lr=0.1 seed=3":                      "m=[] lr=[0.1] seed=[3] []",
		"--x=":                                  "x=[] []",
		"http://a?b=c a,b=1 {}=2":               "[http://a?b=c a,b=1 {}=2]",
		"--a 1 -- --b 2 c=3":                    "a=[1] [--b 2 c=3]",
		"--" + strings.Repeat("n", 65) + " 1":   "[--" + strings.Repeat("n", 65) + " 1]",
		"--key 1 --value 2 --seconds 3":         "key=[1] value=[2] seconds=[3] []",
	} {
		flags, rest := Flags(strings.Fields(args))
		var got []string
		for _, f := range flags {
			got = append(got, fmt.Sprintf("%s=%v", f.Name, f.Values))
		}
		if text := strings.TrimSpace(strings.Join(got, " ") + " " + fmt.Sprint(rest)); text != want {
			t.Errorf("%s: %s, not %s", args, text, want)
		}
	}
}

// TestFlagsLoseNothing: each argument is a flag, a value, or among the rest.
func TestFlagsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		args := rapid.SliceOfN(rapid.SampledFrom([]string{"--a", "-a", "--b=1", "b=2", "1", "-1", "--", "-", "", "=", "--=", "x y", "?=1", "--a=", "é"}), 0, 8).Draw(t, "args")
		flags, rest := Flags(args)
		var got []string
		for _, f := range flags {
			if f.Name == "" {
				t.Fatalf("%q: a flag has no name", args)
			}
			got = append(got, f.Values...)
		}
		got = append(got, rest...)
		var want []string
		ended := false
		for _, arg := range args {
			name, value, assigns := strings.Cut(arg, "=")
			name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
			switch {
			case ended:
				want = append(want, arg)
			case arg == "--":
				ended = true
			case assigns && isName(name):
				want = append(want, value)
			case arg != "-" && strings.HasPrefix(arg, "-") && arg != "-1" && isName(name): // a flag that stands alone
			default:
				want = append(want, arg)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, not %q", args, got, want)
		}
	})
}

// TestUtility: behind launchers, what they start.
func TestUtility(t *testing.T) {
	script, tool, program := &Digest{1}, &Digest{2}, &Digest{3}
	for _, c := range []struct {
		args   string
		parts  []Part // of files and programs among the arguments
		name   string
		digest *Digest
		at     int
	}{
		{"./train.sh data.csv", []Part{{Kind: PartArgument, Items: []Item{{Text: "data.csv", Digest: script}}}}, "train.sh", program, 0},
		{"python3 -u src/train.py data.csv", []Part{{Kind: PartArgument, Items: []Item{{Text: "train.py", Path: PathBase, Digest: script}}}, {Kind: PartArgument, Items: []Item{{Text: "data.csv", Digest: tool}}}}, "train.py", script, 2},
		{"python3 -m pkg.train data.csv", []Part{{Kind: PartArgument, Items: []Item{{Text: "data.csv", Digest: tool}}}}, "python3", program, 0},
		{"timeout 5 python3 train.py", []Part{{Kind: PartInterpreter, Items: []Item{{Text: "/usr/bin/python3", Digest: tool}}}, {Kind: PartArgument, Items: []Item{{Text: "train.py", Digest: script}}}}, "train.py", script, 3},
		{"timeout 5 python3 -c 1 x", []Part{{Kind: PartInterpreter, Items: []Item{{Text: "/usr/bin/python3", Digest: tool}}}}, "python3", tool, 2},
		{"flock lock score data.csv", []Part{{Kind: PartArgument, Items: []Item{{Text: "lock", Digest: script}}}, {Kind: PartInterpreter, Items: []Item{{Text: "/bin/score", Digest: tool}}}}, "score", tool, 2},
		{"env A=1 B=2", nil, "env", program, 0},
	} {
		args := strings.Fields(c.args)
		command := &Command{Args: args, Parts: append([]Part{{Kind: PartProgram, Items: []Item{{Text: "/bin/" + strings.TrimPrefix(args[0], "./"), Digest: program}}}}, c.parts...)}
		if name, digest, at := command.Utility(); name != c.name || digest != c.digest || at != c.at {
			t.Errorf("%s: %s, %v, %d", c.args, name, digest, at)
		}
	}
	hidden := &Command{Parts: []Part{{Kind: PartProgram, Items: []Item{{Text: "/bin/python3", Digest: program}}}}}
	if name, digest, at := hidden.Utility(); name != "python3" || digest != program || at != 0 {
		t.Errorf("without arguments: %s, %v, %d", name, digest, at)
	}
	if name, digest, _ := (&Command{}).Utility(); name != "" || digest != nil {
		t.Errorf("without parts: %s, %v", name, digest)
	}
}
