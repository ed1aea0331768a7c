package process

import (
	"fmt"
	"os"
	"strings"
)

// ActiveVariable lists, in a program's environment, the calls that it is an
// evaluation of, so that one that calls itself gets an error and not a
// deadlock. Each is ID@PLACE.PID.START: what it is called, and the dvlcache that
// evaluates it. A server that an evaluation leaves behind goes on with the variable
// when that dvlcache has ended, and may ask for the number as anybody may.
const ActiveVariable = "DVLCACHE_ACTIVE"

// active are the evaluations that we are a part of, in the words of ActiveVariable,
// as far as they may be under way.
func active() (all []string) {
	for word := range strings.FieldsSeq(os.Getenv(ActiveVariable)) {
		if _, by, ok := strings.Cut(word, "@"); !ok || LivenessOf(by) != Dead {
			all = append(all, word)
		}
	}
	return all
}

// ActiveWith is what ActiveVariable is for an evaluation of ours of this ID.
func ActiveWith(id string) string {
	return strings.Join(append(active(), id+"@"+Self()), " ")
}

// Within says whether we are a part of an evaluation of this ID: Dead is no. Of two that
// are Distant the second can't be anybody else's.
func Within(id string) Liveness {
	in := Dead
	for _, word := range active() {
		its, by, known := strings.Cut(word, "@")
		switch {
		case its != id:
		case known && in == Dead && LivenessOf(by) == Distant:
			in = Distant
		default:
			return Alive
		}
	}
	return in
}

// RecursionError is a program whose evaluation asks for its own number.
type RecursionError struct{ Command string }

func (e *RecursionError) Error() string {
	return fmt.Sprintf("%s calls itself through dvlcache with the same key", e.Command)
}
