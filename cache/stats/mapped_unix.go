//go:build unix

package stats

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"dvlcache/cache/internal/files"
)

// addMapped adds to the counters in place. The file may be cut short, or the
// disk be full, under our feet: that faults, and counts nothing.
func addMapped(f *os.File, delta Counts) {
	files.Guard(func() error {
		page, err := syscall.Mmap(int(f.Fd()), 0, statsSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
		defer syscall.Munmap(page)
		for i, d := range delta {
			if d != 0 {
				atomic.AddInt64((*int64)(unsafe.Pointer(&page[countersAt+8*i])), d)
			}
		}
		return nil
	})
}
