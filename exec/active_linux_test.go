package exec

import (
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestLiveness: what tells whether a dvlcache that evaluated is there still.
func TestLiveness(t *testing.T) {
	us := strings.Split(ourselves(), ".")
	child := osexec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(child.Process.Pid)
	began, _ := beginning(child.Process.Pid)
	it := strings.Join([]string{us[0], pid, began}, ".")
	for _, c := range []struct {
		what, process string
		want          liveness
	}{
		{"we ourselves", ourselves(), alive},
		{"another", it, alive},
		{"its ID, which was another's before", strings.Join([]string{us[0], pid, "1"}, "."), dead},
		{"an ID that nobody has", us[0] + ".4194304.1", dead},
		{"another machine", strings.Join([]string{"9" + us[0], pid, began}, "."), distant},
		{"another namespace", strings.Join([]string{us[0] + "9", pid, began}, "."), distant},
		{"what we don't know", "a.b", alive},
		{"all processes", us[0] + ".-1.1", alive},
		{"none", "", alive},
	} {
		if got := livenessOf(c.process); got != c.want {
			t.Errorf("%s: %v, not %v", c.what, got, c.want)
		}
	}
	child.Process.Kill()
	for {
		if _, living := beginning(child.Process.Pid); !living {
			break
		}
	}
	if got := livenessOf(it); got != dead {
		t.Errorf("a zombie: %v", got)
	}
	child.Wait()
	if got := livenessOf(it); got != dead {
		t.Errorf("one that has ended: %v", got)
	}
	t.Setenv(ActiveVariable, "x@"+it+" y@"+ourselves()+" z")
	if got := strings.Join(active(), " "); got != "y@"+ourselves()+" z" {
		t.Errorf("handed on is %q", got)
	}
	os.Unsetenv(ActiveVariable)
}
