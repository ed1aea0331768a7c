package cmd

import (
	"context"
	"encoding/json"
	"fmt"

	"dvlcache/cache"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/placeholder"
	"dvlcache/exec/process"
	"dvlcache/exec/valuation"
)

// peeking is a store that is read without leaving a trace.
type peeking struct {
	cache.Store
	reader cache.Reader
}

// Get implements cache.Store.
func (p peeking) Get(ctx context.Context, id cache.ID) (*cache.Entry, cache.Generation, error) {
	return p.reader.Peek(ctx, id)
}

// GetAll implements cache.Grouper.
func (p peeking) GetAll(ctx context.Context, ids []cache.ID) []cache.Got {
	if l, ok := p.reader.(cache.Lister); ok {
		return l.PeekAll(ctx, ids)
	}
	all := make([]cache.Got, len(ids))
	for i, id := range ids {
		all[i].Entry, all[i].Gen, all[i].Err = p.reader.Peek(ctx, id)
	}
	return all
}

// UpdateAll implements cache.Grouper; nobody calls it, since nothing is run.
func (p peeking) UpdateAll(ctx context.Context, changes []cache.Change) []error {
	return cache.UpdateAll(ctx, p.Store, changes)
}

// plan says what a valuation would cost, and runs nothing. Which subsets a round asks
// hangs on the values of those before: it goes on as long as these are cached.
func (f *valueFlags) plan(ui *terminal, s *config.Settings, q exec.Query, v *valuation.Valuation, command *placeholder.Template, settings valueSettings) error {
	o, err := openWith(ui, s, key.ReadDigests)
	if err != nil {
		return err
	}
	defer o.close()
	memo := &exec.Memo{Digests: o.digests, Runner: &process.Runner{}, Warn: ui.warn, Observer: o.observer(s, q, true)}
	if reader, ok := o.store.(cache.Reader); ok && !s.NoCache {
		memo.Store = peeking{o.store, reader}
	}
	q.OnlyCached, q.Refresh = true, false
	a := newAsker(s, q, memo, command, settings.players)
	missing, anew := 0, anewTeller(ui)
	a.missing = func(m *inputs.Mismatch) {
		missing++
		anew(m)
	}
	known := 0
	for !v.Done() && missing == 0 {
		known += v.Pending()
		if err := a.ask(context.Background(), v.Pending(), v.Subset, v.Answer); err != nil {
			return err
		}
		if missing == 0 {
			err = v.Advance()
		}
		if err != nil {
			return err
		}
	}
	cost := valueCost{Subsets: v.Most(), Jobs: max(1, s.Jobs)}
	if v.Done() {
		cost.Subsets = known
	}
	if extra := settings.report.subsets(settings.Players); extra > 0 {
		if cost.Subsets += extra; v.Done() {
			curves := valuation.NewRemoval(v.Result(), settings.report.steps)
			known += extra
			if err := a.ask(context.Background(), extra, curves.Subset, func(int, float64, float64) {}); err != nil {
				return err
			}
		}
	}
	cost.Known, cost.Cached = known, known-missing
	cost.Missing = cost.Subsets - cost.Cached
	if a.hits > 0 {
		each := a.saved / float64(a.hits)
		left := each * float64(cost.Missing) / float64(cost.Jobs)
		cost.Each, cost.Left = &each, &left
	}
	if f.format == "json" {
		line, err := json.Marshal(cost)
		if err != nil {
			return err
		}
		return writeResult(string(line)+"\n", f.output)
	}
	return writeResult(cost.text(), f.output)
}

// valueCost is what a valuation would cost.
type valueCost struct {
	Subsets int      `json:"subsets"` // at most
	Known   int      `json:"known"`   // which of them are known by now
	Cached  int      `json:"cached"`  // of those
	Missing int      `json:"missing"` // at most
	Jobs    int      `json:"jobs"`
	Each    *float64 `json:"seconds_each"` // in the mean of those that are cached; nil: none is
	Left    *float64 `json:"seconds_left"`
}

func (c *valueCost) text() string {
	text := fmt.Sprintf("subsets   %d\ncached    %d", c.Subsets, c.Cached)
	if c.Known < c.Subsets {
		text += fmt.Sprintf(" of the first %d; their values decide which the others are", c.Known)
	}
	text += fmt.Sprintf("\nmissing   %d\n", c.Missing)
	switch {
	case c.Missing == 0:
		return text
	case c.Each == nil:
		return text + "time      not known, since none of them is cached\n"
	}
	return text + fmt.Sprintf("time      %s with --jobs %d: %s each, in the mean of those that are cached\n", duration(*c.Left), c.Jobs, duration(*c.Each))
}
