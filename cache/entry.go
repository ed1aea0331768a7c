package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
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

// A stored record is
//
//	version byte | checksum | payload
//
// where the checksum is the first half of a SHA-256 over namespace, key and
// payload: a record that was torn, flipped or copied under another key does
// not open. The payload is a sequence of fixed-width and length-prefixed
// fields, each number little-endian or a varint; see appendEntry.
const (
	recordVersion = 1
	checksumSize  = 16
	headerSize    = 1 + checksumSize
)

func checksum(id ID, payload []byte) [checksumSize]byte {
	h := sha256.New()
	var buf [64]byte
	h.Write(binary.AppendUvarint(buf[:0], uint64(len(id.Namespace))))
	h.Write([]byte(id.Namespace))
	h.Write(id.Key[:])
	h.Write(payload)
	return [checksumSize]byte(h.Sum(buf[:0]))
}

// seal encodes an entry as the record of id.
func seal(id ID, e *Entry) []byte {
	rec := make([]byte, headerSize, 256)
	rec = appendEntry(rec, e)
	rec[0] = recordVersion
	sum := checksum(id, rec[headerSize:])
	copy(rec[1:], sum[:])
	return rec
}

// unseal decodes the record of id. It keeps no reference to rec. Its error is
// a *RecordError.
func unseal(id ID, rec []byte) (*Entry, error) {
	bad := func(reason string) (*Entry, error) { return nil, &RecordError{ID: id, Reason: reason} }
	if len(rec) < headerSize {
		return bad("it is too short")
	}
	if rec[0] > recordVersion {
		// The checksum's form is the newer version's own business.
		return nil, &RecordError{ID: id, Reason: ErrNewer.Error(), Newer: true}
	}
	if rec[0] != recordVersion {
		return bad("it has no known version")
	}
	payload := rec[headerSize:]
	if checksum(id, payload) != [checksumSize]byte(rec[1:headerSize]) {
		return bad("its checksum is wrong")
	}
	e, err := parseEntry(payload)
	if err != nil {
		return bad(err.Error())
	}
	return e, nil
}

const (
	outputNone = iota
	outputWhole
	outputCut
)

func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, e.Token[:]...)
	b = binary.AppendVarint(b, unix(e.Created))
	if o := e.Output; o == nil {
		b = append(b, outputNone)
	} else {
		kind := byte(outputWhole)
		if o.Cut {
			kind = outputCut
		}
		b = append(b, kind)
		b = appendBytes(b, o.Text)
		b = binary.LittleEndian.AppendUint64(b, o.ID)
		b = appendFloat(b, o.Seconds)
		b = binary.AppendVarint(b, unix(o.Time))
	}
	b = binary.AppendUvarint(b, uint64(len(e.Series)))
	for i := range e.Series {
		s := &e.Series[i]
		b = appendBytes(b, s.Extraction)
		if s.Repeated {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = appendBytes(b, s.Text)
		b = binary.AppendVarint(b, s.Count)
		for _, f := range []float64{s.Mean, s.M2, s.Min, s.Max} {
			b = appendFloat(b, f)
		}
		b = binary.AppendUvarint(b, uint64(len(s.Samples)))
		for _, x := range s.Samples {
			b = binary.LittleEndian.AppendUint64(b, x.ID)
			b = appendFloat(b, x.Value)
			b = appendFloat(b, x.Seconds)
			b = binary.AppendVarint(b, unix(x.Time))
		}
	}
	return b
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

var errPayload = errors.New("its payload does not decode")

func parseEntry(payload []byte) (*Entry, error) {
	r := reader{rest: payload}
	e := &Entry{}
	copy(e.Token[:], r.take(len(e.Token)))
	e.Created = fromUnix(r.varint())
	switch kind := r.byte(); kind {
	case outputNone:
	case outputWhole, outputCut:
		e.Output = &Output{
			Cut:     kind == outputCut,
			Text:    append([]byte(nil), r.bytes()...),
			ID:      r.uint64(),
			Seconds: r.float(),
			Time:    fromUnix(r.varint()),
		}
	default:
		r.bad = true
	}
	series := r.count(3 + 1 + 4*8 + 1)
	for range series {
		s := Series{Extraction: string(r.bytes())}
		switch repeated := r.byte(); repeated {
		case 0, 1:
			s.Repeated = repeated == 1
		default:
			r.bad = true
		}
		s.Text = string(r.bytes())
		s.Count = r.varint()
		s.Mean, s.M2, s.Min, s.Max = r.float(), r.float(), r.float(), r.float()
		if n := r.count(3*8 + 1); n > 0 {
			s.Samples = make([]Sample, n)
		}
		for i := range s.Samples {
			s.Samples[i] = Sample{ID: r.uint64(), Value: r.float(), Seconds: r.float(), Time: fromUnix(r.varint())}
		}
		e.Series = append(e.Series, s)
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errPayload
	}
	return e, nil
}

// reader takes fields off a payload. After the first that is not there, bad is
// set and all that follow are zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		n = -1
	}
	r.take(n)
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

// count reads the length of a list whose items take at least size bytes each,
// so that a wrong length can't ask for more memory than the record has bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}
