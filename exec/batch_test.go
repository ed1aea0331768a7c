package exec

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/key"
	"dvlcache/cache/stats"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
)

// newTestBatch is a batch of sh, and what reads its lines, each a script.
func newTestBatch(t *testing.T, store cache.Store, scripts ...string) (*Batch, func() ([]Line, bool, error)) {
	t.Helper()
	dir := t.TempDir()
	extraction, err := number.ParseExtraction("last", false)
	if err != nil {
		t.Fatal(err)
	}
	var lines []Line
	for i, script := range scripts {
		lines = append(lines, Line{Number: i + 1, Input: script, Args: []string{"sh", "-c", script}})
	}
	batch := &Batch{
		Memo: &Memo{
			Store:   store,
			Stats:   stats.New(filepath.Join(dir, "stats")),
			Digests: key.NewDigests(filepath.Join(dir, "digests")),
			Runner:  &process.Runner{},
			Warn:    func(message, _ string) { t.Error(message) },
		},
		Query: Query{Args: []string{"sh"}, Paths: key.PathsAbsolute, Extraction: extraction},
		Jobs:  len(scripts),
		Emit:  func(a LineAnswer) error { return a.Err },
		Flush: func() error { return nil },
	}
	return batch, func() (group []Line, more bool, err error) {
		if lines == nil {
			return nil, false, io.EOF
		}
		group, lines = lines, nil
		return group, false, nil
	}
}

// TestBatchEmitFails: where an answer can't be handed on, none of those after it
// is, and what runs is ended.
func TestBatchEmitFails(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		batch, read := newTestBatch(t, cache.NewMemory(), "sleep 0.3; echo 1", "echo 2", "echo 3", "exec sleep 100")
		full := errors.New("full")
		emitted := 0
		batch.Unordered = unordered
		batch.Emit = func(LineAnswer) error {
			if emitted++; emitted == 2 {
				return full
			}
			return nil
		}
		if _, err := batch.Run(context.Background(), read); err != full || emitted != 2 {
			t.Errorf("unordered %v: %v after %d answers", unordered, err, emitted)
		}
	}
}

// onGet is a store that calls a function before it looks up.
type onGet struct {
	*bolt.Store
	f func(ids []cache.ID)
}

func newOnGet(t *testing.T, f func(ids []cache.ID)) onGet {
	store := bolt.NewSession(t.TempDir(), time.Minute, nil)
	t.Cleanup(func() { store.Close() })
	return onGet{store, f}
}

func (s onGet) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	s.f(ids)
	return s.Store.GetAll(ctx, ids)
}

// TestBatchEndedAtALookup: lines that are looked up when we are asked to end have
// no answer; they have not failed.
func TestBatchEndedAtALookup(t *testing.T) {
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(context.Background())
	store := newOnGet(t, func([]cache.ID) { cancel(ended) })
	batch, read := newTestBatch(t, store, "echo 1", "echo 2", "echo 3")
	batch.Emit = func(a LineAnswer) error {
		t.Errorf("line %d is answered: %v", a.Number, a.Err)
		return nil
	}
	if state, err := batch.Run(ctx, read); err != ended || state.Done != 0 || state.Failed != 0 {
		t.Errorf("%v: %+v", err, state)
	}
}

// TestBatchEndedUnderALease: whoever waits for our turn, when we are asked to end
// before the program runs, is the next to have it, and the only one.
func TestBatchEndedUnderALease(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	next := make(chan *cache.Lease, 1)
	gets := 0
	var store onGet
	store = newOnGet(t, func(ids []cache.ID) {
		if gets++; gets != 2 { // the one under the lease
			return
		}
		go func() {
			lease, _ := store.Lease(context.Background(), ids[0], time.Minute)
			next <- lease
		}()
		time.Sleep(100 * time.Millisecond) // until it waits
		cancel()
	})
	batch, read := newTestBatch(t, store, "echo 1")
	batch.Run(ctx, read)
	lease := <-next
	if lease.State != cache.LeaseHeld {
		t.Errorf("the next one's lease is %v", lease.State)
	}
	lease.Release()
}

// TestBatchOfNoJobs: where it isn't said how many programs run at a time, one does.
func TestBatchOfNoJobs(t *testing.T) {
	batch, read := newTestBatch(t, cache.NewMemory(), "echo 1", "echo 2")
	batch.Jobs = 0
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if state, err := batch.Run(ctx, read); err != nil || state.Done != 2 {
		t.Errorf("%v: %+v", err, state)
	}
}
