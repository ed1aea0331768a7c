package exec

import (
	"sync"
	"time"

	"dvlcache/cache/stats"
)

// tallyEvery is how often the counts of what goes on for long are added to the
// statistics, at most: a kill loses those since.
const tallyEvery = 100 * time.Millisecond

// tally adds counts to the statistics as they grow. It may be used by many goroutines.
type tally struct {
	stats     *stats.Stats // nil: none are kept
	namespace string

	mu           sync.Mutex // over all that follows
	told, latest stats.Counts
	at           time.Time // when they were told
	due          bool      // they will be, soon
}

// tell adds what has been counted since the last time: now, or soon, if the last time
// was just now and it is not the end.
func (t *tally) tell(counts stats.Counts, end bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latest = counts
	wait := tallyEvery - time.Since(t.at)
	switch {
	case end || wait <= 0:
		t.add()
	case !t.due:
		t.due = true
		time.AfterFunc(wait, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.due = false
			t.add()
		})
	}
}

func (t *tally) add() {
	if t.latest == t.told {
		return
	}
	delta := t.latest
	for i, n := range t.told {
		delta[i] -= n
	}
	t.stats.Add(t.namespace, delta)
	t.told, t.at = t.latest, time.Now()
}
