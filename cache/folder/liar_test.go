package folder

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dvlcache/cache/folder/disk"
)

// liar is a file system that lies: a disk that several clients share, each of which
// believes for a while what it saw before, as on NFS; where an operation may fail, or have
// been done and report that it failed, or report it and be done later; and that loses, in a
// crash, what was not synced. A seed draws all of it.
type liar struct {
	mu      sync.Mutex
	rng     *rand.Rand
	root    *node
	now     int64 // a clock of seconds: it moves with each hundredth operation
	ops     int64
	late    []late
	lies    map[string]int // how often each was told
	honest  bool
	gentle  bool // no operation fails that can't be seen to have been done
	noLinks bool // it knows no hard links
	crashes int
	// before is called before each operation, without the lock.
	before func(c *client)
}

// node is a file or folder.
type node struct {
	names   map[string]*node // of a folder; nil: it is a file
	durable map[string]*node // what of it outlives a crash
	log     []change         // what was done to it since
	data    []byte
	synced  bool
	written int64
	links   int
}

// change is what happened to names of a folder in one step.
type change map[string]*node // nil: gone

// late is an operation that is done later than it was reported to have failed.
type late struct {
	client *client
	at     int64
	do     func()
}

// longestDelay is how many operations later that is, at most.
const longestDelay = 400

func newLiar(seed uint64) *liar {
	return &liar{rng: rand.New(rand.NewPCG(seed, 1)), root: newFolder(), lies: map[string]int{}, now: 1.7e9}
}

func newFolder() *node {
	return &node{names: map[string]*node{}, durable: map[string]*node{}, links: 1}
}

// client is a machine: what it believes of folders, and of names that aren't there.
type client struct {
	*liar
	listings map[string][]string
	absent   map[string]bool
	seen     map[string]*node // files that it opened
	task     *task
}

func (l *liar) client() *client {
	return &client{liar: l, listings: map[string][]string{}, absent: map[string]bool{}, seen: map[string]*node{}}
}

// lie reports whether one of a kind is told now, and counts it.
func (l *liar) lie(kind string, one, of int) bool {
	if l.honest || l.rng.IntN(of) >= one {
		return false
	}
	l.lies[kind]++
	return true
}

// begin is the beginning of each operation.
func (c *client) begin() {
	if c.before != nil {
		c.before(c)
	}
	c.mu.Lock()
	if c.ops++; c.ops%100 == 0 {
		c.now++
	}
	for i := 0; i < len(c.late); i++ {
		if c.late[i].at <= c.ops {
			do := c.late[i].do
			c.late = slices.Delete(c.late, i, i+1)
			i--
			do()
		}
	}
}

// crash loses what was not synced. Nobody goes on after it.
func (l *liar) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crashes++
	l.lies["crash"]++
	l.late = nil
	l.root.crash(l.rng)
}

func (n *node) crash(rng *rand.Rand) {
	if n.names == nil {
		if !n.synced {
			switch n.data = n.data[:rng.IntN(len(n.data)+1)]; rng.IntN(3) {
			case 0:
				n.data = make([]byte, len(n.data))
			case 1:
				n.data = nil
			}
			n.synced = true
		}
		return
	}
	n.names = map[string]*node{}
	for name, child := range n.durable {
		n.names[name] = child
	}
	for _, step := range n.log[:rng.IntN(len(n.log)+1)] {
		apply(n.names, step)
	}
	n.sync()
	for _, name := range sortedNames(n.names) {
		n.names[name].crash(rng)
	}
}

func apply(names map[string]*node, step change) {
	for name, child := range step {
		if child == nil {
			delete(names, name)
		} else {
			names[name] = child
		}
	}
}

func (n *node) sync() {
	n.durable = map[string]*node{}
	for name, child := range n.names {
		n.durable[name] = child
	}
	n.log = nil
}

func sortedNames(names map[string]*node) (list []string) {
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// find finds what has a name; nil if nothing has.
func (l *liar) find(name string) *node {
	n := l.root
	if name == "." {
		return n
	}
	for part := range strings.SplitSeq(name, "/") {
		if n = n.names[part]; n == nil {
			return nil
		}
	}
	return n
}

// change does something to names of a folder.
func (l *liar) change(dir string, step change) {
	d := l.find(dir)
	apply(d.names, step)
	d.log = append(d.log, step)
}

// learn has a client know what is in a folder: it has just changed something there, or
// tried to.
func (c *client) learn(dir string) {
	delete(c.listings, dir)
	for name := range c.absent {
		if path.Dir(name) == dir {
			delete(c.absent, name)
		}
	}
}

// often says that one of so many answers is lost.
func (l *liar) often() int {
	if l.gentle {
		return 12
	}
	return 40
}

func failed(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// mutate does an operation that changes a folder: at once, or not, or later, whatever it
// reports. do makes the change, and says how it fails. repeated is what who tries it again
// is told, after it was done.
func (c *client) mutate(op, name string, repeated syscall.Errno, do func() error) error {
	c.begin()
	defer c.mu.Unlock()
	c.learn(path.Dir(name))
	delete(c.listings, name)
	delete(c.absent, name)
	switch {
	case c.lie("done, and its answer lost: "+op, 1, c.often()):
		if err := do(); err != nil {
			return err
		}
		if c.gentle || c.rng.IntN(2) == 0 {
			return failed(op, name, repeated)
		}
		return failed(op, name, syscall.EIO)
	case c.gentle:
	case c.lie("refused: "+op, 1, 60):
		return failed(op, name, []error{syscall.EIO, syscall.EDQUOT, syscall.ENOSPC, syscall.EACCES, syscall.ESTALE}[c.rng.IntN(5)])
	case c.lie("done later: "+op, 1, 120):
		c.late = append(c.late, late{c, c.ops + 1 + c.rng.Int64N(longestDelay), func() { do() }})
		return failed(op, name, syscall.ETIMEDOUT)
	}
	return do()
}

func (c *client) Mkdir(name string) error {
	return c.mutate("mkdir", name, syscall.EEXIST, func() error {
		dir, base := path.Dir(name), path.Base(name)
		if name == "." {
			return failed("mkdir", name, fs.ErrExist)
		}
		d := c.find(dir)
		switch {
		case d == nil:
			return failed("mkdir", name, fs.ErrNotExist)
		case d.names == nil:
			return failed("mkdir", name, syscall.ENOTDIR)
		case d.names[base] != nil:
			return failed("mkdir", name, fs.ErrExist)
		}
		c.change(dir, change{base: newFolder()})
		return nil
	})
}

func (c *client) Create(name string) (f disk.File, err error) {
	err = c.mutate("create", name, syscall.EEXIST, func() error {
		d := c.find(path.Dir(name))
		switch {
		case d == nil:
			return failed("create", name, fs.ErrNotExist)
		case d.names == nil:
			return failed("create", name, syscall.ENOTDIR)
		case d.names[path.Base(name)] != nil:
			return failed("create", name, fs.ErrExist)
		}
		n := &node{written: c.now, links: 1}
		c.change(path.Dir(name), change{path.Base(name): n})
		f = &liarFile{client: c, name: name, node: n, writing: true}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (c *client) Rename(from, to string) error {
	return c.mutate("rename", from, syscall.ENOENT, func() error {
		n := c.find(from)
		if n == nil {
			return failed("rename", from, fs.ErrNotExist)
		}
		if old := c.find(to); old != nil {
			old.links--
		}
		c.change(path.Dir(from), change{path.Base(from): nil, path.Base(to): n})
		return nil
	})
}

func (c *client) Link(from, to string) error {
	if c.noLinks {
		return failed("link", from, syscall.EPERM)
	}
	return c.mutate("link", from, syscall.EEXIST, func() error {
		n := c.find(from)
		switch {
		case n == nil:
			return failed("link", from, fs.ErrNotExist)
		case c.find(to) != nil:
			return failed("link", to, fs.ErrExist)
		}
		n.links++
		c.change(path.Dir(to), change{path.Base(to): n})
		return nil
	})
}

func (c *client) Remove(name string) error {
	return c.mutate("remove", name, syscall.ENOENT, func() error {
		n := c.find(name)
		switch {
		case n == nil:
			return failed("remove", name, fs.ErrNotExist)
		case len(n.names) > 0:
			return failed("remove", name, syscall.ENOTEMPTY)
		}
		n.links--
		c.change(path.Dir(name), change{path.Base(name): nil})
		return nil
	})
}

func (c *client) Open(name string) (disk.File, error) {
	c.begin()
	defer c.mu.Unlock()
	n := c.find(name)
	if c.absent[name] && !c.honest {
		if n == nil || c.rng.IntN(4) > 0 {
			if n != nil {
				c.lies["a name that is there isn't"]++
			}
			return nil, failed("open", name, fs.ErrNotExist)
		}
		delete(c.absent, name)
	}
	before := c.seen[name]
	switch {
	case n == nil:
		c.absent[name] = true
		delete(c.seen, name)
		if before != nil && c.lie("stale handle: open", 1, 2) {
			return nil, failed("open", name, syscall.ESTALE)
		}
		return nil, failed("open", name, fs.ErrNotExist)
	case n.names != nil:
		return nil, failed("open", name, syscall.EISDIR)
	case before != nil && before != n && c.lie("stale handle: open", 1, 2):
		delete(c.seen, name)
		return nil, failed("open", name, syscall.ESTALE)
	case !c.gentle && c.lie("refused: open", 1, 200):
		return nil, failed("open", name, []error{syscall.EIO, syscall.EACCES, syscall.ESTALE}[c.rng.IntN(3)])
	}
	c.seen[name] = n
	return &liarFile{client: c, name: name, node: n}, nil
}

func (c *client) List(dir string) ([]string, error) {
	c.begin()
	defer c.mu.Unlock()
	d := c.find(dir)
	if old, ok := c.listings[dir]; ok && !c.honest && c.rng.IntN(4) > 0 {
		if d == nil || !slices.Equal(old, sortedNames(d.names)) {
			c.lies["an old listing"]++
		}
		return slices.Clone(old), nil
	}
	switch {
	case d == nil:
		return nil, failed("list", dir, fs.ErrNotExist)
	case d.names == nil:
		return nil, failed("list", dir, syscall.ENOTDIR)
	case !c.gentle && c.lie("refused: list", 1, 200):
		return nil, failed("list", dir, []error{syscall.EIO, syscall.ESTALE}[c.rng.IntN(2)])
	}
	c.listings[dir] = sortedNames(d.names)
	return slices.Clone(c.listings[dir]), nil
}

func (c *client) Sync(dir string) error {
	c.begin()
	defer c.mu.Unlock()
	d := c.find(dir)
	if d == nil {
		return failed("sync", dir, fs.ErrNotExist)
	}
	if !c.gentle && c.lie("refused: sync of a folder", 1, 100) {
		return failed("sync", dir, syscall.EIO)
	}
	d.sync()
	return nil
}

// liarFile is an open file of a client.
type liarFile struct {
	*client
	name    string
	node    *node
	writing bool
	doomed  bool // what was written doesn't last, which shows when it is closed
}

func (f *liarFile) ReadAt(b []byte, at int64) (int, error) {
	f.begin()
	defer f.mu.Unlock()
	if f.node.links == 0 && f.lie("stale handle: read", 1, 2) {
		return 0, failed("read", f.name, syscall.ESTALE)
	}
	if !f.gentle && f.lie("refused: read", 1, 300) {
		return 0, failed("read", f.name, syscall.EIO)
	}
	if at >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *liarFile) Write(b []byte) (int, error) {
	f.begin()
	defer f.mu.Unlock()
	n := len(b)
	var err error
	if !f.gentle && f.lie("cut short: write", 1, 100) {
		n, err = f.rng.IntN(n+1), failed("write", f.name, syscall.ENOSPC)
	}
	f.node.data = append(f.node.data, b[:n]...)
	f.node.synced = false
	return n, err
}

func (f *liarFile) Sync() error {
	f.begin()
	defer f.mu.Unlock()
	if !f.gentle && f.lie("refused: sync", 1, 80) {
		f.node.data = f.node.data[:f.rng.IntN(len(f.node.data)+1)] // what couldn't be written is gone
		return failed("sync", f.name, []error{syscall.EIO, syscall.EDQUOT}[f.rng.IntN(2)])
	}
	f.node.synced = true
	f.doomed = !f.gentle && f.lie("quota at close", 1, 60)
	return nil
}

func (f *liarFile) Close() error {
	if !f.writing {
		return nil
	}
	f.begin()
	defer f.mu.Unlock()
	if f.doomed {
		f.node.data = f.node.data[:f.rng.IntN(len(f.node.data)+1)]
		return failed("close", f.name, syscall.EDQUOT)
	}
	return nil
}

func (f *liarFile) Stat() (int64, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.node.data)), time.Unix(f.node.written, 0), nil
}
