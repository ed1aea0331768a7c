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

// keepsAll is a store that deletes nothing, and stores one number.
type keepsAll struct {
	cache.Store
	stored *int
}

func (s keepsAll) Update(ctx context.Context, id cache.ID, gen cache.Generation, change func(*cache.Entry) *cache.Entry) error {
	if *s.stored++; *s.stored > 1 {
		return errors.New("the disk is full")
	}
	return s.Store.Update(ctx, id, gen, change)
}

func (keepsAll) Delete(context.Context, cache.ID) (bool, error) {
	return false, errors.New("the disk is read-only")
}

// TestRefreshThatForgetsNothing: an evaluation too short to be stored takes the
// place of nothing, so under --refresh the entry goes; who has it still is told, and so is
// who has it since the disk is full.
func TestRefreshThatForgetsNothing(t *testing.T) {
	var warned []string
	memo := &Memo{
		Store:   keepsAll{cache.NewMemory(), new(int)},
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
	q.TimeThreshold, warned = 0, nil
	if a, err := memo.Answer(ctx, q); err != nil || a.Unstored == "" {
		t.Fatal(a, err)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "the disk is full; the number is not stored, and the one that --refresh was to replace, if there is any, still answers") {
		t.Errorf("it warned %q", warned)
	}
}
