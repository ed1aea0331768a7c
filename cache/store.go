// Package cache keeps the numbers that utilities printed: what is remembered of a
// call (its Entry), and what a backend has to do that keeps entries (a Store). What
// identifies a call, package key says.
package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"dvlcache/cache/key"
)

// ID is the address of an entry: its namespace and its key there.
type ID struct {
	Namespace string
	Key       key.Key
}

// String is the address in 32 hexadecimal digits, for names of files and such.
func (id ID) String() string {
	sum := checksum(id, nil)
	return hex.EncodeToString(sum[:])
}

// compare orders addresses by namespace, then key.
func (id ID) compare(o ID) int {
	if c := strings.Compare(id.Namespace, o.Namespace); c != 0 {
		return c
	}
	return bytes.Compare(id.Key[:], o.Key[:])
}

// Token is an unguessable mark of one period in the life of a namespace or of
// an entry. The zero Token means that none was drawn yet.
type Token [16]byte

// NewToken draws a random token.
func NewToken() Token {
	var t Token
	rand.Read(t[:]) // never fails: see crypto/rand.Read
	return t
}

// Generation says under which period of its namespace and of its own entry a
// result was begun. Clearing or refreshing begins a new period, and a result
// of an older one is then refused by Update.
type Generation struct {
	Namespace Token
	Entry     Token
}

// Errors of stores. Any other error of a Store means that it is out of order
// for now; none of them is a reason not to run the program.
var (
	// ErrSuperseded is Update's refusal of a result that was begun before
	// its namespace was cleared or its entry refreshed.
	ErrSuperseded = errors.New("the cache was cleared, or this entry refreshed, since the evaluation began")
	// ErrLost is the same refusal where the storage has dropped what said that
	// nothing of that kind happened. It is an ErrSuperseded.
	ErrLost error = lostError{}
	// ErrNewer means that the storage was written by a newer dvlcache. It
	// is left as it is.
	ErrNewer = errors.New("it was written by a newer version of dvlcache")
	// ErrTooLarge means that an entry is larger than the storage takes; the
	// others are not.
	ErrTooLarge = errors.New("it is too large for the server")
	// ErrLockTimeout means that another process holds the storage longer
	// than the lock timeout.
	ErrLockTimeout = errors.New("another process holds its lock")
)

type lostError struct{}

func (lostError) Error() string {
	return "the server has dropped what it held since the evaluation began, as by a restart"
}

func (lostError) Is(target error) bool { return target == ErrSuperseded }

// RecordError is a stored record that is no entry: torn, flipped, copied from
// elsewhere, or (Newer) of a later version. It is a miss.
type RecordError struct {
	ID     ID
	Reason string
	Newer  bool
	// File is what is damaged, where that may hold the records of any call.
	File string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("the record of %.12s is unusable: %s", e.ID.Key, e.Reason)
}

// A Store keeps entries. All methods may be called by many goroutines and,
// for stores on disk, by many processes at once.
type Store interface {
	// Get returns the entry, or nil when there is none: a miss. The
	// generation is valid in both cases, and is what an evaluation that
	// begins now has to hand to Update. A namespace that has no token gets
	// one here, on a miss. A *RecordError comes with a valid generation
	// and counts as a miss; after any other error the generation is of no
	// use. The entry is the caller's own.
	Get(ctx context.Context, id ID) (*Entry, Generation, error)

	// Update replaces the entry by what change makes of it, as one atomic
	// step: no other Update, Delete or Clear comes in between. change gets
	// nil where there is no readable entry, owns what it gets, must not
	// block, and may be called more than once. Where it returns nil,
	// nothing is written. An entry whose Token is zero stays in the period
	// that it is in; another token begins a new one. When Update returns
	// nil the change is as durable as the store can make it. A store without
	// locks may make of two changes that were made side by side what
	// Entry.Join makes of both.
	// ErrSuperseded: gen is over; change is not called or has no effect.
	Update(ctx context.Context, id ID, gen Generation, change func(old *Entry) *Entry) error

	// Delete forgets one entry and refuses the results of evaluations of
	// it that are under way. It reports whether there was an entry.
	Delete(ctx context.Context, id ID) (bool, error)

	// Close releases what the store holds.
	Close() error
}

// Change is one of several updates; see Store.Update.
type Change struct {
	ID     ID
	Gen    Generation
	Change func(old *Entry) *Entry
}

// Got is what Get returns.
type Got struct {
	Entry *Entry
	Gen   Generation
	Err   error
}

// A Grouper is a store for which many operations at once are cheaper than one
// by one.
type Grouper interface {
	// GetAll gets several entries.
	GetAll(ctx context.Context, ids []ID) []Got
	// UpdateAll makes several updates, each atomic, and durable together.
	// It returns an error for each, or nil if all went well.
	UpdateAll(ctx context.Context, changes []Change) []error
}

// GetAll gets several entries, grouped where the store can do that.
func GetAll(ctx context.Context, s Store, ids []ID) []Got {
	if g, ok := s.(Grouper); ok {
		return g.GetAll(ctx, ids)
	}
	all := make([]Got, len(ids))
	for i, id := range ids {
		all[i].Entry, all[i].Gen, all[i].Err = s.Get(ctx, id)
	}
	return all
}

// UpdateAll makes several updates, grouped where the store can do that.
func UpdateAll(ctx context.Context, s Store, changes []Change) []error {
	if g, ok := s.(Grouper); ok {
		return g.UpdateAll(ctx, changes)
	}
	var errs []error
	for i, c := range changes {
		err := s.Update(ctx, c.ID, c.Gen, c.Change)
		if err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(changes))
		}
		errs[i] = err
		if !errors.Is(err, ErrSuperseded) && !errors.Is(err, ErrNewer) && !errors.Is(err, ErrTooLarge) {
			// It is out of order: the others would each take its time.
			for j := i + 1; j < len(errs); j++ {
				errs[j] = err
			}
			break
		}
	}
	return errs
}

// A Clearer is a store that can forget whole namespaces. Results under way in
// them are refused when they come.
type Clearer interface {
	// Clear forgets a namespace and returns how many entries it held, or
	// -1 where that can't be known.
	Clear(ctx context.Context, namespace string) (int, error)
	// ClearAll forgets all namespaces and returns how many entries there
	// were.
	ClearAll(ctx context.Context) (int, error)
}

// Usage is what a store holds.
type Usage struct {
	Entries int64
	Bytes   int64 // of storage, free space within it included
}

// A Measurer is a store that can say how much it holds.
type Measurer interface {
	// Usage counts the entries of a namespace, or of all if namespace is
	// nil. Bytes are always those of the whole store. It never writes.
	Usage(ctx context.Context, namespace *string) (Usage, error)
}

// Range is a set of entries: those of a namespace, or of all if it is nil, whose
// keys begin with the given hexadecimal digits.
type Range struct {
	Namespace *string
	Prefix    string
	// Lists says that entries which hold a List are among them; they are none of a
	// call.
	Lists bool
}

// A Reader is a store that can be read without leaving a trace.
type Reader interface {
	// Peek is Get for somebody who stores nothing: it draws no tokens, so
	// that the generation may lack them, and writes nothing.
	Peek(ctx context.Context, id ID) (*Entry, Generation, error)
}

// A Lister is a store that can list what it holds.
type Lister interface {
	Reader
	// PeekAll is Peek of several entries.
	PeekAll(ctx context.Context, ids []ID) []Got
	// Each calls f with each entry in the range, in the order of namespaces
	// and keys (as bytes), or with the *RecordError of one that can't be
	// read. f owns the entry, and may use the store, which isn't locked
	// meanwhile: entries that come or go during Each may be among them or
	// not. An error of f ends Each, which returns it.
	Each(ctx context.Context, r Range, f func(ID, *Entry, *RecordError) error) error
}

// A NamespaceLister is a store that can say, at little cost, which namespaces it has.
type NamespaceLister interface {
	// Namespaces returns the names of those that hold something, be it a token alone,
	// in the order of their bytes.
	Namespaces(ctx context.Context) ([]string, error)
}

// A Pruner is a store from which entries can be dropped to save room. It is no
// way to forget what is wrong: evaluations that are under way may store them
// again.
type Pruner interface {
	// Drop removes those of the entries that which accepts, gives the disk
	// space back, and returns how many it removed. which may be called more
	// than once.
	Drop(ctx context.Context, ids []ID, which func(ID, *Entry) bool) (int, error)
}

// LeaseState says how a wish for a lease ended.
type LeaseState int

// How a wish for a lease ends.
const (
	// LeaseHeld: the caller is the one to evaluate, until Release.
	LeaseHeld LeaseState = iota
	// LeaseEnded: another held it and has released it. Either its result
	// is stored by now, or it failed and everybody may go ahead.
	LeaseEnded
	// LeaseTimeout: another still holds it, and has shown no life for the wait.
	LeaseTimeout
)

// A Lease is the right to evaluate one key while others wait. Leases only save
// work; the data stays right without them.
type Lease struct {
	State   LeaseState
	Waited  bool             // another held it first
	release func(ended bool) // nil: not held
}

// NewLease is for stores that give leases. release is called once, when a held lease
// is given back: ended says that its holder has ended, and not that the next should
// take over. It is nil for a lease that isn't held.
func NewLease(state LeaseState, waited bool, release func(ended bool)) *Lease {
	return &Lease{State: state, Waited: waited, release: release}
}

// Release lets the waiting callers go. It does nothing for a lease that isn't
// held, or a second time.
func (l *Lease) Release() { l.giveBack(true) }

// Abandon gives the lease to the next who waits, as if the holder had died.
func (l *Lease) Abandon() { l.giveBack(false) }

func (l *Lease) giveBack(ended bool) {
	if l != nil && l.release != nil {
		l.release(ended)
		l.release = nil
	}
}

// LifeSign is how often the holder of a lease shows that it is alive.
const LifeSign = 2 * time.Second

// A Leaser is a store that can let one caller evaluate a key while the others
// wait for the number (single flight).
type Leaser interface {
	// Lease waits for the lease of id while its holder shows that it is alive, and
	// for wait without such a sign (0: as long as it takes). A wait shorter than
	// LifeSign ends while the holder lives. The lease of a process that died passes
	// to the next.
	Lease(ctx context.Context, id ID, wait time.Duration) (*Lease, error)
}
