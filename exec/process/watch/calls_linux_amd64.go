package watch

import (
	"golang.org/x/sys/unix"
)

const (
	sysFstatat = unix.SYS_NEWFSTATAT
	// nativeArch is how the kernel calls this architecture, and machine how ELF
	// does.
	nativeArch = unix.AUDIT_ARCH_X86_64
	machine    = 62
	// foreignNumbers begin the calls of the x32 ABI.
	foreignNumbers = 0x40000000
)

// foreignArch has calls of its own numbers: those of i386.
const foreignArch = unix.AUDIT_ARCH_I386

// Of foreign programs we follow what they execute, and know that they opened
// something.
var foreignCalls = []call{
	{nr: 5, op: opOpen},
	{nr: 8, op: opCreate},
	{nr: 11, op: opExecute, dir: -1, name: 0, flags: -1},
	{nr: 295, op: opOpen},
	{nr: 358, op: opExecute, dir: 0, name: 1, flags: 4},
	{nr: 437, op: opOpen2},
}

// archCalls are those that younger architectures have no more.
var archCalls = []call{
	{nr: unix.SYS_OPEN, op: opOpen, dir: -1, name: 0, flags: 1},
	{nr: unix.SYS_CREAT, op: opCreate, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_STAT, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LSTAT, op: opLookLink, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_ACCESS, op: opLook, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_READLINK, op: opReadlink, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_GETDENTS, op: opList, dir: 0, name: -1, flags: -1},
	{nr: unix.SYS_RENAME, op: opRename, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LINK, op: opLink, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_UNLINK, op: opRemove, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_RMDIR, op: opRemove, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_MKDIR, op: opMake, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_MKNOD, op: opMake, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_SYMLINK, op: opMake, dir: -1, name: 1, flags: -1},
	{nr: unix.SYS_CHMOD, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_CHOWN, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_LCHOWN, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_UTIME, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_UTIMES, op: opChange, dir: -1, name: 0, flags: -1},
	{nr: unix.SYS_FUTIMESAT, op: opChange, dir: 0, name: 1, flags: -1, when: []cond{{1, nonzero64, nil}}},
	{nr: unix.SYS_ALARM, op: opTimer, dir: -1, name: -1, flags: -1},
	{nr: unix.SYS_USELIB, op: opBlind, dir: -1, name: -1, flags: -1, text: "uselib"},
}

// restartAnyway makes a call that a signal interrupted begin anew after the
// handler, whatever the handler's flags; it reports whether it was such a call.
func restartAnyway(regs *unix.PtraceRegs, _ func(uint64) uint32) bool {
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

// interrupted is the call that a stopped thread was in.
func interrupted(regs *unix.PtraceRegs) (nr uint64, args [6]uint64) {
	return regs.Orig_rax, [6]uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9}
}
