package key

import (
	"io"

	"dvlcache/cache/internal/digest"
)

// Digest is the SHA-256 of a file's contents.
type Digest = digest.Digest

// Digests finds the digests of files, and remembers them in a file that all
// processes share. It may be used by many goroutines.
type Digests = digest.Memory

// NewDigests returns the memory kept in the file at path, which is opened at
// its first use. Without one (path empty) each file is read each time.
func NewDigests(path string) *Digests { return digest.New(path) }

// ReadDigests is NewDigests for who leaves no trace: nothing new is remembered.
func ReadDigests(path string) *Digests { return digest.ReadOnly(path) }

// HashTo copies r to w and returns the digest of what it copied.
func HashTo(w io.Writer, r io.Reader) (Digest, error) { return digest.HashTo(w, r) }
