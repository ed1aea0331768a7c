package exec

import (
	"bytes"
	"io"
	"os"

	"dvlcache/cache/key"
)

// inMemory is how much of an input is kept in memory, in bytes.
const inMemory = 1 << 20

// Input is what stdin held, to be hashed once and read by every evaluation.
// What doesn't fit into memory lies in a temporary file.
type Input struct {
	Digest key.Digest

	head bytes.Buffer
	rest *os.File // without a name any more; nil if there is none
}

// ReadInput reads r to its end.
func ReadInput(r io.Reader) (*Input, error) {
	in := &Input{}
	var err error
	if in.Digest, err = key.HashTo((*spool)(in), r); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// spool is the input while it is written.
type spool Input

func (s *spool) Write(p []byte) (int, error) {
	if s.rest == nil && s.head.Len()+len(p) > inMemory {
		// Where there can be no file, memory has to do.
		if f, err := os.CreateTemp("", "dvlcache-stdin-"); err == nil {
			os.Remove(f.Name())
			s.rest = f
		}
	}
	if s.rest != nil {
		return s.rest.Write(p)
	}
	return s.head.Write(p)
}

// Open returns a reader of the input from its beginning. Readers are
// independent of each other.
func (in *Input) Open() io.Reader {
	head := bytes.NewReader(in.head.Bytes())
	if in.rest == nil {
		return head
	}
	return io.MultiReader(head, io.NewSectionReader(in.rest, 0, 1<<62))
}

// Close gives the disk space back.
func (in *Input) Close() error {
	if in.rest == nil {
		return nil
	}
	return in.rest.Close()
}
