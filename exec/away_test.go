package exec

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// silent is a store that can't be looked up at first, and says nothing after.
type silent struct {
	cache.Store
	asked atomic.Int64
}

func (s *silent) Get(ctx context.Context, _ cache.ID) (*cache.Entry, cache.Generation, error) {
	switch s.asked.Add(1) {
	case 1:
		return nil, cache.Generation{}, errors.New("no answer in time")
	case 2: // while the program runs
		<-ctx.Done()
		return nil, cache.Generation{}, context.Cause(ctx)
	}
	return nil, cache.Generation{}, errors.New("asked again after the program has ended")
}

// TestSilentStore: a program that ends sooner than a store says nothing isn't held up by
// asking that once more.
func TestSilentStore(t *testing.T) {
	store := &silent{Store: cache.NewMemory()}
	memo := &Memo{
		Store:   store,
		Digests: key.NewDigests(""),
		Runner:  &process.Runner{},
		Warn:    func(string, string) {},
	}
	extraction, err := number.ParseExtraction("last", false)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Args: []string{"sh", "-c", "sleep 0.3; echo 0.5"}, Paths: key.PathsAbsolute, Extraction: extraction}
	if a, err := memo.Answer(context.Background(), q); err != nil || a.Text != "0.5" {
		t.Fatal(a, err)
	}
	if n := store.asked.Load(); n != 2 {
		t.Errorf("it was asked %d times", n)
	}
}
