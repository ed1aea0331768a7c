//go:build linux && (amd64 || arm64)

package trap

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFilter: the filter tells of the calls of the table with the arguments that it
// names, and of no others.
func TestFilter(t *testing.T) {
	program := filter()
	interesting := []uint64{0, 1, 2, 0xffffffff, 1 << 32, 1<<32 | 1}
	for i := range calls {
		for _, w := range calls[i].when {
			for _, v := range w.of {
				interesting = append(interesting, uint64(v), uint64(v)-1, uint64(v)+1, uint64(v)|1<<40)
			}
		}
	}
	for nr := range uint32(600) {
		var c *Call
		if int(nr) < len(ByNumber()) {
			c = ByNumber()[nr]
		}
		for i := range len(interesting) * 6 * 3 {
			rest := []uint64{0, 1, 7}[i%3]
			args := [6]uint64{rest, rest, rest, rest, rest, rest}
			args[i/3%6] = interesting[i/18]
			if told, want := tells(t, program, NativeArch, nr, args), c != nil && c.Told(args); told != want {
				t.Fatalf("call %d with %x: told %v, not %v", nr, args, told, want)
			}
		}
		foreign := slices.ContainsFunc(ForeignCalls, func(c Call) bool { return uint32(c.Nr) == nr })
		if told := tells(t, program, ForeignArch, nr, [6]uint64{}); told != foreign {
			t.Errorf("foreign call %d: told %v", nr, told)
		}
		if !tells(t, program, 12345, nr, [6]uint64{}) {
			t.Errorf("call %d of an unknown architecture is not told", nr)
		}
		if ForeignNumbers > 0 && !tells(t, program, NativeArch, nr|ForeignNumbers, [6]uint64{}) {
			t.Errorf("call %d of the other ABI is not told", nr)
		}
	}
	if tells(t, program, NativeArch, 0xffffffff, [6]uint64{}) {
		t.Error("a call that a debugger skips is told")
	}
}

// tells runs a filter as the kernel does.
func tells(t *testing.T, program []unix.SockFilter, arch, nr uint32, args [6]uint64) bool {
	var data [64]byte
	binary.NativeEndian.PutUint32(data[dataNr:], nr)
	binary.NativeEndian.PutUint32(data[dataArch:], arch)
	for i, a := range args {
		binary.NativeEndian.PutUint64(data[dataArgs+8*i:], a)
	}
	var a uint32
	for at := 0; ; at++ {
		in, jump := program[at], false
		switch in.Code {
		case load:
			a = binary.NativeEndian.Uint32(data[in.K:])
			continue
		case ja:
			at += int(in.K)
			continue
		case ret:
			return in.K == unix.SECCOMP_RET_USER_NOTIF
		case je:
			jump = a == in.K
		case jge:
			jump = a >= in.K
		case jset:
			jump = a&in.K != 0
		default:
			t.Fatalf("instruction %d is %+v", at, in)
		}
		if jump {
			at += int(in.Jt)
		} else {
			at += int(in.Jf)
		}
	}
}
