package exec

import (
	"io"
	"os"

	"dvlcache/cache"
)

// Input is what stdin held, to be hashed once and read by every evaluation.
type Input struct {
	Digest cache.Digest
	file   *os.File // unlinked
}

// ReadInput reads r to its end. What it holds is kept on disk, in a file that
// has no name any more.
func ReadInput(r io.Reader) (*Input, error) {
	f, err := os.CreateTemp("", "dvlcache-stdin-")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	sum, err := cache.HashTo(f, r)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Input{Digest: sum, file: f}, nil
}

// Open returns a reader of the input from its beginning. Readers are
// independent of each other.
func (in *Input) Open() (io.ReadCloser, error) {
	info, err := in.file.Stat()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(in.file, 0, info.Size())), nil
}

// Close gives the disk space back.
func (in *Input) Close() error { return in.file.Close() }
