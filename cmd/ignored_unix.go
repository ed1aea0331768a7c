//go:build unix

package cmd

import (
	"os"
	"os/signal"
	"syscall"
)

// notify is signal.Notify for those signals that were not ignored when we were
// started: what nohup, or a script's &, has had ignored stays so, in us and in
// what we run. Go keeps a SIGHUP and a SIGINT ignored until they are asked for,
// and doesn't touch a SIGTSTP; of others it takes the place, and can't say what
// they were.
func notify(to chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) && !(s == syscall.SIGTSTP && stopIgnored()) {
			signal.Notify(to, s)
		}
	}
}

// keepIgnored has SIGQUIT ignored where SIGINT is: a script's & has both, and Go
// would print its stacks.
func keepIgnored() {
	if signal.Ignored(syscall.SIGINT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}
