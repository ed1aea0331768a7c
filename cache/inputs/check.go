package inputs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/files"
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
	o Options
	// subject is what a memory holds for, besides its set; nil if there is none.
	subject func() []byte
}

// NewChecker returns a Checker.
func NewChecker(o Options) *Checker {
	return &Checker{o, sync.OnceValue(func() []byte {
		boot := files.Boot()
		if boot == "" || o.Memory == "" {
			return nil
		}
		return fmt.Appendf(nil, "%q %x %d %q", boot, o.Rules.sum(), os.Getuid(), o.Places.variables())
	})}
}

// Check returns nil if all that the sets say holds now. Else it returns what doesn't:
// the experiment's own files before the user's and these before the system's, files
// before listings. Its error is the context's.
func (c *Checker) Check(ctx context.Context, sets ...Set) (*Mismatch, error) {
	var best *Mismatch
	for len(sets) > 0 {
		s := sets[0]
		sets = sets[1:]
		if s.parsed == [32]byte{} && len(s.list) >= fewToRemember {
			// What many entries share is remembered once.
			if shared, own := s.Split(c.o.Places); shared.Len() > 0 && own.Len() > 0 {
				sets = append([]Set{shared, own}, sets...)
				continue
			}
		}
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

// A set of fewer names than these is checked without a memory of its own, since the
// digests' is fast enough, and by one goroutine.
const (
	fewToRemember = 8
	fewToShare    = 32
)

func (c *Checker) check(ctx context.Context, s Set) (*Mismatch, error) {
	k := &checking{Checker: c, ctx: ctx, begun: time.Now(), list: s.list}
	k.out = sync.OnceValue(func() *leftOut { return c.o.Rules.ready(&c.o.Places, c.o.Marks) })
	if len(s.list) >= fewToRemember && c.subject() != nil {
		k.memory = c.recall(s)
	}
	workers := min(runtime.GOMAXPROCS(0), len(s.list)/fewToShare)
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
	out    func() *leftOut // what doesn't count of listings
	memory *memory         // or nil
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

// priority orders what a person wants to be told of. What is in a folder comes last: an
// edit is never hidden behind a file that has only come or gone.
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
	switch {
	case o.Kind.is() == Folder:
		p += 5
	case o.Kind == State:
		p++
	}
	return p
}

// look returns what has changed of an observation, and where it lies; no change if it
// holds.
func (k *checking) look(i int, o *Observation) (path, change string) {
	switch o.Kind {
	case Search:
		return o.Name, k.lookSearch(o)
	case Connection:
		return o.Name, ""
	case Untracked:
		if !slices.Contains(k.o.Rules.Untracked, o.Name) {
			return o.Name, "was left out by --untracked, and counts now"
		}
		return o.Name, ""
	case Place:
		if folder, ok := k.o.Places.find(o.Name); !ok || folder != o.Target {
			return o.Name, "is now " + shown(folder) + ", and was " + shown(o.Target)
		}
		return o.Name, ""
	}
	path, ok := k.o.Places.find(o.Name)
	if !ok {
		return o.Name, "lies below a folder that isn't known here"
	}
	switch o.Kind {
	case Link:
		return path, k.lookLink(o, path)
	case State:
		if !k.o.Marks.holds(k.ctx, k.o.Digests, path) {
			return path, "was changed by something else, or it isn't known here how it was left"
		}
		return path, ""
	}
	id, mode, err := k.o.Digests.Stat(path)
	switch {
	case o.Kind == Absent && nothingThere(err):
		return path, ""
	case o.Kind == Absent && err == nil:
		return path, "is there now, and was not"
	case err != nil && nothingThere(err):
		return path, "is gone"
	case err != nil:
		return path, "can't be looked at: " + err.Error()
	case o.Kind.is() == Folder && !mode.IsDir():
		return path, "is no folder any more"
	case o.Kind.is() == Contents && !mode.IsRegular():
		return path, "is no file any more"
	case o.Kind == Folder:
		return path, ""
	case o.Kind == Stat:
		return path, lookStat(o, path, &id, mode)
	case k.memory.has(i, &id):
		return path, ""
	case o.Kind == Listing:
		return path, k.lookListing(i, o, path, &id)
	}
	return path, k.lookContents(i, o, path)
}

func (k *checking) lookSearch(o *Observation) string {
	found := k.o.search(o.Name)
	kept, _ := k.o.Places.keep(found)
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
		if _, _, err := k.o.Digests.Stat(path); err != nil {
			return "is gone"
		}
		return "is no link any more"
	case k.o.Places.keepTarget(target) != o.Target:
		return "leads elsewhere, to " + shown(target)
	}
	return ""
}

func lookStat(o *Observation, path string, id *digest.Identity, mode fs.FileMode) string {
	if id.Size != o.Size || id.Mtime != o.Mtime {
		return "changed since" + at(id.Mtime)
	}
	if o.Unreadable && mayRead(path) {
		return "can be read now"
	}
	return lookMode(o, mode)
}

func lookMode(o *Observation, mode fs.FileMode) string {
	switch {
	case o.Executable && !executable(mode):
		return "isn't executable any more"
	case !o.Executable && executable(mode):
		return "is executable now"
	}
	return ""
}

func (k *checking) lookContents(i int, o *Observation, path string) string {
	digests := k.o.Digests.Digest
	if k.memory != nil {
		digests = k.o.Digests.Settled
	}
	sum, seen, err := digests(k.ctx, path)
	switch {
	case err != nil:
		return "can't be read any more"
	case sum != o.Sum:
		return "changed since" + at(seen.Mtime)
	}
	change := lookMode(o, seen.Mode)
	if change == "" && k.memory != nil && seen.Belief == files.BelieveStat {
		k.memory.set(i, &seen.Identity)
	}
	return change
}
