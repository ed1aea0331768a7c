package process

import (
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestLiveness: what tells whether a dvlcache that evaluated is there still.
func TestLiveness(t *testing.T) {
	us := strings.Split(Self(), ".")
	child := osexec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(child.Process.Pid)
	began, _ := beginning(child.Process.Pid)
	it := strings.Join([]string{us[0], pid, began}, ".")
	for _, c := range []struct {
		what, process string
		want          Liveness
	}{
		{"we ourselves", Self(), Alive},
		{"another", it, Alive},
		{"its ID, which was another's before", strings.Join([]string{us[0], pid, "1"}, "."), Dead},
		{"an ID that nobody has", us[0] + ".4194304.1", Dead},
		{"another machine", strings.Join([]string{"9" + us[0], pid, began}, "."), Distant},
		{"another namespace", strings.Join([]string{us[0] + "9", pid, began}, "."), Distant},
		{"what we don't know", "a.b", Alive},
		{"all processes", us[0] + ".-1.1", Alive},
		{"none", "", Alive},
	} {
		if got := LivenessOf(c.process); got != c.want {
			t.Errorf("%s: %v, not %v", c.what, got, c.want)
		}
	}
	child.Process.Kill()
	for {
		if _, living := beginning(child.Process.Pid); !living {
			break
		}
	}
	if got := LivenessOf(it); got != Dead {
		t.Errorf("a zombie: %v", got)
	}
	child.Wait()
	if got := LivenessOf(it); got != Dead {
		t.Errorf("one that has ended: %v", got)
	}
}
