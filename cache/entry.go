package cache

import (
	"math/rand/v2"
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

// NewSampleID draws the random ID of an evaluation.
func NewSampleID() uint64 { return rand.Uint64() }

// Series is what one extraction read from the outputs of one call.
type Series struct {
	Extraction string // how the number was found: "last", "json:acc", …
	Moments
	// Repeated says that samples are to be averaged. Otherwise there is
	// one, and it stays.
	Repeated bool
	// Text is the number as the program wrote it, for a single sample;
	// empty where there are more.
	Text    string
	Samples []Sample // the last MaxSamples, oldest first
}

// Add merges a sample; text is the number as it was written. It reports
// false, and changes nothing, if that sample is in already.
func (s *Series) Add(sample Sample, text string) bool {
	if s.has(sample.ID) {
		return false
	}
	s.Moments = s.Moments.Add(sample.Value)
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

// has reports whether a sample is among those that are kept. s may be nil.
func (s *Series) has(id uint64) bool {
	if s == nil {
		return false
	}
	for i := range s.Samples {
		if s.Samples[i].ID == id {
			return true
		}
	}
	return false
}

// merge adds the samples of another series that s doesn't have.
func (s *Series) merge(o *Series) {
	s.Repeated = s.Repeated || o.Repeated
	if o.Count == int64(len(o.Samples)) {
		for _, x := range o.Samples {
			s.Add(x, o.Text)
		}
		return
	}
	// Older samples than are kept: all or none.
	if s.has(o.Samples[len(o.Samples)-1].ID) {
		return
	}
	s.Moments = s.Moments.Merge(o.Moments)
	s.Text = ""
	all := append(append([]Sample(nil), s.Samples...), o.Samples...)
	s.Samples = all[max(0, len(all)-MaxSamples):]
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

// Output is the end of what an evaluation wrote to stdout: whole lines, so
// that another extraction can be answered without another evaluation.
type Output struct {
	Text    []byte
	Cut     bool // earlier lines are missing
	ID      uint64
	Seconds float64
	Time    time.Time // to the second
}

// Entry is what is remembered of one call. An entry with neither output nor
// series holds nothing: it stays behind a deletion, for its token.
type Entry struct {
	Token   Token     // drawn anew when the entry is refreshed or deleted; see Store.Update
	Created time.Time // to the second
	Output  *Output   // of the latest evaluation; nil if none is kept
	Series  []Series
}

// Find returns the series of an extraction, or nil. It points into e.
func (e *Entry) Find(extraction string) *Series {
	if e == nil {
		return nil
	}
	for i := range e.Series {
		if e.Series[i].Extraction == extraction {
			return &e.Series[i]
		}
	}
	return nil
}

// FindOrAdd returns the series of an extraction, which it begins if need be.
func (e *Entry) FindOrAdd(extraction string) *Series {
	if s := e.Find(extraction); s != nil {
		return s
	}
	e.Series = append(e.Series, Series{Extraction: extraction})
	return &e.Series[len(e.Series)-1]
}

// clone returns a copy that shares no memory with e that either may change. e
// may be nil.
func (e *Entry) clone() *Entry {
	if e == nil {
		return nil
	}
	c := *e
	c.Series = append([]Series(nil), e.Series...)
	for i := range c.Series {
		c.Series[i].Samples = append([]Sample(nil), c.Series[i].Samples...)
	}
	return &c
}

// Empty reports whether e holds nothing but its token.
func (e *Entry) Empty() bool {
	return e == nil || e.Output == nil && len(e.Series) == 0
}
