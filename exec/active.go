package exec

import (
	"os"
	"strings"
	"time"
)

// ActiveVariable lists, in a program's environment, the calls that it is an
// evaluation of, so that one that calls itself gets an error and not a
// deadlock. Each is ID@PLACE.PID.START: the entry's address, and the dvlcache that
// evaluates it. A server that an evaluation leaves behind goes on with the variable
// when that dvlcache has ended, and may ask for the number as anybody may.
const ActiveVariable = "DVLCACHE_ACTIVE"

// liveness is what is known of a dvlcache that evaluated.
type liveness int

const (
	dead    liveness = iota
	alive            // or it can't be told, as of an older dvlcache
	distant          // on another machine, or where processes have other IDs
)

// active are the evaluations that we are a part of, in the words of ActiveVariable,
// as far as they may be under way.
func active() (all []string) {
	for word := range strings.FieldsSeq(os.Getenv(ActiveVariable)) {
		if _, process, ok := strings.Cut(word, "@"); !ok || livenessOf(process) != dead {
			all = append(all, word)
		}
	}
	return all
}

// activeWith is what ActiveVariable is for the program of a call.
func (c *call) activeWith() string {
	return strings.Join(append(active(), c.id.String()+"@"+ourselves()), " ")
}

// recursion is a *RecursionError if we are a part of this call's evaluation. Of one
// that may be under way elsewhere its lease tells: it is waited for a moment only, and
// who holds it then is taken for it. A second one can't be anybody else's.
func (c *call) recursion() error {
	far := 0
	for _, word := range active() {
		id, process, known := strings.Cut(word, "@")
		switch {
		case id != c.id.String():
		case known && livenessOf(process) == distant && far == 0:
			far++
		default:
			return &RecursionError{c.Args[0]}
		}
	}
	if c.inDistant = far > 0; c.inDistant {
		c.WaitTimeout = time.Second
	}
	return nil
}
