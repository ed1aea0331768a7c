package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"dvlcache/cache/internal/wire"
)

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

// Seal encodes an entry as the record of id.
func Seal(id ID, e *Entry) []byte {
	rec := make([]byte, headerSize, 256)
	rec = appendEntry(rec, e)
	rec[0] = recordVersion
	sum := checksum(id, rec[headerSize:])
	copy(rec[1:], sum[:])
	return rec
}

// Unseal decodes the record of id. It keeps no reference to rec. Its error is
// a *RecordError.
func Unseal(id ID, rec []byte) (*Entry, error) {
	// What is checked is what is read, whoever writes meanwhile.
	return UnsealOwn(id, bytes.Clone(rec))
}

// UnsealOwn is unseal of a record that nobody changes any more.
func UnsealOwn(id ID, rec []byte) (*Entry, error) {
	bad := func(reason string) (*Entry, error) { return nil, &RecordError{ID: id, Reason: reason} }
	if len(rec) < headerSize {
		return bad("it is too short")
	}
	if rec[0] > recordVersion && wire.IsVersion(rec[0]) {
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
	e.size = len(rec)
	return e, nil
}

// Flags of an entry.
const (
	outputWhole = 1 << iota // there is output
	outputCut               // … the end of it
	hasSeries
	hasToken
	hasCommand
	entryFlags = outputWhole | outputCut | hasSeries | hasToken | hasCommand
)

// Flags of a series.
const (
	seriesRepeated = 1 << iota
	// seriesSingle: there is one sample, whose origin has its ID; what
	// follows from that is left out.
	seriesSingle
	seriesOwn   // … and that origin is Own
	seriesFlags = seriesRepeated | seriesSingle | seriesOwn
)

// RecordIsEmpty reports of a record, without a look at its checksum, whether its
// entry holds nothing but a token.
func RecordIsEmpty(rec []byte) bool {
	return len(rec) <= headerSize || holdsNothing(rec[headerSize:])
}

// holdsNothing reports, of an encoded entry, what Entry.Empty does.
func holdsNothing(payload []byte) bool {
	return len(payload) == 0 || payload[0]&(outputWhole|hasSeries) == 0
}

func appendEntry(b []byte, e *Entry) []byte {
	var flags byte
	if e.Output != nil {
		flags |= outputWhole
		if e.Output.Cut {
			flags |= outputCut
		}
	}
	if len(e.Series) > 0 {
		flags |= hasSeries
	}
	if e.Token != (Token{}) {
		flags |= hasToken
	}
	if len(e.command) > 0 {
		flags |= hasCommand
	}
	b = append(b, flags)
	if flags&hasToken != 0 {
		b = append(b, e.Token[:]...)
	}
	b = binary.AppendVarint(b, unix(e.Created))
	if o := e.Output; o != nil {
		b = wire.AppendBytes(b, o.Text)
		b = binary.LittleEndian.AppendUint64(b, o.ID)
		b = wire.AppendFloat(b, o.Seconds)
		b = binary.AppendVarint(b, unix(o.Time))
	}
	if flags&hasSeries != 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Series)))
		for i := range e.Series {
			b = appendSeries(b, &e.Series[i])
		}
	}
	if flags&hasCommand != 0 {
		b = append(b, e.command...) // the last, so its length is known
	}
	return b
}

func appendSeries(b []byte, s *Series) []byte {
	var flags byte
	if s.Repeated {
		flags |= seriesRepeated
	}
	if s.single() {
		flags |= seriesSingle
		if s.Own != 0 {
			flags |= seriesOwn
		}
	}
	b = append(b, flags)
	b = wire.AppendBytes(b, s.Extraction)
	b = wire.AppendBytes(b, s.Text)
	if flags&seriesSingle != 0 {
		return appendSample(b, &s.Samples[0])
	}
	b = binary.LittleEndian.AppendUint64(b, s.Own)
	b = binary.AppendUvarint(b, uint64(len(s.Origins)))
	for i := range s.Origins {
		o := &s.Origins[i]
		b = binary.LittleEndian.AppendUint64(b, o.ID)
		b = binary.AppendVarint(b, o.Count)
		for _, f := range []float64{o.Mean, o.M2, o.Min, o.Max} {
			b = wire.AppendFloat(b, f)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s.Samples)))
	for i := range s.Samples {
		b = appendSample(b, &s.Samples[i])
	}
	return b
}

// single reports whether all of a series follows from its one sample.
func (s *Series) single() bool {
	if len(s.Origins) != 1 || len(s.Samples) != 1 {
		return false
	}
	x, o := &s.Samples[0], &s.Origins[0]
	return o.ID == x.ID && (s.Own == 0 || s.Own == x.ID) && o.Moments.is(momentsOf(x.Value))
}

func appendSample(b []byte, x *Sample) []byte {
	b = binary.LittleEndian.AppendUint64(b, x.ID)
	b = wire.AppendFloat(b, x.Value)
	b = wire.AppendFloat(b, x.Seconds)
	return binary.AppendVarint(b, unix(x.Time))
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

// single is the memory that an entry of one number takes, in one piece: most are
// such.
type single struct {
	entry   Entry
	output  Output
	series  [1]Series
	samples [1]Sample
	origins [1]Origin
}

// parseEntry decodes an entry, which keeps references to the payload: nobody may
// change it any more.
func parseEntry(payload []byte) (*Entry, error) {
	r := recordReader{wire.Reader{Rest: payload}}
	in := &single{}
	e := &in.entry
	flags := r.Flags(entryFlags)
	if flags&hasToken != 0 {
		copy(e.Token[:], r.Take(len(e.Token)))
	}
	e.Created = fromUnix(r.Varint())
	if flags&outputWhole != 0 {
		e.Output = &in.output
		e.Output.Cut = flags&outputCut != 0
		e.Output.Text = r.Bytes()
		e.Output.ID = r.Uint64()
		e.Output.Seconds = r.Float()
		e.Output.Time = fromUnix(r.Varint())
	}
	if flags&hasSeries != 0 {
		switch n := r.Count(seriesSize); n {
		case 0:
		case 1:
			e.Series = in.series[:]
		default:
			e.Series = make([]Series, n)
		}
		for i := range e.Series {
			if i > 0 {
				in = &single{}
			}
			r.series(&e.Series[i], in)
		}
	}
	if flags&hasCommand != 0 {
		e.command = r.Take(len(r.Rest))
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errPayload
	}
	return e, nil
}

// recordReader reads the fields of a record.
type recordReader struct{ wire.Reader }

const (
	seriesSize = 3 + 8 + 2   // at least
	sampleSize = 3*8 + 1     // at least
	originSize = 8 + 1 + 4*8 // at least
)

func (r *recordReader) series(s *Series, in *single) {
	flags := r.Flags(seriesFlags)
	s.Repeated = flags&seriesRepeated != 0
	s.Extraction = "last" // most are, and that text is there already
	if name := r.Bytes(); string(name) != s.Extraction {
		s.Extraction = string(name)
	}
	s.Text = string(r.Bytes())
	if flags&seriesSingle != 0 {
		x := r.sample()
		in.samples[0], in.origins[0] = x, Origin{x.ID, momentsOf(x.Value)}
		s.Samples, s.Origins = in.samples[:], in.origins[:]
		if flags&seriesOwn != 0 {
			s.Own = x.ID
		}
		s.sum()
		return
	}
	s.Own = r.Uint64()
	if n := r.Count(originSize); n > 0 {
		s.Origins = make([]Origin, n)
	}
	for i := range s.Origins {
		o := &s.Origins[i]
		o.ID, o.Count = r.Uint64(), r.Varint()
		o.Mean, o.M2, o.Min, o.Max = r.Float(), r.Float(), r.Float(), r.Float()
	}
	if n := r.Count(sampleSize); n > 0 {
		s.Samples = make([]Sample, n)
	}
	for i := range s.Samples {
		s.Samples[i] = r.sample()
	}
	s.sum()
}

func (r *recordReader) sample() Sample {
	return Sample{ID: r.Uint64(), Value: r.Float(), Seconds: r.Float(), Time: fromUnix(r.Varint())}
}
