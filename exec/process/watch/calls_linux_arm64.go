package watch

import (
	"golang.org/x/sys/unix"
)

const (
	sysFstatat = unix.SYS_FSTATAT
	// nativeArch is how the kernel calls this architecture, and machine how ELF
	// does.
	nativeArch = unix.AUDIT_ARCH_AARCH64
	machine    = 183
	// foreignNumbers: there are none.
	foreignNumbers = 0
)

// foreignArch has calls of its own numbers: those of 32-bit ARM.
const foreignArch = unix.AUDIT_ARCH_ARM

// Of foreign programs we follow what they execute, and know that they opened
// something.
var foreignCalls = []call{
	{nr: 5, op: opOpen},
	{nr: 8, op: opCreate},
	{nr: 11, op: opExecute, dir: -1, name: 0, flags: -1},
	{nr: 322, op: opOpen},
	{nr: 387, op: opExecute, dir: 0, name: 1, flags: 4},
	{nr: 437, op: opOpen2},
}

// archCalls are those that this architecture has alone.
var archCalls []call

// restartAnyway makes a call that a signal interrupted begin anew after the
// handler, whatever the handler's flags; it reports whether it was such a call.
// The kernel has set the thread back to its SVC instruction, and would answer
// EINTR if it stood there still; one instruction earlier it doesn't, and the
// loading of a constant or of another register may be done twice.
func restartAnyway(regs *unix.PtraceRegs, instruction func(uint64) uint32) bool {
	if instruction(regs.Pc) != 0xd4000001 {
		return false
	}
	before := instruction(regs.Pc - 4)
	constant := before&0x7f800000 == 0x52800000 // MOVZ
	register := before&0x7fe0ffe0 == 0x2a0003e0 // MOV, which is ORR with the zero register
	if !constant && !register {
		return false
	}
	regs.Pc -= 4
	return true
}

// interrupted is the call that a stopped thread was in.
func interrupted(regs *unix.PtraceRegs) (nr uint64, args [6]uint64) {
	return regs.Regs[8], [6]uint64(regs.Regs[:6])
}
