package trap

import (
	"golang.org/x/sys/unix"
)

const (
	sysFstatat = unix.SYS_FSTATAT
	// nativeArch is how the kernel calls this architecture, and machine how ELF
	// does.
	NativeArch = unix.AUDIT_ARCH_AARCH64
	Machine    = 183
	// foreignNumbers: there are none.
	ForeignNumbers = 0
)

// ForeignArch has calls of its own numbers: those of 32-bit ARM.
const ForeignArch = unix.AUDIT_ARCH_ARM

// Of foreign programs we follow what they execute, and know that they opened
// something.
var ForeignCalls = []Call{
	{Nr: 5, Op: OpOpen},
	{Nr: 8, Op: OpCreate},
	{Nr: 11, Op: OpExecute, Dir: -1, Name: 0, Flags: -1},
	{Nr: 322, Op: OpOpen},
	{Nr: 387, Op: OpExecute, Dir: 0, Name: 1, Flags: 4},
	{Nr: 437, Op: OpOpen2},
}

// archCalls are those that this architecture has alone.
var archCalls []Call

// RestartAnyway makes a call that a signal interrupted begin anew after the
// handler, whatever the handler's flags; it reports whether it was such a call.
// The kernel has set the thread back to its SVC instruction, and would answer
// EINTR if it stood there still; one instruction earlier it doesn't, and the
// loading of a constant or of another register may be done twice.
func RestartAnyway(regs *unix.PtraceRegs, instruction func(uint64) uint32) bool {
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

// Interrupted is the call that a stopped thread was in.
func Interrupted(regs *unix.PtraceRegs) (nr uint64, args [6]uint64) {
	return regs.Regs[8], [6]uint64(regs.Regs[:6])
}
