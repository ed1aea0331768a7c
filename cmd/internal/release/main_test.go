package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dvlcache/cmd"
)

// TestDist: two runs make the same bytes, the checksums are theirs, and what is
// in an archive runs.
func TestDist(t *testing.T) {
	t.Chdir("../../..")
	here := runtime.GOOS + "/" + runtime.GOARCH
	dirs := []string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")}
	for _, dir := range dirs {
		if err := dist(dir, []string{here}); err != nil {
			t.Fatal(err)
		}
	}
	sums, err := os.ReadFile(filepath.Join(dirs[0], "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	sum, name, _ := strings.Cut(strings.TrimSpace(string(sums)), "  ")
	one, err := os.ReadFile(filepath.Join(dirs[0], name))
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := os.ReadFile(filepath.Join(dirs[1], name)); !bytes.Equal(one, two) {
		t.Errorf("%s differs from run to run", name)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(one)); got != sum {
		t.Errorf("%s has the checksum %s, not %s", name, got, sum)
	}
	unpacked, top := unpackTar(t, one), strings.TrimSuffix(name, ".tar.gz")
	for _, want := range []string{"bin/dvlcache", "share/doc/dvlcache/LICENSE", "share/man/man1/dvlcache-run.1", "share/bash-completion/completions/dvlcache"} {
		if len(unpacked[path.Join(top, want)]) == 0 {
			t.Errorf("%s lacks %s", name, want)
		}
	}
	program := filepath.Join(t.TempDir(), "dvlcache")
	if err := os.WriteFile(program, unpacked[path.Join(top, "bin/dvlcache")], 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "version").Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) < 3 || words[2] != here || !strings.HasPrefix(name, "dvlcache-"+strings.Trim(words[1], "()")+"-") {
		t.Errorf("%s: version prints %q, %v", name, out, err)
	}
}

// TestZip: the archive for Windows holds what it is given, and is the same each
// time.
func TestZip(t *testing.T) {
	files := []file{{"bin/dvlcache.exe", []byte("a program"), 0o755}, {"share/man/man1/dvlcache.1", []byte("a page"), 0o644}}
	var one, two bytes.Buffer
	if err := errors.Join(packZip(&one, "dvlcache-v1", files), packZip(&two, "dvlcache-v1", files)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("it differs from run to run")
	}
	unpacked := unpackZip(t, one.Bytes())
	for _, f := range files {
		if !bytes.Equal(unpacked["dvlcache-v1/"+f.name], f.data) {
			t.Errorf("%s holds %q", f.name, unpacked["dvlcache-v1/"+f.name])
		}
	}
}

func unpackTar(t *testing.T, data []byte) map[string][]byte {
	files := map[string][]byte{}
	uncompressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(uncompressed); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		files[header.Name], _ = io.ReadAll(archive)
	}
}

func unpackZip(t *testing.T, data []byte) map[string][]byte {
	files := map[string][]byte{}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name], _ = io.ReadAll(r)
	}
	return files
}

// TestDocs: each command has a page that names each of its flags, and bash
// accepts the completions.
func TestDocs(t *testing.T) {
	share := t.TempDir()
	if err := docs(share); err != nil {
		t.Fatal(err)
	}
	pages := 0
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		pages++
		name := strings.ReplaceAll(c.CommandPath(), " ", "-")
		page, err := os.ReadFile(filepath.Join(share, "man", "man1", name+".1"))
		if err != nil {
			t.Error(err)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !bytes.Contains(page, []byte(`\fB--`+f.Name+`\fP`)) {
				t.Errorf("the page of %s lacks --%s", name, f.Name)
			}
		})
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() && below.Name() != "help" {
				check(below)
			}
		}
	}
	check(cmd.Root())
	if pages < 8 {
		t.Errorf("%d commands", pages)
	}
	run, _ := os.ReadFile(filepath.Join(share, "man", "man1", "dvlcache-run.1"))
	for _, want := range []string{`\fB--track\fP=auto|reads|args|none`, "nothing (none) (default auto)", ".TP\n\\fB--tee\\fP\nshow COMMAND's stdout"} {
		if !bytes.Contains(run, []byte(want)) {
			t.Errorf("the page of run lacks %q:\n%s", want, run)
		}
	}
	for name, check := range map[string]string{
		"bash-completion/completions/dvlcache":    "bash",
		"zsh/site-functions/_dvlcache":            "zsh",
		"fish/vendor_completions.d/dvlcache.fish": "fish",
		"dvlcache/dvlcache.ps1":                   "",
	} {
		file := filepath.Join(share, name)
		if data, err := os.ReadFile(file); err != nil || !bytes.Contains(data, []byte("__complete")) {
			t.Errorf("%s: %v", name, err)
		}
		if shell, err := exec.LookPath(check); err == nil {
			if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}

// TestInstall: make puts the program and its pages where they belong.
func TestInstall(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no make")
	}
	t.Chdir("../../..")
	dir := t.TempDir()
	install := exec.Command("make", "install", "DESTDIR="+dir, "PREFIX=/usr")
	install.Env = append(os.Environ(), "MAKEFLAGS=") // we may be below make ourselves
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(filepath.Join(dir, "usr/bin/dvlcache"), "version").Output(); err != nil || !bytes.HasPrefix(out, []byte("dvlcache ")) {
		t.Errorf("version prints %q, %v", out, err)
	}
	for _, name := range []string{"man/man1/dvlcache.1", "zsh/site-functions/_dvlcache"} {
		if info, err := os.Stat(filepath.Join(dir, "usr/share", name)); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNotLinked: what makes the pages is not in the program.
func TestNotLinked(t *testing.T) {
	t.Chdir("../../..")
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(out)) {
		if strings.Contains(line, "cobra/doc") || strings.Contains(line, "md2man") || strings.Contains(line, "internal/release") {
			t.Errorf("dvlcache links %s", line)
		}
	}
	if !strings.Contains(string(out), "github.com/spf13/cobra\n") {
		t.Error("it doesn't even link cobra")
	}
}
