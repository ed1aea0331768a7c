//go:build unix

package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/internal/files"
	"dvlcache/cache/storetest"
)

// TestNoLinkIsFollowed: where there is a link in the place of one of our files,
// whatever it leads to stays as it is, and is not taken for ours.
func TestNoLinkIsFollowed(t *testing.T) {
	ctx := context.Background()
	id := cache.ID{Namespace: "n", Key: storetest.Numbered(1)}
	for _, name := range []string{"cache.db", "cache.lock", "gate.lock", "leases", filepath.Join("leases", id.String()), "cache.db.new", "cache.db.salvaged"} {
		for _, led := range []string{"to a file", "to a cache", "to a folder", "nowhere"} {
			t.Run(name+" "+led, func(t *testing.T) {
				dir, outside := t.TempDir(), t.TempDir()
				s := New(dir, time.Second, func(text string) { t.Error("it was set aside: ", text) })
				storetest.Put(t, s, id, 0.5)
				if l, err := s.Lease(ctx, id, 0); err != nil {
					t.Fatal(err)
				} else {
					l.Release()
				}
				target := filepath.Join(outside, "target")
				switch led {
				case "to a file":
					os.WriteFile(target, []byte("theirs"), 0o600)
				case "to a cache":
					data, err := os.ReadFile(s.Path())
					if err != nil {
						t.Fatal(err)
					}
					os.WriteFile(target, data, 0o600)
				case "to a folder":
					os.Mkdir(target, 0o700)
					os.WriteFile(filepath.Join(target, "file"), nil, 0o600)
				}
				long := time.Unix(1e9, 0)
				os.Chtimes(target, long, long)
				before := picture(t, outside)
				link := filepath.Join(dir, name)
				os.RemoveAll(link)
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
				e, _, getErr := s.Get(ctx, id)
				lease, leaseErr := s.Lease(ctx, id, time.Second)
				if leaseErr == nil {
					lease.Release()
				}
				_, clearErr := s.Clear(ctx, "n")
				compactErr := s.Compact(ctx)
				_, salvageErr := s.Salvage(ctx)
				if after := picture(t, outside); after != before {
					t.Errorf("what the link leads to was\n%s\nand is\n%s", before, after)
				}
				var of []error
				switch name {
				case "cache.db":
					of = []error{getErr, clearErr, compactErr, salvageErr}
					if e != nil {
						t.Error("an entry came by the link")
					}
					if to, err := os.Readlink(link); err != nil || to != target {
						t.Errorf("the link was replaced: %q, %v", to, err)
					}
				case "cache.lock", "gate.lock":
					of = []error{getErr, clearErr, compactErr, salvageErr}
				case "leases", filepath.Join("leases", id.String()):
					of = []error{leaseErr}
				}
				for i, err := range of {
					if !errors.Is(err, files.ErrLink) {
						t.Errorf("error %d: %v", i, err)
					}
				}
				if len(of) < 4 && (e == nil || errors.Join(getErr, clearErr, compactErr, salvageErr) != nil) {
					t.Errorf("%+v, %v, %v, %v, %v", e, getErr, clearErr, compactErr, salvageErr)
				}
			})
		}
	}
}

// picture is what lies in a folder, with times and contents.
func picture(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	if err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		data, _ := os.ReadFile(path)
		b.WriteString(path + " " + info.ModTime().String() + " " + info.Mode().String() + "\n")
		b.Write(data)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
