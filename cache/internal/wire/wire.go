// Package wire encodes the fields of records.
package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// IsVersion reports whether a byte can be a version, of a record or of a file:
// 1, 2, 4, 7 and so on, each with an odd number of bits, so that one with a
// flipped bit is damage and no later version, which would be left as it is.
func IsVersion(v byte) bool { return bits.OnesCount8(v)%2 == 1 }

// AppendBytes appends a text behind its length.
func AppendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendFloat appends a float64, little-endian.
func AppendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

// Reader takes fields off a payload. After the first that is not there, bad is
// set and all that follow are zero.
type Reader struct {
	Rest []byte
	Bad  bool
}

func (r *Reader) Take(n int) []byte {
	if r.Bad || n < 0 || n > len(r.Rest) {
		r.Bad, r.Rest = true, nil
		return nil
	}
	b := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return b
}

func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Flags reads a set of flags, of which only those in known may be set.
func (r *Reader) Flags(known byte) byte {
	f := r.Byte()
	if f&^known != 0 {
		r.Bad = true
	}
	return f
}

func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *Reader) Float() float64 { return math.Float64frombits(r.Uint64()) }

func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		n = -1
	}
	r.Take(n)
	return v
}

func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		n = -1
	}
	r.Take(n)
	return v
}

func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)) {
		r.Bad = true
		return nil
	}
	return r.Take(int(n))
}

// Count reads the length of a list whose items take at least size bytes each,
// so that a wrong length can't ask for more memory than the record has bytes.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Rest)/size) {
		r.Bad = true
		return 0
	}
	return int(n)
}
