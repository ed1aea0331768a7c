package key

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"dvlcache/cache/internal/files"
)

// Digest is the SHA-256 of a file's contents.
type Digest [32]byte

// Identity is what tells, without reading a file, that it may have changed.
type Identity struct {
	Device, Inode uint64
	Size          int64
	Mtime, Ctime  int64 // nanoseconds since 1970
}

// racyWindow is how long after a change a file's timestamps can't be trusted
// to tell of another one: they may be coarse. (Git's rule for its index, with
// two seconds since FAT counts in those.)
const racyWindow = 2 * time.Second

// racy reports whether a file of this identity may change at this time without
// a change of its identity.
func (id Identity) racy(now time.Time) bool {
	return max(id.Mtime, id.Ctime) > now.Add(-racyWindow).UnixNano()
}

// Digests finds the digests of files. It remembers them, by path and
// identity, in a file that all processes share, so that a large interpreter
// isn't read at each call.
//
// The file is a table of fixed slots, each with a checksum over its contents.
// It needs no lock: a slot is read and written by one system call, and one that
// is torn, flipped or another file's is as good as empty. It has a fixed size
// and may be deleted at any time.
//
// A Digests may be used by many goroutines. Without a file (path empty, or not
// to be opened) it reads each file each time.
type Digests struct {
	path  string
	still bool // nothing is written
	once  sync.Once
	file  *os.File
}

// NewDigests returns the memory kept in the file at path, which is opened at
// its first use.
func NewDigests(path string) *Digests { return &Digests{path: path} }

// ReadDigests is NewDigests for who leaves no trace: nothing new is remembered.
func ReadDigests(path string) *Digests { return &Digests{path: path, still: true} }

// Close closes the file.
func (d *Digests) Close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// Digest returns the digest and identity of the regular file at path. The two
// belong together: a file that changes while it is read is read again. Its error
// is a *fs.PathError or the context's.
func (d *Digests) Digest(ctx context.Context, path string) (Digest, Identity, error) {
	var none Digest
	info, err := os.Stat(path)
	if err != nil {
		return none, Identity{}, err
	}
	if !info.Mode().IsRegular() {
		return none, Identity{}, &fs.PathError{Op: "read", Path: path, Err: files.ErrNotRegular}
	}
	// What is remembered for this identity is right if the identity is: so
	// that the file itself is opened only if it has to be read.
	if id := identityOf(info); !id.racy(time.Now()) {
		if sum, ok := d.recall(path, id); ok {
			return sum, id, nil
		}
	}
	f, err := files.Open(path)
	if err != nil {
		return none, Identity{}, err
	}
	defer f.Close()
	for range 5 {
		before, err := f.Stat()
		if err != nil {
			return none, Identity{}, err
		}
		if !before.Mode().IsRegular() {
			return none, Identity{}, &fs.PathError{Op: "read", Path: path, Err: files.ErrNotRegular}
		}
		id := identityOf(before)
		sum, err := hash(ctx, f)
		if err != nil {
			return none, Identity{}, err
		}
		after, err := f.Stat()
		if err != nil {
			return none, Identity{}, err
		}
		if identityOf(after) == id {
			if !id.racy(time.Now()) {
				d.remember(path, id, sum)
			}
			return sum, id, nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return none, Identity{}, err
		}
	}
	return none, Identity{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("it changes while it is read")}
}

func hash(ctx context.Context, r io.Reader) (sum Digest, err error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return Digest(h.Sum(nil)), nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return sum, err
		}
	}
}

// A slot holds: the SHA-256 of the path, the identity (5 × 8 bytes), the
// digest, and a checksum over these (8 bytes); the rest is zero. A path may lie
// in any slot of the bucket that its hash points to.
const (
	slotSize    = 128
	slotPayload = 32 + 5*8 + 32
	bucketSlots = 4
	buckets     = 8192
)

func (d *Digests) table() *os.File {
	d.once.Do(func() {
		if d.path == "" {
			return
		}
		err := fs.ErrPermission
		if !d.still {
			d.file, err = files.OpenOwn(d.path, os.O_RDWR|os.O_CREATE, 0o600)
		}
		if err != nil {
			d.file, _ = files.OpenOwn(d.path, os.O_RDONLY, 0) // not waiting where it is a pipe
		}
	})
	return d.file
}

func bucketOffset(path [32]byte) int64 {
	return int64(binary.LittleEndian.Uint64(path[:])%buckets) * bucketSlots * slotSize
}

func slotChecksum(slot []byte) uint64 {
	sum := sha256.Sum256(slot[:slotPayload])
	return binary.LittleEndian.Uint64(sum[:])
}

func validSlot(slot []byte) bool {
	return slotChecksum(slot) == binary.LittleEndian.Uint64(slot[slotPayload:])
}

func fillSlot(slot []byte, path [32]byte, id Identity, sum Digest) {
	copy(slot, path[:])
	for i, v := range []uint64{id.Device, id.Inode, uint64(id.Size), uint64(id.Mtime), uint64(id.Ctime)} {
		binary.LittleEndian.PutUint64(slot[32+8*i:], v)
	}
	copy(slot[32+5*8:], sum[:])
	binary.LittleEndian.PutUint64(slot[slotPayload:], slotChecksum(slot))
}

// bucket reads the slots in which path may lie; what is missing is zero.
func (d *Digests) bucket(f *os.File, path [32]byte) (b [bucketSlots * slotSize]byte) {
	f.ReadAt(b[:], bucketOffset(path))
	return b
}

func (d *Digests) recall(path string, id Identity) (sum Digest, ok bool) {
	f := d.table()
	if f == nil {
		return sum, false
	}
	name := sha256.Sum256([]byte(path))
	b := d.bucket(f, name)
	var want [slotSize]byte
	fillSlot(want[:], name, id, sum)
	const before = 32 + 5*8 // path and identity
	for i := 0; i < len(b); i += slotSize {
		slot := b[i : i+slotSize]
		if [before]byte(slot) == [before]byte(want[:]) && validSlot(slot) {
			return Digest(slot[before:slotPayload]), true
		}
	}
	return sum, false
}

func (d *Digests) remember(path string, id Identity, sum Digest) {
	f := d.table()
	if f == nil || d.still {
		return
	}
	name := sha256.Sum256([]byte(path))
	b := d.bucket(f, name)
	// The path's own slot, else a free one, else any.
	victim := int(uint64(id.Mtime)%bucketSlots) * slotSize
	for i := len(b) - slotSize; i >= 0; i -= slotSize {
		if !validSlot(b[i : i+slotSize]) {
			victim = i
		}
	}
	for i := 0; i < len(b); i += slotSize {
		if [32]byte(b[i:]) == name {
			victim = i
		}
	}
	var slot [slotSize]byte
	fillSlot(slot[:], name, id, sum)
	// A memory that can't be written is only slower.
	f.WriteAt(slot[:], bucketOffset(name)+int64(victim))
}

// HashTo copies r to w and returns the digest of what it copied.
func HashTo(w io.Writer, r io.Reader) (sum Digest, err error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return sum, err
	}
	return Digest(h.Sum(nil)), nil
}
