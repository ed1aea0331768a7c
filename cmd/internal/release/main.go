// Release makes what is shipped beside the binary, from the commands
// themselves: man pages and completions, and archives of it all.
//
//	release docs DIR   man pages and completions, as they lie below /usr/local/share
//	release dist DIR   an archive for each platform, and SHA256SUMS
//
// It is a program of its own so that none of it is linked into dvlcache.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"dvlcache/cmd"
)

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

func main() {
	err := errors.New("usage: release docs DIR | release dist DIR")
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "docs":
			err = docs(os.Args[2])
		case "dist":
			err = dist(os.Args[2], platforms)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// docs writes man pages and completions below share.
func docs(share string) error {
	root := cmd.Root()
	date := commitTime()
	man := filepath.Join(share, "man", "man1")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	if err := manPages(root, man, &date); err != nil {
		return err
	}
	// Where each shell looks below a prefix; PowerShell looks nowhere.
	for name, shell := range map[string]string{
		"bash-completion/completions/dvlcache":    "bash",
		"zsh/site-functions/_dvlcache":            "zsh",
		"fish/vendor_completions.d/dvlcache.fish": "fish",
		"dvlcache/dvlcache.ps1":                   "powershell",
	} {
		file := filepath.Join(share, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		var script bytes.Buffer
		if err := cmd.WriteCompletion(root, &script, shell, true); err != nil {
			return err
		}
		if err := os.WriteFile(file, script.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// manPages writes a page for a command and those below it.
func manPages(c *cobra.Command, dir string, date *time.Time) error {
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() && !below.IsAdditionalHelpTopicCommand() {
			if err := manPages(below, dir, date); err != nil {
				return err
			}
		}
	}
	// A page shows a flag as --name=DEFAULT, but what a reader looks for is
	// what may stand there.
	c.InitDefaultHelpFlag()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.NoOptDefVal == "" {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		f.DefValue, f.Usage = value, usage
	})
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	var page bytes.Buffer
	header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Date: date, Source: "dvlcache", Manual: "dvlcache"}
	if err := doc.GenMan(c, header, &page); err != nil {
		return err
	}
	text := strings.ReplaceAll(page.String(), "[=]", "") // switches
	text = quotedValue.ReplaceAllString(text, "$1$2")
	text = option.ReplaceAllString(text, ".TP\n$1\n")
	return os.WriteFile(filepath.Join(dir, name+".1"), []byte(text), 0o644)
}

// quotedValue is the value of a flag that is a text.
var quotedValue = regexp.MustCompile(`(?m)^(\\fB--.*=)"(.*)"`)

// option is a flag as cobra writes it: a paragraph, in which what the flag does goes on in
// the flag's own line. Readers look for flags at the left, with the text indented.
var option = regexp.MustCompile(`(?m)^\.PP\n(\\fB-.*)\n\t`)

// commitTime dates all that is made, so that one commit makes one archive.
func commitTime() time.Time {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, _ := exec.Command("git", "log", "-1", "--format=%ct").Output() // without git: 1970
		text = strings.TrimSpace(string(out))
	}
	seconds, _ := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC()
}

// dist writes the archives. It runs in the root of the project.
func dist(dir string, platforms []string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	share := filepath.Join(work, "share")
	if err := docs(share); err != nil {
		return err
	}
	// The version is that of the commit, where git can tell.
	stamp := exec.Command("git", "status", "--porcelain").Run() == nil
	var sums strings.Builder
	for _, platform := range platforms {
		goos, goarch, _ := strings.Cut(platform, "/")
		binary := filepath.Join(work, goos+"-"+goarch, "dvlcache")
		if goos == "windows" {
			binary += ".exe"
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOAMD64=", "GOARM64=", fmt.Sprintf("GOFLAGS=-buildvcs=%t", stamp))
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return err
		}
		version := strings.Trim(info.Main.Version, "()")
		name := fmt.Sprintf("dvlcache-%s-%s-%s", version, goos, goarch)
		files, err := gather(binary, share)
		if err != nil {
			return err
		}
		var archive bytes.Buffer
		suffix, pack := ".tar.gz", packTar
		if goos == "windows" {
			suffix, pack = ".zip", packZip
		}
		if err := pack(&archive, name, files); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name+suffix), archive.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(archive.Bytes()), name+suffix)
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// file is one file of an archive.
type file struct {
	name string // below the archive's folder, with slashes
	data []byte
	mode fs.FileMode
}

// gather reads what goes into an archive: bin and share as below a prefix, so
// that it can be unpacked there, and what to read first.
func gather(binary, share string) ([]file, error) {
	var files []file
	add := func(name, source string, mode fs.FileMode) error {
		data, err := os.ReadFile(source)
		files = append(files, file{name, data, mode})
		return err
	}
	err := add("bin/"+filepath.Base(binary), binary, 0o755)
	for _, name := range []string{"README.md", "LICENSE", "CHANGELOG.md"} {
		err = errors.Join(err, add("share/doc/dvlcache/"+name, name, 0o644))
	}
	err = errors.Join(err, filepath.WalkDir("docs", func(source string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return add("share/doc/dvlcache/"+filepath.ToSlash(source), source, 0o644|info.Mode()&0o111)
	}))
	return files, errors.Join(err, filepath.WalkDir(share, func(source string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(filepath.Dir(share), source)
		if err != nil {
			return err
		}
		return add(filepath.ToSlash(below), source, 0o644)
	}))
}

func packTar(w io.Writer, name string, files []file) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: path.Join(name, f.name), Mode: int64(f.mode), Size: int64(len(f.data)), ModTime: commitTime(), Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

func packZip(w io.Writer, name string, files []file) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: path.Join(name, f.name), Method: zip.Deflate, Modified: commitTime()}
		header.SetMode(f.mode)
		out, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := out.Write(f.data); err != nil {
			return err
		}
	}
	return archive.Close()
}
