//go:build unix

package cmd

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// folderFaults: SIGKILL at any moment of a command that works in a folder which machines
// share, beside others that go on.
func folderFaults() (kinds []faultKind) {
	for _, c := range victimCommands {
		kinds = append(kinds, faultKind{name: "folder: SIGKILL of " + c.name, plan: func(rng *rand.Rand) (string, func(*victim)) {
			i, other := 1000+rng.IntN(5000), 7000+rng.IntN(1000)
			after := drawTime(rng, 2*c.lasts)
			beside, compacted := rng.IntN(3), rng.IntN(2) == 0
			return fmt.Sprintf("after %v, call %d, %d others, compacted: %v", after, i, beside, compacted), func(v *victim) {
				v.set("DVLCACHE_FOLDER", filepath.Join(v.dir, "shared"))
				v.batch(1, 30)
				if compacted {
					v.run("compact")
				}
				v.killBeside(c, i, beside, other, func() *started {
					p := v.start(c.stdin, nil, c.args(v, i)...)
					time.Sleep(after)
					return p
				})
				sound := func() {
					if r := v.run("check"); r.status != 0 {
						v.fail("check: status %d: %s%s", r.status, r.out, r.errs)
					}
				}
				sound()
				v.noneLost()
				// Of the calls that were under way the leases are waited for some seconds.
				for _, i := range []int{8000 + i%20, other + 3} {
					if said := v.ask(i); said != "" {
						v.fail("after it: %s", said)
					}
				}
				v.noneLost()
				sound()
			}
		}})
	}
	return kinds
}
