//go:build amd64 || arm64

package trap

import (
	"math"

	"golang.org/x/sys/unix"
)

// Where struct seccomp_data has what.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// filter is the program that the kernel runs before each system call. What it
// doesn't tell us of is let through at once.
func filter() []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		je   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jge  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		jset = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	type in = unix.SockFilter
	allow := in{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	tell := in{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF}

	var foreign []in
	for _, c := range ForeignCalls {
		foreign = append(foreign, in{Code: je, K: uint32(c.Nr), Jf: 1}, tell)
	}
	foreign = append(foreign, allow)

	program := []in{
		{Code: load, K: dataArch},
		{Code: je, K: NativeArch, Jf: 1, Jt: 0},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(foreign)) + 3},
		{Code: je, K: ForeignArch, Jt: 1},
		tell, // an architecture that nobody has heard of: known to be unseen
		{Code: load, K: dataNr},
	}
	program = append(program, foreign...)
	program = append(program, in{Code: load, K: dataNr})
	if ForeignNumbers > 0 {
		program = append(program,
			in{Code: je, K: math.MaxUint32, Jf: 1}, allow, // skipped by a debugger
			in{Code: jge, K: ForeignNumbers, Jf: 1}, tell)
	}
	for _, c := range calls {
		var tests []in
		for _, w := range c.when {
			low := in{Code: load, K: dataArgs + 8*uint32(w.arg)}
			tests = append(tests, low)
			switch w.kind {
			case isOne:
				for i, v := range w.of {
					tests = append(tests, in{Code: je, K: v, Jt: uint8(len(w.of) - i)})
				}
				tests = append(tests, allow)
			case isNone:
				for _, v := range w.of {
					tests = append(tests, in{Code: je, K: v, Jf: 1}, allow)
				}
			case hasNot:
				tests = append(tests, in{Code: jset, K: w.of[0], Jf: 1}, allow)
			case hasBits:
				tests = append(tests, in{Code: jset, K: w.of[0], Jt: 1}, allow)
			case atLeast:
				tests = append(tests, in{Code: jge, K: w.of[0], Jt: 1}, allow)
			case nonzero64:
				high := in{Code: load, K: low.K + 4}
				tests = append(tests, in{Code: je, K: 0, Jf: 3}, high, in{Code: je, K: 0, Jf: 1}, allow)
			}
		}
		tests = append(tests, tell)
		program = append(program, in{Code: je, K: uint32(c.Nr), Jf: uint8(len(tests))})
		program = append(program, tests...)
	}
	return append(program, allow)
}
