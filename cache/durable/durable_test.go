package durable

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRename: the name has the whole file or what had it before, and the file is
// closed in either case. That all is synced TestSyncedBeforeItIsSaid in cmd shows.
func TestRename(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		to   string
		good bool
	}{{"name", true}, {"name", true}, {"folder", false}, {"no/where", false}} {
		os.MkdirAll(filepath.Join(dir, "folder", "in use"), 0o700)
		f, err := os.Create(filepath.Join(dir, "temp"))
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("whole")
		to := filepath.Join(dir, tt.to)
		if err := Rename(f, to); (err == nil) != tt.good {
			t.Errorf("%s: %v", tt.to, err)
		}
		if data, _ := os.ReadFile(to); tt.good && string(data) != "whole" {
			t.Errorf("%s holds %q", tt.to, data)
		}
		if err := f.Close(); err == nil {
			t.Errorf("%s: the file was left open", tt.to)
		}
	}
}

// TestParents: a new folder, one that may not be read above it, and none.
func TestParents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o300); err != nil {
		t.Fatal(err)
	}
	if err := Parents(dir); err != nil {
		t.Error(err)
	}
	if err := Folder(filepath.Dir(dir)); err != nil {
		t.Error(err)
	}
	if err := Parents(filepath.Join(dir, "no", "where")); err == nil {
		t.Error("a folder that isn't there was synced")
	}
}
