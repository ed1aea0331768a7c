//go:build linux && (amd64 || arm64)

package trap

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKeeperLeavesHeap: a keeper has no part in the heap where our stack lies, but for the
// stack, so that none of it is copied when we write to it.
func TestKeeperLeavesHeap(t *testing.T) {
	var silent [2]int
	if err := unix.Pipe2(silent[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(silent[0])
	defer unix.Close(silent[1])
	k, err := StartKeeper(silent[0], false)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Wait()
	defer k.TakeOver(false, false)
	const arena, page = 64 << 20, 4 << 10
	var here byte
	from := uintptr(unsafe.Pointer(&here)) &^ (arena - 1)
	kept := 0
	for at := from; at < from+arena; at += page {
		var b [1]byte
		remote := []unix.RemoteIovec{{Base: at, Len: 1}}
		_, err := unix.ProcessVMReadv(k.pid, []unix.Iovec{{Base: &b[0], Len: 1}}, remote, 0)
		if err == nil {
			kept++
		} else if err != unix.EFAULT {
			t.Fatal(err)
		}
	}
	if size := kept * page; size == 0 || size > 256<<10 {
		t.Errorf("it has %d bytes of it", size)
	}
}
