package cache

import (
	"bytes"
	"os"
	"time"
)

// mapping is the file as it is read: mapped, and the tree that its pages are. It
// is for one reading at a time, under the lock.
type mapping struct {
	mapped
	info os.FileInfo // of when it was mapped
	till time.Time   // how long it may be kept
	tree tree
}

// keepMapped is how long the file stays mapped: who asks again and again gains by
// it, and who runs a program for hours must not keep the disk space of a file
// that has been replaced.
const keepMapped = time.Second

// viewLocked runs f on the file's tree.
func (b *Bolt) viewLocked(f func(*tree) error) error {
	m, err := b.mapFile()
	if err != nil {
		return err
	}
	err = guard(func() error {
		t, err := m.current()
		if err != nil {
			return err
		}
		return f(t)
	})
	m.unlock()
	keep := !broken(err) && canKeepMapped && b.mapping.CompareAndSwap(nil, m)
	// The timer that ends it may have gone off meanwhile.
	if !keep || !time.Now().Before(m.till) && b.mapping.CompareAndSwap(m, nil) {
		m.close()
	}
	return err
}

// mapFile returns the mapping that was kept, if the file is still the one that
// was mapped, or maps it. A file that isn't there is errNoFile.
func (b *Bolt) mapFile() (*mapping, error) {
	m := b.mapping.Swap(nil)
	info, err := b.stat()
	// A file grows, and is put in another's place, but never shrinks.
	if m != nil && (err != nil || !os.SameFile(info, m.info) || info.Size() != m.info.Size()) {
		m.close()
		m = nil
	}
	if m == nil && err == nil {
		m, err = b.mapAnew()
	}
	if err != nil {
		return nil, err
	}
	if err := b.lockMapped(m); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (b *Bolt) mapAnew() (*mapping, error) {
	f, err := openRegular(b.path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	m := &mapping{till: time.Now().Add(keepMapped)}
	if m.info, err = f.Stat(); err == nil {
		m.mapped, err = b.mapAll(f, m.info.Size())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	time.AfterFunc(keepMapped, func() {
		if b.mapping.CompareAndSwap(m, nil) {
			m.close()
		} // otherwise it is in use, or closed
	})
	return m, nil
}

// current is the tree as the file is now. What was checked before counts, if
// nothing was written since.
func (m *mapping) current() (*tree, error) {
	h, err := readHead(bytes.NewReader(m.data))
	if err != nil {
		return nil, err
	}
	if m.tree.data != nil && m.tree.head == h {
		return &m.tree, nil
	}
	if err := checkFile(bytes.NewReader(m.data), int64(len(m.data))); err != nil {
		return nil, err
	}
	if m.tree, err = newTree(h, m.data); err != nil {
		return nil, err
	}
	if err := m.tree.checkLayout(); err != nil {
		m.tree = tree{}
		return nil, err
	}
	return &m.tree, nil
}
