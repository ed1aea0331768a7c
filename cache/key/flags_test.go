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
