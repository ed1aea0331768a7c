package folder

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/folder/disk"
	"dvlcache/cache/key"
)

// refusing is a disk that makes no file or folder any more.
type refusing struct {
	disk.System
	why error
}

func (r *refusing) Create(name string) (disk.File, error) {
	if r.why != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: r.why}
	}
	return r.System.Create(name)
}

func (r *refusing) Mkdir(name string) error {
	if r.why != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: r.why}
	}
	return r.System.Mkdir(name)
}

// TestClearFull: a namespace on a full disk can be cleared, and what was begun before isn't
// stored after.
func TestClearFull(t *testing.T) {
	ctx := context.Background()
	d := &refusing{System: quick{disk.New(t.TempDir())}}
	s := newStore("", d)
	one, two := cache.ID{Namespace: "n", Key: key.Key{1}}, cache.ID{Namespace: "n", Key: key.Key{2}}
	put(t, s, one, 1)
	_, begun, err := s.Get(ctx, two)
	if err != nil {
		t.Fatal(err)
	}
	d.why = syscall.ENOSPC
	if n, err := s.Clear(ctx, "n"); n != 1 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	d.why = nil
	add := func(*cache.Entry) *cache.Entry { return &cache.Entry{} }
	if err := s.Update(ctx, two, begun, add); !errors.Is(err, cache.ErrSuperseded) {
		t.Errorf("what was begun before: %v", err)
	}
	if v, ok := number(t, s, one); ok {
		t.Errorf("%v is there", v)
	}
	put(t, s, one, 2)
	if v, ok := number(t, s, one); !ok || v != 2 {
		t.Errorf("%v, %v", v, ok)
	}
}

// TestOneRefusal: what can't be written is the same error each time, so that it is told once.
func TestOneRefusal(t *testing.T) {
	ctx := context.Background()
	d := &refusing{System: quick{disk.New(t.TempDir())}}
	s := newStore("/shared", d)
	texts := map[string]bool{}
	for i := range byte(40) {
		id := cache.ID{Namespace: "n", Key: key.Key{i * 7, i}}
		_, gen, err := s.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			put(t, s, id, 1)
			continue
		}
		d.why = syscall.EACCES
		err = s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry { return &cache.Entry{} })
		if err == nil || !strings.Contains(err.Error(), "/shared: permission denied") || !errors.Is(err, fs.ErrPermission) {
			t.Fatal(err)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("%d texts: %v", len(texts), texts)
	}
}

// sweeping is a disk on which, while swept is set, somebody else takes a file for one that
// was never finished just before it gets its name.
type sweeping struct {
	disk.System
	swept bool
}

func (s *sweeping) Rename(from, to string) error {
	if s.swept {
		s.Remove(from)
	}
	return s.System.Rename(from, to)
}

// TestCompactSwept: who was stopped for so long that its new pack was swept away removes
// nothing of what was to be in it.
func TestCompactSwept(t *testing.T) {
	d := &sweeping{System: quick{disk.New(t.TempDir())}}
	s := newStore("", d)
	id := cache.ID{Namespace: "n", Key: key.Key{1}}
	put(t, s, id, 1)
	for range 2 { // a file of its own, and then a pack
		d.swept = true
		s.Compact(context.Background())
		if v, ok := number(t, s, id); !ok || v != 1 {
			t.Fatalf("%v, %v", v, ok)
		}
		d.swept = false
		if err := s.Compact(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
