package placeholder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"dvlcache/cache/key"
	"dvlcache/cache/plain"
)

// Folder makes the files of evaluations, in a folder below $TMPDIR that nobody else may
// look into. It is made with the first file. The zero value is ready; it may be used by
// many goroutines.
type Folder struct {
	mu   sync.Mutex
	dir  string
	lock *flock.Flock // held as long as we live
	n    int
	left bool // a file is used still
}

// folderPrefix begins the names of all Folders; see inputs.Rules, which leaves them out.
const folderPrefix = "dvlcache-subset-"

// Make makes a file that holds a text, and returns its name, which is absolute and
// without links. The file has a folder of its own: what a program keeps beside it, say
// features, is nothing that the next evaluation finds. Its error says that there is no
// room, or no folder.
func (f *Folder) Make(text string) (name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dir == "" {
		if err := f.open(); err != nil {
			return "", fmt.Errorf("the file of its subset can't be made: %w", err)
		}
	}
	f.n++
	own := filepath.Join(f.dir, strconv.Itoa(f.n))
	name = filepath.Join(own, "subset.txt")
	if err = os.Mkdir(own, 0o700); err == nil {
		err = os.WriteFile(name, []byte(text), 0o600)
	}
	if err != nil {
		os.RemoveAll(own)
		return "", fmt.Errorf("the file of its subset can't be made in %s: %w", filepath.Dir(f.dir), plain.Error(err))
	}
	return name, nil
}

// ErrNotRecorded is a file of which a record doesn't say what it held.
var ErrNotRecorded = errors.New("what the file of its subset held is not recorded: it was too much")

// Fill makes the files of a call, and returns its arguments with their names. remove,
// which is to be called when the program has ended, removes them as Remove does. Its
// errors are ErrNotRecorded and those of Make.
func (f *Folder) Fill(args []string, made []key.File) (with []string, remove func(used bool), err error) {
	if len(made) == 0 {
		return args, func(bool) {}, nil
	}
	var names []string
	remove = func(used bool) {
		for _, name := range names {
			f.Remove(name, used)
		}
	}
	with = slices.Clone(args)
	for i := range made {
		text, ok := made[i].Text()
		err := ErrNotRecorded
		name := ""
		if ok {
			name, err = f.Make(text)
		}
		if err != nil {
			remove(false)
			return nil, nil, err
		}
		names = append(names, name)
		with[made[i].Arg] = with[made[i].Arg][:made[i].At] + name
	}
	return with, remove, nil
}

// Remove removes a file and what lies beside it, unless a process lives on that may use
// it: then it is left to whoever makes a folder a day later.
func (f *Folder) Remove(name string, used bool) {
	if !used {
		os.RemoveAll(filepath.Dir(name))
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.left {
		f.left = os.WriteFile(filepath.Join(f.dir, "used"), nil, 0o600) == nil
	}
}

// Dir is the folder, or empty if there is none yet.
func (f *Folder) Dir() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dir
}

// Close removes the folder.
func (f *Folder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dir == "" {
		return
	}
	if !f.left {
		os.RemoveAll(f.dir)
	}
	f.lock.Unlock()
	f.dir = ""
}

// open makes the folder, and removes those of processes that were killed.
func (f *Folder) open() error {
	root, err := filepath.Abs(os.TempDir())
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return err
	}
	prefix := fmt.Sprintf("%s%d-", folderPrefix, os.Getuid())
	old, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
	for _, dir := range old {
		removeDead(dir)
	}
	for range 10 {
		dir, err := os.MkdirTemp(root, prefix+"*")
		if err != nil {
			return err
		}
		alive := filepath.Join(dir, "alive")
		l := flock.New(alive)
		ok, err := l.TryLock()
		if _, gone := os.Lstat(alive); ok && err == nil && gone == nil {
			f.dir, f.lock = dir, l
			return nil
		}
		l.Unlock()
		os.RemoveAll(dir) // another process took it for a dead one's
	}
	return fmt.Errorf("no folder in %s can be locked", root)
}

// removeDead removes a folder whose maker is gone, unless a program that it was made for
// lives on. Who lives holds the lock of its folder.
func removeDead(dir string) {
	alive := filepath.Join(dir, "alive")
	folder, err := os.Lstat(dir)
	lock, missing := os.Lstat(alive)
	if err != nil || missing != nil || !folder.IsDir() || folder.Mode().Perm() != 0o700 || !lock.Mode().IsRegular() {
		return
	}
	l := flock.New(alive, flock.SetFlag(os.O_RDONLY))
	if ok, err := l.TryLock(); !ok || err != nil {
		return
	}
	defer l.Unlock()
	_, left := os.Lstat(filepath.Join(dir, "used"))
	if (left == nil || named(dir)) && time.Since(folder.ModTime()) < 24*time.Hour {
		return
	}
	os.RemoveAll(dir)
}

// named reports whether a process has the name of a folder in its arguments, or whether
// that can't be told.
func named(dir string) bool {
	processes, err := os.ReadDir("/proc")
	if err != nil || len(processes) == 0 {
		return true
	}
	for _, p := range processes {
		if strings.Trim(p.Name(), "0123456789") != "" {
			continue
		}
		if args, _ := os.ReadFile("/proc/" + p.Name() + "/cmdline"); bytes.Contains(args, []byte(dir+"/")) {
			return true
		}
	}
	return false
}
