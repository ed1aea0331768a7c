package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"dvlcache/cache/internal/wire"
	"dvlcache/cache/key"
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

// Flags of an entry, and of each of its variants.
const (
	outputWhole = 1 << iota // there is output
	outputCut               // … the end of it
	hasSeries
	hasToken
	hasCommand
	hasInputs
	hasEarlier // variants, behind the command
	isList     // in the place of all but token and time
	entryFlags = 1<<8 - 1
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
	return len(payload) == 0 || payload[0]&(outputWhole|hasSeries) == 0 // a List's are none
}

func appendEntry(b []byte, e *Entry) []byte {
	flags := e.Variant.flags()
	if e.Token != (Token{}) {
		flags |= hasToken
	}
	if len(e.Earlier) > 0 {
		flags |= hasEarlier
	}
	if e.List != nil {
		flags = flags&hasToken | isList
	}
	b = append(b, flags)
	if flags&hasToken != 0 {
		b = append(b, e.Token[:]...)
	}
	b = binary.AppendVarint(b, unix(e.Created))
	if e.List != nil {
		return append(b, e.List...)
	}
	b = appendVariant(b, &e.Variant, flags)
	if flags&hasEarlier != 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Earlier)))
		for i := range e.Earlier {
			v := &e.Earlier[i]
			b = append(b, v.flags())
			b = appendVariant(b, v, v.flags()|hasEarlier)
		}
	}
	return b
}

func (v *Variant) flags() (flags byte) {
	if v.Output != nil {
		flags |= outputWhole
		if v.Output.Cut {
			flags |= outputCut
		}
	}
	if len(v.Series) > 0 {
		flags |= hasSeries
	}
	if len(v.command) > 0 {
		flags |= hasCommand
	}
	if v.Inputs.Watched() {
		flags |= hasInputs
	}
	return flags
}

// appendVariant appends a variant. The length of its command is left out where
// nothing follows: without hasEarlier.
func appendVariant(b []byte, v *Variant, flags byte) []byte {
	if o := v.Output; o != nil {
		b = wire.AppendBytes(b, o.Text)
		b = binary.LittleEndian.AppendUint64(b, o.ID)
		b = wire.AppendFloat(b, o.Seconds)
		b = binary.AppendVarint(b, unix(o.Time))
	}
	if flags&hasSeries != 0 {
		b = binary.AppendUvarint(b, uint64(len(v.Series)))
		for i := range v.Series {
			b = appendSeries(b, &v.Series[i])
		}
	}
	if flags&hasInputs != 0 {
		b = binary.AppendUvarint(b, uint64(len(v.Inputs.Shared)))
		for _, k := range v.Inputs.Shared {
			b = append(b, k[:]...)
		}
		b = wire.AppendBytes(b, v.Inputs.Own)
	}
	switch {
	case flags&hasCommand == 0:
	case flags&hasEarlier != 0:
		b = wire.AppendBytes(b, v.command)
	default:
		b = append(b, v.command...)
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
	if flags&isList != 0 {
		r.Bad = r.Bad || flags&^(hasToken|isList) != 0
		e.List = r.Take(len(r.Rest))
	} else {
		r.variant(&e.Variant, in, flags)
	}
	if flags&hasEarlier != 0 {
		e.Earlier = make([]Variant, min(r.Count(1), MaxVariants))
		for i := range e.Earlier {
			flags := r.Flags(entryFlags &^ (hasToken | hasEarlier | isList))
			r.variant(&e.Earlier[i], &single{}, flags|hasEarlier)
		}
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errPayload
	}
	return e, nil
}

func (r *recordReader) variant(v *Variant, in *single, flags byte) {
	if flags&outputWhole != 0 {
		v.Output = &in.output
		v.Output.Cut = flags&outputCut != 0
		v.Output.Text = r.Bytes()
		v.Output.ID = r.Uint64()
		v.Output.Seconds = r.Float()
		v.Output.Time = fromUnix(r.Varint())
	}
	if flags&hasSeries != 0 {
		switch n := r.Count(seriesSize); n {
		case 0:
		case 1:
			v.Series = in.series[:]
		default:
			v.Series = make([]Series, n)
		}
		for i := range v.Series {
			if i > 0 {
				in = &single{}
			}
			r.series(&v.Series[i], in)
		}
	}
	if flags&hasInputs != 0 {
		v.Inputs.Shared = make([]key.Key, r.Count(len(key.Key{})))
		for i := range v.Inputs.Shared {
			copy(v.Inputs.Shared[i][:], r.Take(len(key.Key{})))
		}
		if v.Inputs.Own = r.Bytes(); len(v.Inputs.Own) == 0 && len(v.Inputs.Shared) > 0 {
			v.Inputs.Own = nil
		}
	}
	switch {
	case flags&hasCommand == 0:
	case flags&hasEarlier != 0:
		v.command = r.Bytes()
	default:
		v.command = r.Take(len(r.Rest))
	}
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
