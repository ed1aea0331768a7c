package digest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dvlcache/cache/internal/files"
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

// large makes contents that are worth remembering of a text.
func large(text string) string { return text + strings.Repeat("x", small) }

func TestDigestsRemember(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a file to be two seconds old")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	writeFile(t, path, large("abc"))
	time.Sleep(racyWindow + 100*time.Millisecond)
	ctx := context.Background()
	d := New(filepath.Join(dir, "digests"))
	sum, seen, err := d.Digest(ctx, path)
	if err != nil || sum != sha256.Sum256([]byte(large("abc"))) {
		t.Fatalf("%v, %v", sum, err)
	}
	if seen.Belief != files.BelieveStat {
		t.Skip("the file system of the temporary folder isn't one whose stat is believed")
	}
	id := seen.Identity
	if got, _, ok := d.recall(path, id); !ok || got != sum {
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
		if got, _, ok := New(filepath.Join(dir, "digests")).recall(path, id); ok {
			t.Fatalf("bit %d flipped: it answers %v", bit, got)
		}
		table[at+bit/8] ^= 1 << (bit % 8)
	}
	// Another file of the same identity, as after a restore on another disk.
	if _, _, ok := d.recall(path+"2", id); ok {
		t.Error("the digest answers for another path")
	}
	// The next mount there, and the next start of the system.
	if _, _, ok := d.recall(path, Identity{id.Mount + 1, id.Device, id.Inode, id.Size, id.Mtime, id.Ctime}); ok {
		t.Error("the digest answers for another mount")
	}
	d.boot = func() string { return "another" }
	if _, _, ok := d.recall(path, id); ok {
		t.Error("the digest answers after the system was started anew")
	}
	d.boot = func() string { return "" }
	if _, _, ok := d.recall(path, id); ok {
		t.Error("the digest answers where the start of the system isn't known")
	}
}

// TestDigestOfSlowReading: a file that is young when it begins to be read is not
// remembered, however long the reading takes, since its times may be coarse.
func TestDigestOfSlowReading(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	writeFile(t, path, large("abc"))
	d := New(filepath.Join(dir, "digests"))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begun := time.Now()
	time.Sleep(racyWindow + 100*time.Millisecond) // as if in the midst of it
	_, seen, err := d.read(context.Background(), f, begun, true)
	if err != nil || seen.Belief != files.BelieveNothing {
		t.Errorf("%v, %v", seen, err)
	}
	if _, _, ok := d.recall(path, seen.Identity); ok {
		t.Error("it is remembered")
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
		d := New(filepath.Join(dir, "digests"))
		text := binary.BigEndian.AppendUint32(nil, uint32(i))
		if i%2 == 1 {
			text = []byte(large(string(text)))
		}
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

// TestTableGrows: a folder of many files is remembered whole, and looking it up
// reads little more than a bucket a file.
func TestTableGrows(t *testing.T) {
	tab := &table{path: filepath.Join(t.TempDir(), "digests")}
	const n = 60_000
	name := func(i int) [32]byte { return sha256.Sum256(binary.AppendUvarint(nil, uint64(i))) }
	seen := Seen{Identity: Identity{Size: 1, Mtime: 5, Ctime: 5}, Belief: files.BelieveStat}
	for i := range n {
		tab.put(name(i), seen, Digest(name(i)))
	}
	for i := range n {
		if sum, belief, ok := tab.find(name(i), seen.Identity); !ok || sum != name(i) || belief != files.BelieveStat {
			t.Fatalf("%d of %d: %v, %v", i, n, ok, sum)
		}
	}
	// Another identity takes the same slot, and the same room.
	before, err := os.Stat(tab.path)
	if err != nil {
		t.Fatal(err)
	}
	later := seen
	later.Ctime++
	for i := range n {
		tab.put(name(i), later, Digest{1})
	}
	if after, err := os.Stat(tab.path); err != nil || after.Size() != before.Size() {
		t.Errorf("%d bytes, then %d, %v", before.Size(), after.Size(), err)
	}
	for i := range n {
		if _, _, ok := tab.find(name(i), seen.Identity); ok {
			t.Fatalf("%d: the old identity is still known", i)
		}
		if sum, _, ok := tab.find(name(i), later.Identity); !ok || sum != (Digest{1}) {
			t.Fatalf("%d: the new one isn't", i)
		}
	}
	if err := os.Remove(tab.path); err != nil {
		t.Fatal(err)
	}
	fresh := &table{path: tab.path}
	if _, _, ok := fresh.find(name(1), later.Identity); ok {
		t.Error("a table that was removed answers")
	}
}

// TestTableIsFull: in the last level what is there gives way.
func TestTableIsFull(t *testing.T) {
	tab := &table{path: filepath.Join(t.TempDir(), "digests")}
	seen := Seen{Identity: Identity{Size: 1, Mtime: 5, Ctime: 5}}
	for i := range 100 { // of one hash
		name := [32]byte{31: byte(i)}
		tab.put(name, seen, Digest{byte(i)})
		if sum, _, ok := tab.find(name, seen.Identity); !ok || sum != (Digest{byte(i)}) {
			t.Fatalf("%d is not remembered", i)
		}
	}
	known := 0
	for i := range 100 {
		if sum, _, ok := tab.find([32]byte{31: byte(i)}, seen.Identity); ok {
			known++
			if sum != (Digest{byte(i)}) {
				t.Fatalf("%d has the digest of another file", i)
			}
		}
	}
	if known != levels*bucketSlots {
		t.Errorf("%d are known, there is room for %d", known, levels*bucketSlots)
	}
}

func TestDigestsWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	writeFile(t, path, large("abc"))
	age(t, path)
	if sum, _, err := (&Memory{}).Digest(context.Background(), path); err != nil || sum != sha256.Sum256([]byte(large("abc"))) {
		t.Errorf("without a memory: %v, %v", sum, err)
	}
	for _, memory := range []string{"", filepath.Join(dir, "no", "folder"), dir} {
		sum, _, err := New(memory).Digest(context.Background(), path)
		if err != nil || sum != sha256.Sum256([]byte(large("abc"))) {
			t.Errorf("with %q: %v, %v", memory, sum, err)
		}
	}
	for _, bad := range []string{dir, filepath.Join(dir, "missing"), os.DevNull} {
		if _, _, err := New("").Digest(context.Background(), bad); err == nil {
			t.Errorf("%s has a digest", bad)
		}
	}
}

// TestBeliefs: on a file system of a network a file is opened before what is
// remembered of it is believed, and has to be a minute old; elsewhere nothing is
// remembered.
func TestBeliefs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	ctx := context.Background()
	for belief, age := range map[files.Belief]time.Duration{files.BelieveStat: racyWindow, files.BelieveOpened: racyWindowOpened, files.BelieveNothing: -1} {
		d := New(filepath.Join(dir, fmt.Sprint("digests", belief)))
		writeFile(t, path, large("abc"))
		opened := 0
		d.filesystem = func(*os.File) (files.Belief, uint64) {
			opened++
			return belief, 1
		}
		look := func(later time.Duration) (remembered bool) {
			t.Helper()
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			sum, seen, err := d.read(ctx, f, time.Now().Add(later), true)
			if err != nil || sum != sha256.Sum256([]byte(large("abc"))) {
				t.Fatalf("%v, %v", sum, err)
			}
			_, _, ok := d.recall(path, seen.Identity)
			return ok
		}
		if look(0) || age > 0 && look(age-time.Second) {
			t.Errorf("%v: what is young is remembered", belief)
		}
		if look(2*racyWindowOpened) != (age > 0) {
			t.Errorf("%v: what is old is remembered: %v", belief, age < 0)
		}
		opened = 0
		time.Sleep(racyWindow + 100*time.Millisecond) // for the digest that is asked for now
		_, seen, err := d.Digest(ctx, path)
		if err != nil || (opened == 0) != (belief == files.BelieveStat && seen.Mount != 1) {
			t.Errorf("%v: it was opened %d times, %v", belief, opened, err)
		}
	}
}
