package exec

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// keepsAll is a store that deletes nothing.
type keepsAll struct{ cache.Store }

func (keepsAll) Delete(context.Context, cache.ID) (bool, error) {
	return false, errors.New("the disk is read-only")
}

// TestRefreshThatForgetsNothing: an evaluation too short to be stored takes the
// place of nothing, so under --refresh the entry goes; who has it still is told.
func TestRefreshThatForgetsNothing(t *testing.T) {
	var warned []string
	memo := &Memo{
		Store:   keepsAll{cache.NewMemory()},
		Digests: key.NewDigests(""),
		Runner:  &process.Runner{},
		Warn:    func(message, _ string) { warned = append(warned, message) },
	}
	extraction, err := number.ParseExtraction("last", false)
	if err != nil {
		t.Fatal(err)
	}
	q := Query{Args: []string{"echo", "0.5"}, Paths: key.PathsAbsolute, Extraction: extraction}
	ctx := context.Background()
	if _, err := memo.Answer(ctx, q); err != nil || warned != nil {
		t.Fatal(err, warned)
	}
	q.Refresh, q.TimeThreshold = true, time.Hour
	if a, err := memo.Answer(ctx, q); err != nil || a.Unstored == "" {
		t.Fatal(a, err)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "the disk is read-only; the number that --refresh was to replace is still stored") {
		t.Errorf("it warned %q", warned)
	}
}
