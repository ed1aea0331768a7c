//go:build unix

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// usersFile is the file in a session's folder in which each dvlcache below it locks
// a byte, at the offset of its process ID, for as long as it lives, and another one,
// at endingAt and that, when it has been asked to end. The kernel tells who holds a
// lock, by the ID that a process has for the one that asks.
const usersFile = "users"

const endingAt = 1 << 40

// joined is the session's file of users, which has to stay open.
var joined struct {
	once sync.Once
	file *os.File
}

// joinSession notes that we use a session's folder.
func joinSession(dir string) {
	joined.once.Do(func() {
		// Without one the session is an older dvlcache's, or doesn't wait for us.
		if f, err := os.Open(filepath.Join(dir, usersFile)); err == nil {
			joined.file = f
			lockByte(int64(os.Getpid()))
		}
	})
}

// leavingSession notes that we have been asked to end.
func leavingSession() {
	joined.once.Do(func() {})
	if joined.file != nil {
		lockByte(endingAt + int64(os.Getpid()))
	}
}

func lockByte(at int64) {
	lock := syscall.Flock_t{Type: syscall.F_RDLCK, Start: at, Len: 1}
	syscall.FcntlFlock(joined.file.Fd(), syscall.F_SETLK, &lock)
}

// user is a dvlcache below a session.
type user struct {
	pid    int // 0 if it has none for us
	ending bool
}

// users are those who use a session's folder.
func users(dir string) (all []user) {
	f, err := os.Open(filepath.Join(dir, usersFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	holder := func(from, to int64) (at int64, pid int, ok bool) {
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: from, Len: to - from}
		err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock)
		return lock.Start, int(lock.Pid), err == nil && lock.Type != syscall.F_UNLCK
	}
	var within func(from, to int64)
	within = func(from, to int64) {
		if from >= to {
			return
		}
		at, pid, ok := holder(from, to)
		if !ok {
			return
		}
		_, _, ending := holder(endingAt+at, endingAt+at+1)
		all = append(all, user{max(pid, 0), ending})
		within(from, at)
		within(at+1, to)
	}
	within(0, endingAt)
	return all
}

// awaitUsers waits for those below a session whose command has ended: what they
// evaluate would be lost with the folder. last is the signal that the command was
// passed, if any, which may not have reached them; it and others that come are
// passed on to them. late is the error of a signal that came now.
func awaitUsers(ui *terminal, dir string, signals <-chan os.Signal, last os.Signal) (late error) {
	const look, patience = 20 * time.Millisecond, 3
	left := users(dir)
	if len(left) == 0 {
		return nil
	}
	asked, told := 0, false
	ask := func(s syscall.Signal, again bool) {
		for _, u := range users(dir) {
			if u.pid > 1 && (again || !u.ending) {
				syscall.Kill(u.pid, s)
				syscall.Kill(u.pid, syscall.SIGCONT)
			}
		}
	}
	start := time.Now()
	every := time.NewTicker(look)
	defer every.Stop()
	for ; len(left) > 0 && asked < patience; left = users(dir) {
		if s, ok := last.(syscall.Signal); ok && time.Since(start) > 5*look {
			ask(s, false) // if they didn't get it, as all of a job may
			last = nil
		}
		if !told && time.Since(start) > time.Second {
			told = true
			ui.message(fmt.Sprintf("COMMAND has ended; waiting for %s below the session", plural(len(left), "dvlcache")), "a signal ends the wait, and them")
		}
		select {
		case s := <-signals:
			if !ends(s) {
				ask(s.(syscall.Signal), true)
				continue
			}
			asked++
			late = &signalError{s.(syscall.Signal)}
			if fromTerminal(s) {
				time.Sleep(5 * look) // who is in the foreground has it, too
				ask(s.(syscall.Signal), false)
			} else {
				ask(s.(syscall.Signal), asked > 1)
			}
		case <-every.C:
		}
	}
	return late
}
