package cache

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// MaxSamples is how many of its latest samples a series keeps.
const MaxSamples = 256

// Sample is one evaluation: the number it gave, how long it took and when it
// ended. ID is random, so that a merge tried again after a lost answer counts
// once.
type Sample struct {
	ID      uint64
	Value   float64
	Seconds float64
	Time    time.Time // to the second
}

// NewSampleID draws the random ID of an evaluation, which is not 0.
func NewSampleID() uint64 { return max(rand.Uint64(), 1) }

// Origin is the share that one place has in a series: the samples that were
// added to a record there, from its beginning until it was cleared or refreshed.
// Nobody else adds to it, so that of two states of one origin, wherever they
// have been copied to, the one with more samples includes the other.
type Origin struct {
	ID uint64 // of its first sample
	Moments
}

// Series is what one extraction read from the outputs of one call.
//
// Its moments are kept by origin, as the counts of a grow-only counter: see M.
// Shapiro et al., "A comprehensive study of Convergent and Commutative
// Replicated Data Types" (2011), section 3.1.1. So caches may be merged in any
// order, and the same one twice.
type Series struct {
	Extraction string // how the number was found: "last", "json:acc", …
	Moments           // of all origins together
	// Repeated says that samples are to be averaged. Otherwise there is
	// one, and it stays.
	Repeated bool
	// Text is the number as the program wrote it, for a single sample;
	// empty where there are more.
	Text    string
	Samples []Sample // the last MaxSamples, oldest first
	Origins []Origin // in the order of their IDs
	// Own is the ID of the origin that new samples belong to. 0: the next
	// begins one.
	Own uint64
}

// Add merges a sample; text is the number as it was written. It reports
// false, and changes nothing, if that sample is in already.
func (s *Series) Add(sample Sample, text string) bool {
	if hasSample(s.Samples, sample.ID) {
		return false
	}
	own := Origin{ID: s.Own}
	at, ok := s.origin(s.Own)
	if ok {
		own = s.Origins[at]
	} else {
		own.ID = sample.ID
		s.Own = own.ID
	}
	own.Moments = own.Moments.Add(sample.Value)
	s.put(own)
	s.Text = ""
	if s.Count == 1 {
		s.Text = text
	}
	s.Samples = append(s.Samples, sample)
	if n := len(s.Samples); n > MaxSamples {
		s.Samples = append([]Sample(nil), s.Samples[n-MaxSamples:]...)
	}
	return true
}

// origin finds an origin, or where it would have to be.
func (s *Series) origin(id uint64) (at int, ok bool) {
	return slices.BinarySearchFunc(s.Origins, id, func(o Origin, id uint64) int { return cmp.Compare(o.ID, id) })
}

// put puts an origin in the place of its earlier state.
func (s *Series) put(o Origin) {
	if at, ok := s.origin(o.ID); ok {
		s.Origins[at] = o
	} else {
		s.Origins = slices.Insert(s.Origins, at, o)
	}
	s.sum()
}

// sum puts the moments of all origins together.
func (s *Series) sum() {
	s.Moments = Moments{}
	for i := range s.Origins {
		s.Moments = s.Moments.Merge(s.Origins[i].Moments)
	}
}

// hasSample reports whether a sample is among some.
func hasSample(samples []Sample, id uint64) bool {
	for i := range samples {
		if samples[i].ID == id {
			return true
		}
	}
	return false
}

// Merge adds the samples of another series that s doesn't have. It is
// commutative, associative and idempotent, but for the order of samples of the
// same second and for Own, which stays. It reports whether it changed anything.
func (s *Series) Merge(o *Series) (changed bool) {
	text := s.Text
	if s.Count == 0 {
		text = o.Text
	}
	for _, theirs := range o.Origins {
		if at, ok := s.origin(theirs.ID); !ok || s.Origins[at].Count < theirs.Count {
			s.put(theirs)
			changed = true
		}
	}
	if o.Repeated && !s.Repeated {
		s.Repeated, changed = true, true
	}
	if !changed {
		return false // their samples are known, or were too old to keep
	}
	s.Text = ""
	if s.Count == 1 {
		s.Text = text
	}
	all := slices.Clone(s.Samples)
	for _, x := range o.Samples {
		if !hasSample(s.Samples, x.ID) {
			all = append(all, x)
		}
	}
	slices.SortStableFunc(all, func(a, b Sample) int { return a.Time.Compare(b.Time) })
	s.Samples = all[max(0, len(all)-MaxSamples):]
	return true
}

// MeanSeconds is how long an evaluation took, in the mean of the kept samples.
func (s *Series) MeanSeconds() float64 {
	if len(s.Samples) == 0 {
		return 0
	}
	sum := 0.0
	for i := range s.Samples {
		sum += s.Samples[i].Seconds
	}
	return sum / float64(len(s.Samples))
}

// Output is the end of what an evaluation wrote to stdout, as number.Lines returns
// it, so that another extraction can be answered without another evaluation.
type Output struct {
	Text    []byte
	Cut     bool      // there was more before
	ID      uint64    // of the evaluation's sample
	Seconds float64   // that it took
	Time    time.Time // to the second
}

// Entry is what is remembered of one call. An entry that is empty stays behind a
// deletion, for its token.
type Entry struct {
	Token   Token     // drawn anew when the entry is refreshed or deleted; see Store.Update
	Created time.Time // to the second
	// Variant is what was evaluated last; Earlier, the latest first, is what was
	// under other inputs.
	Variant
	Earlier []Variant
	// List is, in the place of all that, an encoded set of inputs that entries share:
	// see Inputs.
	List []byte

	size int // see Size
}

// Size is how long the record is that the entry was read from, in bytes; 0
// where it wasn't read from one.
func (e *Entry) Size() int { return e.size }

// Empty reports whether e holds nothing but its token.
func (e *Entry) Empty() bool {
	return e == nil || e.Output == nil && len(e.Series) == 0 && e.List == nil
}
