// Package pack writes and reads packs: files of many records, which are never changed.
package pack

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"sort"
	"sync/atomic"

	"dvlcache/cache/key"
)

// A pack holds the records of many keys, and is never changed:
//
//	magic | frames in the order of keys | index | fan-out | foot
//
// The index has a fixed part for each frame: its key, where it begins, and how long it
// is. The fan-out parts the index by the first bits of keys, and has of each part how
// many come up to its end, and its checksum. The foot says where all that is, and has the
// checksum of what comes before it. All numbers are little-endian.
const (
	magic = "dvlcache pack 1\n"
	// IndexEntry is how long an entry of the index is.
	IndexEntry  = 32 + 8 + 4
	fanOutEntry = 4 + 4
	footSize    = 8 + 8 + 1 + sha256.Size + 8 // count, index, bits, digest, checksum of the foot
	// perPart is how many entries a part of the index has, about.
	perPart = 32
	// readWhole is up to which size a pack is read in one piece, and readEnd, how much of
	// a larger one.
	readWhole = 32 << 10
	readEnd   = 4 << 10
	// manyFinds is after how many look-ups the index is kept in memory, if it isn't larger
	// than largestIndex.
	manyFinds    = 100
	largestIndex = 8 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged is damage to a pack, or to what is read of it.
var ErrDamaged = errors.New("it is damaged")

// Writer writes a pack.
type Writer struct {
	to    *bufio.Writer
	sum   hash.Hash
	at    uint64
	index []byte
}

// NewWriter begins a pack.
func NewWriter(f io.Writer) *Writer {
	p := &Writer{sum: sha256.New()}
	p.to = bufio.NewWriterSize(io.MultiWriter(f, p.sum), 64<<10)
	p.write([]byte(magic))
	return p
}

func (p *Writer) write(b []byte) {
	p.to.Write(b) // an error stays, and Flush returns it
	p.at += uint64(len(b))
}

// Add adds a frame. Keys come in their order.
func (p *Writer) Add(k key.Key, frame []byte) {
	p.index = append(p.index, k[:]...)
	p.index = binary.LittleEndian.AppendUint64(p.index, p.at)
	p.index = binary.LittleEndian.AppendUint32(p.index, uint32(len(frame)))
	p.write(frame)
}

// Count is how many frames it has so far.
func (p *Writer) Count() int { return len(p.index) / IndexEntry }

// Finish writes what comes behind the frames.
func (p *Writer) Finish() error {
	indexAt, n := p.at, p.Count()
	bits := 0
	for n>>bits > perPart && bits < 20 {
		bits++
	}
	p.write(p.index)
	begin := 0
	for part := range 1 << bits {
		end := sort.Search(n, func(i int) bool { return partOf(p.index[i*IndexEntry:], bits) > part })
		entry := binary.LittleEndian.AppendUint32(nil, uint32(end))
		entry = binary.LittleEndian.AppendUint32(entry, crc32.Checksum(p.index[begin*IndexEntry:end*IndexEntry], castagnoli))
		p.write(entry)
		begin = end
	}
	if err := p.to.Flush(); err != nil {
		return err
	}
	foot := binary.LittleEndian.AppendUint64(nil, uint64(n))
	foot = binary.LittleEndian.AppendUint64(foot, indexAt)
	foot = append(foot, byte(bits))
	foot = p.sum.Sum(foot)
	check := sha256.Sum256(foot)
	p.write(append(foot, check[:8]...))
	return p.to.Flush()
}

// partOf is the part of the index that a key belongs to.
func partOf(key []byte, bits int) int { return int(binary.BigEndian.Uint32(key) >> (32 - bits)) }

// Pack is a pack that is open to be read. It may be read concurrently.
type Pack struct {
	// Bad is why nothing in it can be read; nil if something can.
	Bad error
	// Size is how many bytes it has.
	Size int64

	file  io.ReaderAt
	end   atomic.Pointer[[]byte] // what was read of its end
	finds atomic.Int64

	count, bits, indexAt int64
	digest               []byte
}

// Open reads what is needed to read a pack. Damage to it is no error; see Pack.Bad.
func Open(f io.ReaderAt, size int64) (*Pack, error) {
	p := &Pack{file: f, Size: size}
	err := p.readFoot()
	if errors.Is(err, ErrDamaged) {
		p.Bad, err = err, nil
	}
	return p, err
}

func (p *Pack) readFoot() error {
	n := p.Size
	if n > readWhole {
		n = readEnd
	}
	if n < int64(len(magic)+footSize) {
		return ErrDamaged
	}
	end := make([]byte, n)
	if err := ReadFull(p.file, end, p.Size-n); err != nil {
		return err
	}
	foot := end[n-footSize:]
	check := sha256.Sum256(foot[:footSize-8])
	if !bytes.Equal(check[:8], foot[footSize-8:]) {
		return ErrDamaged
	}
	p.count = int64(binary.LittleEndian.Uint64(foot))
	p.indexAt = int64(binary.LittleEndian.Uint64(foot[8:]))
	p.bits = int64(foot[16])
	p.digest = foot[17 : 17+sha256.Size]
	if p.bits > 32 || p.fanOutAt()+fanOutEntry<<p.bits+footSize != p.Size {
		return ErrDamaged
	}
	p.end.Store(&end)
	return nil
}

func (p *Pack) fanOutAt() int64 { return p.indexAt + p.count*IndexEntry }

// ReadFull reads exactly as much as there is room for. A file that has less is damaged.
func ReadFull(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	return err
}

// read reads a part of it.
func (p *Pack) read(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at > p.Size || n > p.Size-at {
		return nil, ErrDamaged
	}
	if end := *p.end.Load(); at >= p.Size-int64(len(end)) {
		at -= p.Size - int64(len(end))
		return end[at : at+n : at+n], nil
	}
	b := make([]byte, n)
	return b, ReadFull(p.file, b, at)
}

// Parts is how many parts the index has.
func (p *Pack) Parts() int { return 1 << p.bits }

// Part reads a part of the index: an entry of IndexEntry bytes for each frame, which begins
// with its key.
func (p *Pack) Part(i int) ([]byte, error) {
	begin, at := int64(0), p.fanOutAt()+int64(i)*fanOutEntry
	length := int64(fanOutEntry)
	if i > 0 {
		at, length = at-fanOutEntry, 2*fanOutEntry
	}
	b, err := p.read(at, length)
	if err != nil {
		return nil, err
	}
	if i > 0 {
		begin = int64(binary.LittleEndian.Uint32(b))
		b = b[fanOutEntry:]
	}
	end := int64(binary.LittleEndian.Uint32(b))
	if begin > end || end > p.count {
		return nil, ErrDamaged
	}
	index, err := p.read(p.indexAt+begin*IndexEntry, (end-begin)*IndexEntry)
	if err != nil {
		return nil, err
	}
	if crc32.Checksum(index, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, ErrDamaged
	}
	return index, nil
}

// Find returns the frames of a key. Its error is ErrDamaged where the way to them is
// damaged.
func (p *Pack) Find(k key.Key) (frames [][]byte, err error) {
	if p.Bad != nil {
		return nil, p.Bad
	}
	if p.finds.Add(1) == manyFinds && p.Size-p.indexAt <= largestIndex {
		end := make([]byte, p.Size-p.indexAt)
		if err := ReadFull(p.file, end, p.indexAt); err != nil {
			return nil, err
		}
		p.end.Store(&end)
	}
	index, err := p.Part(partOf(k[:], int(p.bits)))
	if err != nil {
		return nil, err
	}
	n := len(index) / IndexEntry
	i := sort.Search(n, func(i int) bool { return bytes.Compare(index[i*IndexEntry:][:len(k)], k[:]) >= 0 })
	for ; i < n && bytes.Equal(index[i*IndexEntry:][:len(k)], k[:]); i++ {
		frame, err := p.Frame(index[i*IndexEntry:])
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// Frame reads the frame that an entry of the index is about.
func (p *Pack) Frame(entry []byte) ([]byte, error) {
	return p.read(int64(binary.LittleEndian.Uint64(entry[32:])), int64(binary.LittleEndian.Uint32(entry[40:])))
}

// Check reads all of it and compares it with its checksum.
func (p *Pack) Check() error {
	if p.Bad != nil {
		return p.Bad
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.file, 0, p.Size-footSize)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), p.digest) {
		return ErrDamaged
	}
	return nil
}

// cursor goes over the frames of a pack from a key on, in their order.
type cursor struct {
	pack  *Pack
	part  int
	index []byte // what is left of the part
	ahead *bufio.Reader
	at    int64 // where ahead reads
}

// from returns a cursor at the first frame whose key is not less than k.
func (p *Pack) from(k key.Key) (*cursor, error) {
	c := &cursor{pack: p, part: partOf(k[:], int(p.bits))}
	if err := c.load(); err != nil {
		return nil, err
	}
	for len(c.index) > 0 && bytes.Compare(c.index[:len(k)], k[:]) < 0 {
		if err := c.skip(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// load reads the next part that isn't empty, unless there is something left.
func (c *cursor) load() (err error) {
	for len(c.index) == 0 && c.part < c.pack.Parts() {
		if c.index, err = c.pack.Part(c.part); err != nil {
			return err
		}
		c.part++
	}
	return nil
}

func (c *cursor) skip() error {
	c.index = c.index[IndexEntry:]
	return c.load()
}

// key is that of the frame it is at; false at the end.
func (c *cursor) key() (k key.Key, ok bool) {
	if len(c.index) == 0 {
		return k, false
	}
	return key.Key(c.index[:len(k)]), true
}

// frame reads the frame it is at. Frames lie one behind the other.
func (c *cursor) frame() ([]byte, error) {
	at, n := int64(binary.LittleEndian.Uint64(c.index[32:])), int64(binary.LittleEndian.Uint32(c.index[40:]))
	if at < 0 || at > c.pack.Size || n > c.pack.Size-at {
		return nil, ErrDamaged
	}
	if c.ahead == nil || at != c.at {
		c.ahead = bufio.NewReaderSize(io.NewSectionReader(c.pack.file, at, c.pack.Size-at), 64<<10)
		c.at = at
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(c.ahead, b); err != nil {
		c.ahead = nil
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = ErrDamaged
		}
		return nil, err
	}
	c.at += n
	return b, nil
}

// Each calls f with the frames of the keys that begin with a byte.
func (p *Pack) Each(first byte, f func(key.Key, []byte)) error {
	if p.Bad != nil {
		return p.Bad
	}
	c, err := p.from(key.Key{first})
	if err != nil {
		return err
	}
	for {
		k, ok := c.key()
		if !ok || k[0] != first {
			return nil
		}
		frame, err := c.frame()
		if err != nil {
			return err
		}
		f(k, frame)
		if err := c.skip(); err != nil {
			return err
		}
	}
}
