package recorded

import (
	"strings"
	"testing"

	"dvlcache/cache/key"
)

// TestUtility: behind launchers, what they start.
func TestUtility(t *testing.T) {
	script, tool, program := &key.Digest{1}, &key.Digest{2}, &key.Digest{3}
	for _, c := range []struct {
		args   string
		parts  []key.Part // of files and programs among the arguments
		name   string
		digest *key.Digest
		at     int
	}{
		{"./train.sh data.csv", []key.Part{{Kind: key.PartArgument, Items: []key.Item{{Text: "data.csv", Digest: script}}}}, "train.sh", program, 0},
		{"python3 -u src/train.py data.csv", []key.Part{{Kind: key.PartArgument, Items: []key.Item{{Text: "train.py", Path: key.PathBase, Digest: script}}}, {Kind: key.PartArgument, Items: []key.Item{{Text: "data.csv", Digest: tool}}}}, "train.py", script, 2},
		{"python3 -m pkg.train data.csv", []key.Part{{Kind: key.PartArgument, Items: []key.Item{{Text: "data.csv", Digest: tool}}}}, "python3", program, 0},
		{"timeout 5 python3 train.py", []key.Part{{Kind: key.PartInterpreter, Items: []key.Item{{Text: "/usr/bin/python3", Digest: tool}}}, {Kind: key.PartArgument, Items: []key.Item{{Text: "train.py", Digest: script}}}}, "train.py", script, 3},
		{"timeout 5 python3 -c 1 x", []key.Part{{Kind: key.PartInterpreter, Items: []key.Item{{Text: "/usr/bin/python3", Digest: tool}}}}, "python3", tool, 2},
		{"flock lock score data.csv", []key.Part{{Kind: key.PartArgument, Items: []key.Item{{Text: "lock", Digest: script}}}, {Kind: key.PartInterpreter, Items: []key.Item{{Text: "/bin/score", Digest: tool}}}}, "score", tool, 2},
		{"env A=1 B=2", nil, "env", program, 0},
	} {
		args := strings.Fields(c.args)
		command := &key.Command{Args: args, Parts: append([]key.Part{{Kind: key.PartProgram, Items: []key.Item{{Text: "/bin/" + strings.TrimPrefix(args[0], "./"), Digest: program}}}}, c.parts...)}
		if name, digest, at := Utility(command); name != c.name || digest != c.digest || at != c.at {
			t.Errorf("%s: %s, %v, %d", c.args, name, digest, at)
		}
	}
	hidden := &key.Command{Parts: []key.Part{{Kind: key.PartProgram, Items: []key.Item{{Text: "/bin/python3", Digest: program}}}}}
	if name, digest, at := Utility(hidden); name != "python3" || digest != program || at != 0 {
		t.Errorf("without arguments: %s, %v, %d", name, digest, at)
	}
	if name, digest, _ := Utility(&key.Command{}); name != "" || digest != nil {
		t.Errorf("without parts: %s, %v", name, digest)
	}
}
