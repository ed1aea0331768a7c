package inputs

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"dvlcache/cache/key"
)

// Options are what recording and checking depend on. They have to be the same for
// both.
type Options struct {
	Places Places
	Rules  Rules
	// Path is PATH, along which programs are looked for.
	Path string
	// Digests finds the digests of files.
	Digests *key.Digests
	// Marks is what earlier evaluations left; it may be nil.
	Marks *Marks
	// Memory is a folder for what checks remember, so that the next one needn't
	// look up digests; it is made when it is first needed. Empty: none.
	Memory string
	// Still leaves no trace: nothing new is remembered.
	Still bool
}

// Checker looks whether sets hold. It may be used by many goroutines; it looks anew
// at each Check.
type Checker struct {
	o   Options
	out *leftOut
}

// NewChecker returns a Checker.
func NewChecker(o Options) *Checker { return &Checker{o, o.Rules.ready(&o.Places, o.Marks)} }

// Check returns nil if all that the sets say holds now. Else it returns what doesn't:
// the experiment's own files before the user's and these before the system's, files
// before listings. Its error is the context's.
func (c *Checker) Check(ctx context.Context, sets ...Set) (*Mismatch, error) {
	c.out.resolved.Clear() // links may have been turned
	var best *Mismatch
	for _, s := range sets {
		m, err := c.check(ctx, s)
		if err != nil {
			return nil, err
		}
		if m != nil && (best == nil || c.priority(&m.Observation) < c.priority(&best.Observation)) {
			best = m
		}
	}
	return best, nil
}

// fewNames is up to how many names are checked by one goroutine, without a memory of
// their own: the digests' is fast enough.
const fewNames = 32

func (c *Checker) check(ctx context.Context, s Set) (*Mismatch, error) {
	k := &checking{Checker: c, ctx: ctx, begun: time.Now(), list: s.list}
	if len(s.list) > fewNames && c.o.Memory != "" {
		k.memory = c.recall(s)
	}
	workers := min(runtime.GOMAXPROCS(0), len(s.list)/fewNames)
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(k.work)
	}
	k.work()
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if k.memory != nil && !c.o.Still {
		k.memory.keep()
	}
	return k.found, nil
}

// checking is one check of one set.
type checking struct {
	*Checker
	ctx    context.Context
	begun  time.Time
	list   []Observation
	memory *memory // or nil
	next   atomic.Int64
	wrong  atomic.Bool // found isn't nil

	mu    sync.Mutex
	found *Mismatch
	place int // its index
}

// work takes a share of the list.
func (k *checking) work() {
	const share = 16
	for {
		end := int(k.next.Add(share))
		for i := end - share; i < min(end, len(k.list)); i++ {
			o := &k.list[i]
			if k.ctx.Err() != nil {
				return
			}
			if k.wrong.Load() && !k.matters(i) {
				continue
			}
			if path, change := k.look(i, o); change != "" {
				k.add(i, path, change)
			}
		}
		if end >= len(k.list) {
			return
		}
	}
}

// matters reports whether a mismatch there would be the one to tell of.
func (k *checking) matters(i int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found == nil {
		return true
	}
	mine, other := k.priority(&k.list[i]), k.priority(&k.found.Observation)
	return mine < other || mine == other && i < k.place
}

func (k *checking) add(i int, path, change string) {
	if !k.matters(i) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.found = &Mismatch{k.list[i], k.o.Places.show(path), change}
	k.place = i
	k.wrong.Store(true)
}

// priority orders what a person wants to be told of.
func (c *Checker) priority(o *Observation) int {
	p := 4
	switch {
	case c.o.Places.owned(o.Name):
		p = 0
	case o.Kind == Search:
		p = 2
	case !isInstalled(o.Name):
		if _, ok := below(o.Name, inHome); ok {
			p = 2
		}
	}
	if o.Kind.is() == Folder || o.Kind == State {
		p++
	}
	return p
}

// look returns what has changed of an observation, and where it lies; no change if it
// holds.
func (k *checking) look(i int, o *Observation) (path, change string) {
	if o.Kind == Search {
		return o.Name, k.lookSearch(o)
	}
	path, ok := k.o.Places.find(o.Name)
	if !ok {
		return o.Name, "lies below a folder that isn't known here"
	}
	switch o.Kind {
	case Link:
		return path, k.lookLink(o, path)
	case State:
		if !k.o.Marks.holds(k.ctx, path) {
			return path, "was changed by something else, or it isn't known here how it was left"
		}
		return path, ""
	}
	st, err := stat(path)
	switch {
	case o.Kind == Absent && nothingThere(err):
		return path, ""
	case o.Kind == Absent && err == nil:
		return path, "is there now, and was not"
	case err != nil && nothingThere(err):
		return path, "is gone"
	case err != nil:
		return path, "can't be looked at: " + err.Error()
	case o.Kind.is() == Folder && !st.Mode.IsDir():
		return path, "is no folder any more"
	case o.Kind.is() == Contents && !st.Mode.IsRegular():
		return path, "is no file any more"
	case o.Kind == Folder:
		return path, ""
	case o.Kind == Stat:
		return path, lookStat(o, path, &st)
	case k.memory.has(i, &st):
		return path, ""
	case o.Kind == Listing:
		change = k.lookListing(o, path)
	default:
		change = k.lookContents(o, path, &st)
	}
	if change == "" && st.settled(k.begun) {
		k.memory.set(i, &st)
	}
	return path, change
}

func (k *checking) lookSearch(o *Observation) string {
	found := search(o.Name, k.o.Path, k.o.Places.Dir)
	kept := k.o.Places.keep(found)
	switch {
	case kept == o.Target:
		return ""
	case found == "":
		return "isn't found on PATH any more"
	}
	return "is now found as " + shown(found)
}

func (k *checking) lookLink(o *Observation, path string) string {
	target, err := os.Readlink(path)
	switch {
	case err != nil:
		if _, there := stat(path); there != nil {
			return "is gone"
		}
		return "is no link any more"
	case k.o.Places.keepTarget(target) != o.Target:
		return "leads elsewhere, to " + shown(target)
	}
	return ""
}

func lookStat(o *Observation, path string, st *state) string {
	if st.Size != o.Size || st.Mtime != o.Mtime {
		return "changed since" + at(st.Mtime)
	}
	if o.Unreadable && readable(path) {
		return "can be read now"
	}
	return lookMode(o, st)
}

func lookMode(o *Observation, st *state) string {
	switch {
	case o.Executable && !st.executable():
		return "isn't executable any more"
	case !o.Executable && st.executable():
		return "is executable now"
	}
	return ""
}

func (k *checking) lookListing(o *Observation, path string) string {
	names, err := namesIn(path)
	if err != nil {
		return "can't be listed any more"
	}
	names = k.out.listed(path, names)
	if sum, _ := digestNames(names); sum != o.Sum {
		return gained(o, names)
	}
	return ""
}

func (k *checking) lookContents(o *Observation, path string, st *state) string {
	sum, id, err := k.o.Digests.Digest(k.ctx, path)
	switch {
	case err != nil:
		return "can't be read any more"
	case sum != o.Sum:
		return "changed since" + at(id.Mtime)
	}
	if !st.is(&id.Identity) {
		st.Ctime = 1<<63 - 1 // it has just changed to what it was: not settled
	}
	return lookMode(o, st)
}
