// Package parallel does many small things on all processors.
package parallel

import (
	"runtime"
	"sync"
)

// few is how many things one processor does as fast as several.
const few = 200

// Do does n things, each of which is no matter of the others, and returns when all are
// done.
func Do(n int, do func(i int)) {
	if n < few {
		for i := range n {
			do(i)
		}
		return
	}
	share := (n + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for from := 0; from < n; from += share {
		wg.Go(func() {
			for i := from; i < min(from+share, n); i++ {
				do(i)
			}
		})
	}
	wg.Wait()
}
