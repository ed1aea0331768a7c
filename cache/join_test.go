package cache

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"dvlcache/cache/key"
)

// TestJoinInAnyOrder: states of an entry that were stored side by side are one, in
// whatever order and however often they are joined.
func TestJoinInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for trial := range 500 {
		averaged := trial%2 == 0
		second := int64(1.7e9)
		state := func() *Entry {
			e := &Entry{Created: time.Unix(1.7e9-rng.Int64N(100), 0)}
			for range rng.IntN(4) {
				e.Begin(Inputs{Own: []byte{byte(rng.IntN(3))}})
				second++
				x := Sample{ID: NewSampleID(), Value: rng.Float64(), Time: time.Unix(second, 0)}
				s := e.FindOrAdd([]string{"last", "json:f1"}[rng.IntN(2)])
				if s.Count > 0 && !averaged {
					continue
				}
				s.Repeated = averaged
				s.Add(x, "x")
				e.Output = &Output{ID: x.ID, Time: x.Time, Text: []byte("x")}
				e.SetCommand(&key.Command{Args: []string{"x"}})
			}
			return e
		}
		states := []*Entry{state(), state(), state(), state()}
		var want []byte
		for range 6 {
			joined := &Entry{}
			for _, i := range append(rng.Perm(4), rng.IntN(4)) {
				joined.Join(states[i].clone())
			}
			for _, v := range joined.Variants() { // their order is no matter
				if len(v.Series) == 2 && v.Series[0].Extraction > v.Series[1].Extraction {
					v.Series[0], v.Series[1] = v.Series[1], v.Series[0]
				}
			}
			if got := joined.content(); want == nil {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Fatalf("trial %d: %s\nand %s", trial, got, want)
			}
		}
	}
}
