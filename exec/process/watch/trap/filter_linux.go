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

// in is an instruction of a filter.
type in = unix.SockFilter

const (
	load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	je   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	jge  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	jset = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	ja   = unix.BPF_JMP | unix.BPF_JA
	ret  = unix.BPF_RET | unix.BPF_K
)

// Where filters end.
var (
	allow = in{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	tell  = in{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF}
)

// filter is the program that the kernel runs before each system call. What it
// doesn't tell us of is let through at once.
func filter() []in {
	program := make([]in, 0, 512)
	program = append(program,
		in{Code: load, K: dataArch},
		in{Code: je, K: NativeArch, Jf: 1, Jt: 0},
		in{Code: ja, K: uint32(2*len(ForeignCalls)) + 4},
		in{Code: je, K: ForeignArch, Jt: 1},
		tell, // an architecture that nobody has heard of: known to be unseen
		in{Code: load, K: dataNr})
	for _, c := range ForeignCalls {
		program = append(program, in{Code: je, K: uint32(c.Nr), Jf: 1}, tell)
	}
	program = append(program, allow, in{Code: load, K: dataNr})
	if ForeignNumbers > 0 {
		program = append(program,
			in{Code: je, K: math.MaxUint32, Jf: 1}, allow, // skipped by a debugger
			in{Code: jge, K: ForeignNumbers, Jf: 1}, tell)
	}
	sorted := make([]*Call, 0, len(calls))
	for _, c := range ByNumber() {
		if c != nil {
			sorted = append(sorted, c)
		}
	}
	return search(program, sorted)
}

// search adds the search for a call among some, which are sorted by number. It is no chain
// of them all, since the kernel goes through the filter for each number that there is when
// it gets it: through a chain that takes a fifth of a millisecond.
func search(program []in, calls []*Call) []in {
	if len(calls) > 8 {
		half := len(calls) / 2
		program = append(program, in{Code: jge, K: uint32(calls[half].Nr), Jf: 1}, in{Code: ja})
		from := len(program)
		program = search(program, calls[:half])
		program[from-1].K = uint32(len(program) - from)
		return search(program, calls[half:])
	}
	var always []int // where those are told from that are always told of
	for _, c := range calls {
		program = append(program, in{Code: je, K: uint32(c.Nr)})
		from := len(program)
		if len(c.when) == 0 {
			always = append(always, from)
			continue
		}
		for _, w := range c.when {
			program = test(program, w)
		}
		program = append(program, tell)
		program[from-1].Jf = uint8(len(program) - from)
	}
	program = append(program, allow, tell)
	for _, from := range always {
		program[from-1].Jt = uint8(len(program) - 1 - from)
	}
	return program
}

// test adds the test of an argument; what doesn't pass is let through.
func test(program []in, w cond) []in {
	low := in{Code: load, K: dataArgs + 8*uint32(w.arg)}
	program = append(program, low)
	switch w.kind {
	case isOne:
		for i, v := range w.of {
			program = append(program, in{Code: je, K: v, Jt: uint8(len(w.of) - i)})
		}
		program = append(program, allow)
	case isNone:
		for i, v := range w.of {
			program = append(program, in{Code: je, K: v, Jt: uint8(len(w.of) - i)})
		}
		program = append(program, in{Code: ja, K: 1}, allow)
	case hasNot:
		program = append(program, in{Code: jset, K: w.of[0], Jf: 1}, allow)
	case hasBits:
		program = append(program, in{Code: jset, K: w.of[0], Jt: 1}, allow)
	case atLeast:
		program = append(program, in{Code: jge, K: w.of[0], Jt: 1}, allow)
	case nonzero64:
		high := in{Code: load, K: low.K + 4}
		program = append(program, in{Code: je, K: 0, Jf: 3}, high, in{Code: je, K: 0, Jf: 1}, allow)
	}
	return program
}
