package process

import (
	"runtime"
	"sync"
)

// spareThreads is how many threads Go has in hand while a program runs.
const spareThreads = 4

// spareUpThreads has Go make threads, which it keeps. A program may fork until its user
// may have no more processes, which threads are as well; and Go ends us where it needs
// one then and gets none.
func spareUpThreads() {
	var here, gone sync.WaitGroup
	here.Add(spareThreads)
	for range spareThreads {
		gone.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			here.Done()
			here.Wait()
		})
	}
	gone.Wait()
}
