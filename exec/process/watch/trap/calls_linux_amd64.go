package trap

import (
	"golang.org/x/sys/unix"
)

const (
	sysFstatat = unix.SYS_NEWFSTATAT
	// nativeArch is how the kernel calls this architecture, and machine how ELF
	// does.
	NativeArch = unix.AUDIT_ARCH_X86_64
	Machine    = 62
	// foreignNumbers begin the calls of the x32 ABI.
	ForeignNumbers = 0x40000000
)

// ForeignArch has calls of its own numbers: those of i386.
const ForeignArch = unix.AUDIT_ARCH_I386

// Of foreign programs we follow what they execute, and know that they opened
// something.
var ForeignCalls = []Call{
	{Nr: 5, Op: OpOpen},
	{Nr: 8, Op: OpCreate},
	{Nr: 11, Op: OpExecute, Dir: -1, Name: 0, Flags: -1},
	{Nr: 295, Op: OpOpen},
	{Nr: 358, Op: OpExecute, Dir: 0, Name: 1, Flags: 4},
	{Nr: 437, Op: OpOpen2},
}

// archCalls are those that younger architectures have no more.
var archCalls = []Call{
	{Nr: unix.SYS_OPEN, Op: OpOpen, Dir: -1, Name: 0, Flags: 1},
	{Nr: unix.SYS_CREAT, Op: OpCreate, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_STAT, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LSTAT, Op: OpLookLink, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_ACCESS, Op: OpLook, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_READLINK, Op: OpReadlink, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_GETDENTS, Op: OpList, Dir: 0, Name: -1, Flags: -1},
	{Nr: unix.SYS_RENAME, Op: OpRename, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LINK, Op: OpLink, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_UNLINK, Op: OpRemove, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_RMDIR, Op: OpRemove, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_MKDIR, Op: OpMake, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_MKNOD, Op: OpMake, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_SYMLINK, Op: OpMake, Dir: -1, Name: 1, Flags: -1},
	{Nr: unix.SYS_CHMOD, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_CHOWN, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_LCHOWN, Op: OpTell, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_UTIME, Op: OpTime, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_UTIMES, Op: OpTime, Dir: -1, Name: 0, Flags: -1},
	{Nr: unix.SYS_FUTIMESAT, Op: OpTime, Dir: 0, Name: 1, Flags: -1},
	{Nr: unix.SYS_ALARM, Op: OpTimer, Dir: -1, Name: -1, Flags: -1},
	{Nr: unix.SYS_USELIB, Op: OpBlind, Dir: -1, Name: -1, Flags: -1, Text: "uselib"},
}

// RestartAnyway makes a call that a signal interrupted begin anew after the
// handler, whatever the handler's flags; it reports whether it was such a call.
func RestartAnyway(regs *unix.PtraceRegs, _ func(uint64) uint32) bool {
	const (
		restartSys   = -512 // ERESTARTSYS: EINTR unless the handler has SA_RESTART
		restartNoInt = -513 // ERESTARTNOINTR
	)
	if int64(regs.Rax) != restartSys || int64(regs.Orig_rax) < 0 {
		return false
	}
	no := int64(restartNoInt)
	regs.Rax = uint64(no)
	return true
}

// Interrupted is the call that a stopped thread was in.
func Interrupted(regs *unix.PtraceRegs) (nr uint64, args [6]uint64) {
	return regs.Orig_rax, [6]uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9}
}
