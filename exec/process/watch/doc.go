// Package watch sees which files a program, and all that it starts, uses.
//
// # How
//
// A seccomp filter tells us of each system call that has a file's name in it
// (SECCOMP_RET_USER_NOTIF), and of few others; the caller waits until we let it
// go on (SECCOMP_USER_NOTIF_FLAG_CONTINUE). In between the name is read from its
// memory, resolved as the kernel will, and looked at, so that what is noted is
// what was there before the program got its answer.
//
// The filter is put before a thread of our own (start_linux.go), from which the
// command is started and inherits it: there is no shim to execute. The thread
// is stuck in vfork(2) until the command is executed, and holds what the Go
// scheduler needs, so no goroutine may be needed to answer that execve(2): the
// keeper does (trap/keeper_linux.go), a fork of us that runs a loop of bare system
// calls. It also answers for what outlives the command, and for all when we
// are killed: a call that we had received is known to it by the memory that the
// kernel writes it to.
//
// # What was measured, and chosen
//
// On Linux 6.18, in a virtual machine with 2 processors, in µs for a stat(2) of
// one name in a loop: bare 0.8; told of to a program in C that only reads the name
// 7.4; this package 8.8; ptrace(2) with SECCOMP_RET_TRACE, in C, 14.7 to 15.2,
// which would take the place of every debugger that the program uses as well. A
// Python program that imports sklearn and pandas makes 8,458 such calls in 0.6 s;
// the C program slows it by 16 %, this package by 20 to 30: between two address
// spaces the processor's caches are colder than in a loop, and the Go runtime's
// own watchman (sysmon) wakes up some 3,000 times. The start of a program costs
// 0.9 ms more.
//
// But a call that a signal interrupts before we receive it ends with EINTR where
// the handler has no SA_RESTART, which stat(2) never does without us, and the
// kernel has no flag against it (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV begins
// at the receipt). Under a timer of 1 ms Python's os.path.exists was wrong 438
// times in 200,000. So both are used: notifications for calls, and, for those
// processes alone that such signals may come to, ptrace for signals
// (guard_linux.go): it changes the return code that the kernel holds for the
// interrupted call (ERESTARTSYS) into the one that lets it begin anew
// (ERESTARTNOINTR). After that it was wrong 0 times in 3,000,000, and the calls
// cost what they cost without.
//
// # What can't be watched
//
// Before the start that is an *Unavailable. Later, Trace.Unwatchable: the tree is
// ended just before it does what would fail (a set-user-ID program under
// no_new_privs, which all but root need for the filter; a filter with
// SECCOMP_RET_TRACE or a listener of the program's own), and has to be run anew.
// What goes on as it should, but unseen, is in Trace.Unseen.
//
// # Limits
//
// Not told of are names given together with AT_EMPTY_PATH, which nearly always
// is fstat(2); memory that a program changes while it is in a call; a shell's
// byte by byte reading of the empty stdin. SIGINT, or another signal from
// outside, may interrupt a call with EINTR unless BeforeSignal was called.
package watch
