// Package digest finds the digests of files, and remembers them where the file system
// can be believed to say when they change.
package digest

import (
	"context"
	"crypto/sha256"
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
	// Mount is one mounting of a file system, never the same again before the
	// system is started anew; where it isn't known, the file system.
	Mount         uint64
	Device, Inode uint64
	Size          int64
	Mtime, Ctime  int64 // nanoseconds since 1970
}

// racyWindow is how long after a change a file's timestamps can't be trusted
// to tell of another one: they may be coarse. (Git's rule for its index, with
// two seconds since FAT counts in those.) A server has a clock of its own.
const (
	racyWindow       = 2 * time.Second
	racyWindowOpened = time.Minute
)

// racy is Racy by a window.
func (id Identity) racy(now time.Time, window time.Duration) bool {
	return max(id.Mtime, id.Ctime) > now.Add(-window).UnixNano()
}

// small is the size up to which files are read always: that takes little longer
// than to look their digests up, and no timestamp has to be believed.
const small = 4 << 10

// Memory finds the digests of files. It remembers them, by path and
// identity, in a table that all processes share, so that a large interpreter
// isn't read at each call. What it remembers holds until the system is started
// anew, and only on file systems whose stat can be believed.
//
// A Memory may be used by many goroutines. Without a table (the zero Memory, or a
// path that is empty or not to be opened) it reads each file each time.
type Memory struct {
	table      table
	boot       func() string
	filesystem func(*os.File) (files.Belief, uint64) // nil: files.FilesystemOf
	// fsids are the file systems of devices, where stat doesn't tell mounts
	// apart.
	fsids sync.Map
}

// New returns the memory kept in the file at path, which is opened at
// its first use.
func New(path string) *Memory {
	return &Memory{table: table{path: path}, boot: sync.OnceValue(files.Boot)}
}

// ReadOnly is New for who leaves no trace: nothing new is remembered.
func ReadOnly(path string) *Memory {
	d := New(path)
	d.table.still = true
	return d
}

// Close closes the table.
func (d *Memory) Close() error { return d.table.close() }

// Seen is what a file was when its digest was found.
type Seen struct {
	Identity
	Mode fs.FileMode
	// Belief is how far an equal identity means equal contents from then on.
	Belief files.Belief
}

// Again identifies what is at a path now, so that it can be compared with what was
// seen there.
func (s Seen) Again(path string) (id Identity, err error) {
	if s.Belief == files.BelieveOpened {
		f, err := files.OpenContents(path)
		if err != nil {
			return id, err
		}
		defer f.Close()
		if id, _, err = statOpen(f); err != nil {
			return id, err
		}
	} else if id, _, err = statPath(path); err != nil {
		return id, err
	}
	if id.Mount == 0 && id.Device == s.Device {
		id.Mount = s.Mount // it was the same file system's
	}
	return id, nil
}

// Digest returns the digest of the regular file at path, and what the file was
// then. The two belong together: a file that changes while it is read is read
// again. Its error is a *fs.PathError or the context's.
func (d *Memory) Digest(ctx context.Context, path string) (sum Digest, seen Seen, err error) {
	return d.find(ctx, path, false)
}

// Settled is Digest for who compares identities later on: it says of small files, too,
// how far theirs can be believed.
func (d *Memory) Settled(ctx context.Context, path string) (sum Digest, seen Seen, err error) {
	return d.find(ctx, path, true)
}

func (d *Memory) find(ctx context.Context, path string, settle bool) (sum Digest, seen Seen, err error) {
	// Before all else: what changes while we read must look young to us.
	begun := time.Now()
	id, mode, err := statPath(path)
	if err != nil {
		return sum, seen, err
	}
	if !mode.IsRegular() {
		return sum, seen, &fs.PathError{Op: "read", Path: path, Err: files.ErrNotRegular}
	}
	// What is remembered for this identity is right if the identity is: so
	// that the file itself is opened only if it has to be read.
	settle = settle || id.Size > small
	if settle && !id.racy(begun, racyWindow) {
		if id.Mount == 0 {
			id.Mount = d.fsid(path, id.Device)
		}
		if sum, belief, ok := d.recall(path, id); ok && belief == files.BelieveStat {
			return sum, Seen{id, mode, belief}, nil
		}
	}
	if !settle {
		var buf [small + 1]byte
		n, err := files.ReadSmall(path, buf[:])
		if err != nil {
			return sum, seen, err
		}
		if int64(n) == id.Size { // else it is another by now, or has no size, as in /proc
			return sha256.Sum256(buf[:n]), Seen{Identity: id, Mode: mode}, nil
		}
	}
	f, err := files.OpenContents(path)
	if err != nil {
		return sum, seen, err
	}
	defer f.Close()
	for range 5 {
		if sum, seen, err = d.read(ctx, f, begun, settle); !errors.Is(err, errChanges) {
			return sum, seen, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return sum, seen, err
		}
	}
	return sum, seen, err
}

// Stat identifies what lies at a path, and says whether it is a file or a folder. Its
// identity is one that Seen has.
func (d *Memory) Stat(path string) (Identity, fs.FileMode, error) {
	id, mode, err := statPath(path)
	if err == nil && id.Mount == 0 {
		id.Mount = d.fsid(path, id.Device)
	}
	return id, mode, err
}

// Racy reports whether a file of this identity may change at this time without a
// change of its identity.
func (id Identity) Racy(now time.Time) bool { return id.racy(now, racyWindow) }

// errChanges is a file that is another after it was read than before.
var errChanges = errors.New("it changes while it is read")

// read finds the digest of an open file. settle says that its identity should
// stand for its contents then, if it can.
func (d *Memory) read(ctx context.Context, f *os.File, begun time.Time, settle bool) (sum Digest, seen Seen, err error) {
	id, mode, err := statOpen(f)
	if err != nil {
		return sum, seen, err
	}
	if !mode.IsRegular() {
		return sum, seen, &fs.PathError{Op: "read", Path: f.Name(), Err: files.ErrNotRegular}
	}
	if settle {
		var fsid uint64
		if seen.Belief, fsid = d.filesystemOf(f); id.Mount == 0 {
			id.Mount = fsid
			d.fsids.Store(id.Device, fsid)
		}
		window := racyWindow
		if seen.Belief == files.BelieveOpened {
			window = racyWindowOpened
			if sum, _, ok := d.recall(f.Name(), id); ok {
				return sum, Seen{id, mode, seen.Belief}, nil
			}
		}
		if id.racy(begun, window) {
			seen.Belief = files.BelieveNothing
		}
		if seen.Belief != files.BelieveNothing {
			// To the disk only where the file system may come back without
			// what we have read, and we would not know it for another one.
			if err := files.Settle(f, id.Mount == fsid); err != nil {
				seen.Belief = files.BelieveNothing
			}
		}
	}
	seen.Identity, seen.Mode = id, mode
	if sum, err = hash(ctx, f, id.Size); err != nil || !settle {
		return sum, seen, err
	}
	after, _, err := statOpen(f)
	if after.Mount == 0 {
		after.Mount = id.Mount
	}
	if err == nil && after != id {
		err = &fs.PathError{Op: "read", Path: f.Name(), Err: errChanges}
	}
	if err == nil && seen.Belief != files.BelieveNothing {
		d.remember(f.Name(), seen, sum)
	}
	return sum, seen, err
}

func (d *Memory) filesystemOf(f *os.File) (files.Belief, uint64) {
	if d.filesystem != nil {
		return d.filesystem(f)
	}
	return files.FilesystemOf(f)
}

// fsid identifies the file system that a file lies on.
func (d *Memory) fsid(path string, device uint64) uint64 {
	if id, ok := d.fsids.Load(device); ok {
		return id.(uint64)
	}
	f, err := files.OpenContents(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	_, id := d.filesystemOf(f)
	d.fsids.Store(device, id)
	return id
}

// hash reads a file to its end, which may lie elsewhere than its size says.
func hash(ctx context.Context, r io.Reader, size int64) (sum Digest, err error) {
	h := sha256.New()
	buf := make([]byte, min(max(size, small)+1, 256<<10))
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

// name is what a digest is remembered by besides the identity. What was remembered
// before the system was started anew has another one.
func (d *Memory) name(path string) (name [32]byte, ok bool) {
	if d.table.open() == nil {
		return name, false
	}
	boot := d.boot()
	return sha256.Sum256([]byte(boot + "\x00" + path)), boot != ""
}

func (d *Memory) recall(path string, id Identity) (sum Digest, belief files.Belief, ok bool) {
	if name, ok := d.name(path); ok {
		return d.table.find(name, id)
	}
	return sum, belief, false
}

func (d *Memory) remember(path string, seen Seen, sum Digest) {
	if name, ok := d.name(path); ok {
		d.table.put(name, seen, sum)
	}
}

// HashTo copies r to w and returns the digest of what it copied.
func HashTo(w io.Writer, r io.Reader) (sum Digest, err error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return sum, err
	}
	return Digest(h.Sum(nil)), nil
}
