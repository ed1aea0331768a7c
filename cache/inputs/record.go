package inputs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"dvlcache/cache/internal/digest"
)

// Recorder collects what an evaluation was seen to use, and makes a Set of it. Names
// are absolute and as they were asked for. One goroutine may use it.
type Recorder struct {
	o        Options
	out      *leftOut
	names    map[string]*seen
	made     map[string]bool
	searches map[string]Observation
}

// seen is what was seen of one name.
type seen struct {
	by     string
	kind   Kind // Contents if it was opened, Stat if it was looked at
	stamp  Stamp
	link   string
	isLink bool
	is     bool // anything besides a link
	names  []Entry
	// turned says that it was seen as two things. That is the evaluation's own
	// doing if it made the name.
	turned bool
}

// NewRecorder returns a Recorder.
func NewRecorder(o Options) *Recorder {
	return &Recorder{
		o: o, out: o.Rules.ready(&o.Places, o.Marks),
		names: map[string]*seen{}, made: map[string]bool{}, searches: map[string]Observation{},
	}
}

// ChangedError is a file that somebody changed while the evaluation ran: which contents
// it read isn't known.
type ChangedError struct{ Name string }

func (e *ChangedError) Error() string { return shown(e.Name) + " changed during the run" }

// name returns where to note what is seen of a name; nil if it doesn't count.
func (r *Recorder) name(name, by string) *seen {
	s, known := r.names[name]
	if !known {
		if !r.out.has(name) {
			s = &seen{by: by}
		}
		r.names[name] = s
	}
	return s
}

// note adds one kind of use of a name.
func (r *Recorder) note(name, by string, kind Kind, stamp Stamp) *seen {
	s := r.name(name, by)
	switch {
	case s == nil:
	case !s.is:
		s.is, s.kind, s.stamp = true, kind, stamp
	case s.kind == State || kind == State:
		s.kind = State
	case s.stamp != stamp || s.kind.is() != kind.is():
		s.turned = true
	case kind == Contents || kind == Listing:
		s.kind = kind
	}
	return s
}

// Opened notes a file that was opened for reading, or executed; or a folder that was
// opened. The stamp is what was seen before the program got its answer.
func (r *Recorder) Opened(name, by string, stamp Stamp) {
	kind := Contents
	if stamp.Mode.IsDir() {
		kind = Folder
	}
	r.note(name, by, kind, stamp)
}

// Looked notes a file or a folder that was only looked at.
func (r *Recorder) Looked(name, by string, stamp Stamp) {
	kind := Stat
	if stamp.Mode.IsDir() {
		kind = Folder
	}
	r.note(name, by, kind, stamp)
}

// Listed notes a folder whose names were read, without those that the evaluation
// itself made.
func (r *Recorder) Listed(name, by string, stamp Stamp, names []Entry) {
	if s := r.note(name, by, Listing, stamp); s != nil && s.names == nil {
		s.names = names
	}
}

// Link notes where a link led.
func (r *Recorder) Link(name, by, target string) {
	switch s := r.name(name, by); {
	case s == nil:
	case s.isLink && s.link != target:
		s.turned = true
	default:
		s.isLink, s.link = true, target
	}
}

// Absent notes a name that was looked for where nothing had it.
func (r *Recorder) Absent(name, by string) { r.note(name, by, Absent, Stamp{}) }

// State notes a file that the program both reads and changes.
func (r *Recorder) State(name, by string) { r.note(name, by, State, Stamp{}) }

// Connected notes an address that was connected to.
func (r *Recorder) Connected(address, by string) {
	r.searches["connect "+address] = Observation{Name: address, Kind: Connection, By: by}
}

// Made notes what the evaluation itself made: it doesn't count.
func (r *Recorder) Made(name string) { r.made[name] = true }

// Search notes a program that was looked for along PATH: its base name and where it
// was, or an empty name. A program that searches a PATH of its own is left out: the
// names that it looked for there are noted as any are.
func (r *Recorder) Search(name, by, found string) {
	if _, known := r.searches[name]; !known && isBase(name) && r.o.search(name) == found {
		kept, _ := r.o.Places.keep(found)
		r.searches[name] = Observation{Name: name, Kind: Search, By: by, Target: kept}
	}
}

// Set returns what was noted. It fails with a *ChangedError if a file isn't any more
// what the evaluation saw, or with the context's error.
func (r *Recorder) Set(ctx context.Context) (Set, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	names := slices.Sorted(maps.Keys(r.names))
	found := make([][]Observation, len(names))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(names) {
					return
				}
				if r.names[names[i]] == nil || r.made[names[i]] {
					continue
				}
				var err error
				if found[i], err = r.observe(ctx, names[i]); err != nil {
					stop(err)
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return Set{}, context.Cause(ctx)
	}
	list := append(slices.Collect(maps.Values(r.searches)), r.untracked()...)
	for _, o := range found {
		list = append(list, o...)
	}
	s, ok := NewSet(list)
	if !ok {
		return Set{}, errors.New("what was seen of one name disagrees")
	}
	return s, nil
}

// untracked are the patterns that left out what was used.
func (r *Recorder) untracked() (list []Observation) {
	for i, pattern := range r.o.Rules.Untracked {
		for name, s := range r.names {
			if s == nil && slices.Contains(r.out.patternsOf(name), i) {
				list = append(list, Observation{Name: pattern, Kind: Untracked})
				break
			}
		}
	}
	return list
}

// observe says what counts of a name.
func (r *Recorder) observe(ctx context.Context, name string) (list []Observation, err error) {
	s := r.names[name]
	if s.turned && s.kind != State {
		return nil, &ChangedError{name}
	}
	kept, place := r.o.Places.keepAll(name)
	if !isName(kept[0]) || !isName(kept[len(kept)-1]) {
		return nil, fmt.Errorf("%s is no name that can be kept", shown(name))
	}
	defer func() {
		for _, o := range slices.Clone(list) {
			for _, also := range kept[1:] {
				o.Name = also
				list = append(list, o)
			}
		}
		if place.variable != "" {
			list = append(list, Observation{Name: place.variable, Kind: Place, Target: place.folder})
		}
	}()
	if s.isLink {
		list = append(list, Observation{Name: kept[0], Kind: Link, By: s.by, Target: r.o.Places.keepTarget(s.link)})
	}
	if !s.is {
		return list, nil
	}
	o := Observation{Name: kept[0], Kind: s.kind, By: s.by}
	switch o.Kind {
	case Contents, Stat:
		o.Executable = executable(s.stamp.Mode)
		if o.Kind == Stat && s.stamp.Size > smallFile {
			err = r.compare(name, s)
			o.Size, o.Mtime = s.stamp.Size, s.stamp.Mtime
			break
		}
		o.Kind = Contents
		var now digest.Seen
		o.Sum, now, err = r.o.Digests.Digest(ctx, name)
		switch {
		case errors.Is(err, fs.ErrPermission):
			err = r.compare(name, s)
			o.Kind, o.Sum, o.Unreadable = Stat, digest.Digest{}, true
			o.Size, o.Mtime = s.stamp.Size, s.stamp.Mtime
		case ctx.Err() != nil:
		case err != nil || !s.stamp.is(&now.Identity):
			err = &ChangedError{name}
		}
	case Listing:
		o.Sum, o.Names, o.Kinds = digestNames(r.out.unmade(name, r.out.listed(name, s.names)))
	}
	return append(list, o), err
}

// compare fails if a file isn't what was seen.
func (r *Recorder) compare(name string, s *seen) error {
	id, _, err := r.o.Digests.Stat(name)
	if err != nil || !s.stamp.is(&id) {
		return &ChangedError{name}
	}
	return nil
}
