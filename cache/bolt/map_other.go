//go:build !(linux || darwin || freebsd || netbsd || dragonfly)

package bolt

import (
	"unsafe"

	"go.etcd.io/bbolt"
)

// mapped is a file that bbolt has opened, locked and mapped, and what it holds:
// here it knows better than we how to do that.
type mapped struct {
	db   *bbolt.DB
	data []byte
}

func (b *Store) mapFile() (m mapped, err error) {
	info, err := b.stat()
	if err != nil {
		return m, err
	}
	db, err := b.openFile(b.path, true)
	if err != nil {
		return m, err
	}
	data := unsafe.Add(unsafe.Pointer(nil), db.Info().Data)
	return mapped{db, unsafe.Slice((*byte)(data), info.Size())}, nil
}

func (m mapped) close() { m.db.Close() }
