//go:build amd64 || arm64

package trap

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is struct seccomp_notif: a call that waits for our answer.
type Notification struct {
	ID    uint64
	PID   uint32 // the thread's
	flags uint32
	Nr    int32
	Arch  uint32
	ip    uint64
	Args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

const (
	ioctlIDValid   = 0x40082102 // SECCOMP_IOCTL_NOTIF_ID_VALID
	ioctlSetFlags  = 0x40082104 // SECCOMP_IOCTL_NOTIF_SET_FLAGS
	letGo          = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	noNewPrivs     = unix.PR_SET_NO_NEW_PRIVS
	capSysAdmin    = 21
	capsVersion3   = 0x20080522
	filterListener = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV |
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
)

// Refused says why the kernel takes no filter.
type Refused struct {
	Reason string
	Err    error
}

func (e *Refused) Error() string { return e.Reason + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Refused) Unwrap() error { return e.Err }

// Install puts the filter before the calls of this thread, and of what is
// started from it, for ever. The thread must be locked and never be unlocked.
// An error is a *Refused.
// restricted has set-user-ID files lose their meaning by that, as it must be for all that
// aren't Privileged.
func Install(restricted bool) (listener int, err error) {
	if restricted {
		if err := unix.Prctl(noNewPrivs, 1, 0, 0, 0); err != nil {
			return -1, &Refused{Reason: "the kernel has no no_new_privs", Err: err}
		}
	}
	program := filter()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, filterListener, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	switch errno {
	case 0:
	case unix.EBUSY:
		return -1, &Refused{Reason: "another program watches already", Err: errno}
	case unix.EINVAL, unix.ENOSYS:
		return -1, &Refused{Reason: "the kernel is too old, or none of Linux", Err: errno}
	default:
		return -1, &Refused{Reason: "it is forbidden here", Err: errno}
	}
	// Without it a call takes 20 µs in place of 5, and is interrupted by a
	// signal far more often.
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, ioctlSetFlags, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); errno != 0 {
		unix.Close(int(fd))
		return -1, &Refused{Reason: "the kernel is older than Linux 6.6", Err: errno}
	}
	return int(fd), nil
}

// Privileged reports whether a filter needs no no_new_privs.
func Privileged() bool {
	header := unix.CapUserHeader{Version: capsVersion3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<capSysAdmin) != 0
}

// Receive waits for the next call. EINTR and ENOENT mean: try again.
func Receive(listener int, n *Notification) unix.Errno {
	*n = Notification{} // the kernel wants zeros
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n)))
	return errno
}

// LetThrough lets a call go on as if nothing had been.
func LetThrough(listener int, id uint64) {
	a := answer{id: id, flags: letGo}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
		if errno != unix.EINTR {
			return
		}
	}
}

// Waits reports whether a call still waits for its answer: if not, its process
// was killed, and its number may be another's.
func Waits(listener int, id uint64) bool {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), ioctlIDValid, uintptr(unsafe.Pointer(&id)))
	return errno == 0
}
