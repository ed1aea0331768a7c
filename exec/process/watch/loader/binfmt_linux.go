//go:build amd64 || arm64

package loader

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
)

// format is a kind of executable that the kernel was told of by binfmt_misc.
type format struct {
	interpreter string
	extension   string
	offset      int
	magic, mask []byte
}

// formats are those that were there when the first was asked for.
var formats = sync.OnceValue(func() (all []format) {
	const folder = "/proc/sys/fs/binfmt_misc"
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		text, err := os.ReadFile(folder + "/" + e.Name())
		if err != nil || !bytes.HasPrefix(text, []byte("enabled\ninterpreter ")) {
			continue
		}
		var f format
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch key {
			case "interpreter":
				f.interpreter = value
			case "extension":
				f.extension = value
			case "offset":
				f.offset, _ = strconv.Atoi(value)
			case "magic":
				f.magic, _ = hex.DecodeString(value)
			case "mask":
				f.mask, _ = hex.DecodeString(value)
			}
		}
		all = append(all, f)
	}
	return all
})

// Registered is the interpreter that binfmt_misc gives a file, or empty.
func Registered(name string) string {
	if len(formats()) == 0 {
		return ""
	}
	b := beginning(name)
	for _, f := range formats() {
		if f.matches(name, b) {
			return f.interpreter
		}
	}
	return ""
}

func (f format) matches(name string, head []byte) bool {
	if f.extension != "" {
		return path.Ext(name) == f.extension
	}
	if len(f.magic) == 0 || len(head) < f.offset+len(f.magic) {
		return false
	}
	for i, m := range f.magic {
		b := head[f.offset+i]
		if i < len(f.mask) {
			b &= f.mask[i]
			m &= f.mask[i]
		}
		if b != m {
			return false
		}
	}
	return true
}

// beginning is what the kernel reads of a file to tell its kind.
func beginning(name string) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := io.ReadFull(f, b)
	return b[:n]
}
