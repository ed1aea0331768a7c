package process

import (
	"strings"
	"testing"
)

// TestActive: what may be under way is handed on, and what isn't is not.
func TestActive(t *testing.T) {
	us := Self()
	gone := "x@" + us[:strings.LastIndexByte(us, '.')+1] + "1"
	if us == "" {
		t.Skip("it can't be told")
	}
	t.Setenv(ActiveVariable, gone+" y@"+us+" z")
	if got := strings.Join(active(), " "); got != "y@"+us+" z" {
		t.Errorf("handed on is %q", got)
	}
	for id, want := range map[string]Liveness{"x": Dead, "y": Alive, "z": Alive, "w": Dead, "": Dead} {
		if got := Within(id); got != want {
			t.Errorf("within %s: %v", id, got)
		}
	}
	far := "x@9" + us
	t.Setenv(ActiveVariable, far)
	if got := Within("x"); got != Distant {
		t.Errorf("far away: %v", got)
	}
	t.Setenv(ActiveVariable, far+" "+far)
	if got := Within("x"); got != Alive {
		t.Errorf("twice far away: %v", got)
	}
}
