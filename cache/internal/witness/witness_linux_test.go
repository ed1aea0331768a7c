package witness

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache/internal/digest"
)

// TestEnds: what a witness holds is given back when it ends: there may be more of them, one
// after the other, than a user may have at once, and none keeps a descriptor.
func TestEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("1"), 0o666); err != nil {
		t.Fatal(err)
	}
	memory := digest.New("")
	_, seen, err := memory.Digest(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for i := range 500 {
		deadline := time.Now().Add(10 * time.Second)
		for {
			w, stop := New([]File{{path, seen}})
			stop()
			if w != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after %d there is no more", i)
			}
			time.Sleep(time.Millisecond)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors became %d", before, descriptors(t))
		}
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
