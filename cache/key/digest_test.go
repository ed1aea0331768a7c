package key

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// age sets a file's modification back, so that it isn't racy. Its change time
// can't be set: wait reports how long it takes to be old as well.
func age(t testing.TB, path string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestDigestsRemember(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a file to be two seconds old")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	writeFile(t, path, "abc")
	time.Sleep(racyWindow + 100*time.Millisecond)
	ctx := context.Background()
	d := NewDigests(filepath.Join(dir, "digests"))
	sum, id, err := d.Digest(ctx, path)
	if err != nil || sum != sha256.Sum256([]byte("abc")) {
		t.Fatalf("%v, %v", sum, err)
	}
	if got, ok := d.recall(path, id); !ok || got != sum {
		t.Fatalf("it is not remembered")
	}
	// A slot that is flipped anywhere is as good as empty.
	table, err := os.ReadFile(filepath.Join(dir, "digests"))
	if err != nil {
		t.Fatal(err)
	}
	at := len(table) - slotSize
	for [slotSize]byte(table[at:]) == [slotSize]byte{} {
		at -= slotSize
	}
	for bit := range slotPayload * 8 {
		table[at+bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(filepath.Join(dir, "digests"), table, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := NewDigests(filepath.Join(dir, "digests")).recall(path, id); ok {
			t.Fatalf("bit %d flipped: it answers %v", bit, got)
		}
		table[at+bit/8] ^= 1 << (bit % 8)
	}
	// Another file of the same identity, as after a restore on another disk.
	if _, ok := d.recall(path+"2", id); ok {
		t.Error("the digest answers for another path")
	}
}

// TestDigestsOfChangingFile: an edit within the same second, to the same
// length, with the modification time put back, is seen every time.
func TestDigestsOfChangingFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	ctx := context.Background()
	old := time.Now().Add(-time.Hour)
	for i := range 200 {
		d := NewDigests(filepath.Join(dir, "digests"))
		text := binary.BigEndian.AppendUint32(nil, uint32(i))
		writeFile(t, path, string(text))
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		sum, _, err := d.Digest(ctx, path)
		if err != nil || sum != sha256.Sum256(text) {
			t.Fatalf("edit %d: %v, %v", i, sum, err)
		}
		d.Close()
	}
}

func TestDigestsTableIsFull(t *testing.T) {
	dir := t.TempDir()
	d := NewDigests(filepath.Join(dir, "digests"))
	id := Identity{Size: 1, Mtime: 5, Ctime: 5}
	names := make([]string, 2000)
	for i := range names {
		names[i] = filepath.Join("/", string(rune('a'+i%26)), string(rune('0'+i/26)))
		d.remember(names[i], id, Digest{byte(i), byte(i >> 8)})
	}
	known := 0
	for i, name := range names {
		if sum, ok := d.recall(name, id); ok {
			known++
			if sum != (Digest{byte(i), byte(i >> 8)}) {
				t.Fatalf("%s has the digest of another file", name)
			}
		}
	}
	if known < len(names)*9/10 {
		t.Errorf("only %d of %d are known", known, len(names))
	}
}

func TestDigestsWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	writeFile(t, path, "abc")
	age(t, path)
	for _, memory := range []string{"", filepath.Join(dir, "no", "folder"), dir} {
		sum, _, err := NewDigests(memory).Digest(context.Background(), path)
		if err != nil || sum != sha256.Sum256([]byte("abc")) {
			t.Errorf("with %q: %v, %v", memory, sum, err)
		}
	}
	for _, bad := range []string{dir, filepath.Join(dir, "missing"), os.DevNull} {
		if _, _, err := NewDigests("").Digest(context.Background(), bad); err == nil {
			t.Errorf("%s has a digest", bad)
		}
	}
}
