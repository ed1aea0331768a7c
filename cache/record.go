package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"time"
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

// isVersion reports whether a byte can be a version, of a record or of a file:
// 1, 2, 4, 7 and so on, each with an odd number of bits, so that one with a
// flipped bit is damage and no later version, which would be left as it is.
func isVersion(v byte) bool { return bits.OnesCount8(v)%2 == 1 }

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
	if rec[0] > recordVersion && isVersion(rec[0]) {
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
