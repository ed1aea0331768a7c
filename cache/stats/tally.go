package stats

import (
	"sync"
	"time"
)

// tallyEvery is how often the counts of what goes on for long are added to the
// statistics, at most: a kill loses those since.
const tallyEvery = 100 * time.Millisecond

// Tally adds counts to the statistics as they grow. It may be used by many goroutines.
type Tally struct {
	Stats     *Stats // nil: none are kept
	Namespace string

	mu           sync.Mutex // over all that follows
	told, latest Counts
	at           time.Time // when they were told
	due          bool      // they will be, soon
}

// Tell adds what has been counted since the last time: now, or soon, if the last time
// was just now and it is not the end.
func (t *Tally) Tell(counts Counts, end bool) {
	if t == nil {
		return
	}
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

func (t *Tally) add() {
	if t.latest == t.told {
		return
	}
	delta := t.latest
	for i, n := range t.told {
		delta[i] -= n
	}
	t.Stats.Add(t.Namespace, delta)
	t.told, t.at = t.latest, time.Now()
}
