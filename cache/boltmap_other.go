//go:build !(linux || darwin || freebsd || netbsd || dragonfly)

package cache

import (
	"os"
	"unsafe"

	"go.etcd.io/bbolt"
)

// canKeepMapped: a file that is open can't be replaced here, or bbolt knows better
// than we how to map it.
const canKeepMapped = false

// mapped is a file that bbolt has opened, locked and mapped, and what it holds.
type mapped struct {
	db   *bbolt.DB
	data []byte
}

func (b *Bolt) mapAll(f *os.File, size int64) (m mapped, err error) {
	f.Close()
	db, err := b.openFile(b.path, true)
	if err != nil {
		return m, err
	}
	data := unsafe.Add(unsafe.Pointer(nil), db.Info().Data)
	return mapped{db, unsafe.Slice((*byte)(data), size)}, nil
}

func (b *Bolt) lockMapped(*mapping) error { return nil }
func (m *mapping) unlock()                {}
func (m *mapping) close()                 { m.db.Close() }
