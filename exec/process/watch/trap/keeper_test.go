//go:build linux && (amd64 || arm64)

package trap

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKeeperLeavesHeap: a keeper has no part in the heap where our stack lies, so that none
// of it is copied when we write to it.
func TestKeeperLeavesHeap(t *testing.T) {
	var heap []byte
	var all [][]byte
	var here byte
	const arena = 64 << 20
	for heap == nil {
		b := make([]byte, 1<<20)
		if all = append(all, b); uintptr(unsafe.Pointer(&b[0]))/arena == uintptr(unsafe.Pointer(&here))/arena {
			heap = b
		} else if len(all) == 1000 {
			t.Fatal("there is none")
		}
	}
	for i := range heap {
		heap[i] = 1
	}
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
	there, pages := 0, 0
	for at := 0; at < len(heap); at += pageSize {
		var b [1]byte
		local := []unix.Iovec{{Base: &b[0], Len: 1}}
		remote := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&heap[at])), Len: 1}}
		if _, err := unix.ProcessVMReadv(k.pid, local, remote, 0); err == nil {
			there++
		} else if err != unix.EFAULT {
			t.Fatal(err)
		}
		pages++
	}
	k.TakeOver(false, false)
	k.Wait()
	runtime.KeepAlive(heap)
	if there > pages/2 { // beside the stack some may be
		t.Errorf("it has %d of %d pages", there, pages)
	}
}

const pageSize = 4096
