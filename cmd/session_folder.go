package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const (
	sessionPrefix = "dvlcache-session-"
	keptPrefix    = "dvlcache-unsaved-"
)

// isEmptySession reports whether nothing was stored in a session whose folder is
// there still.
func isEmptySession(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "alive"))
	_, none := os.Stat(filepath.Join(dir, "cache.db"))
	return err == nil && errors.Is(none, fs.ErrNotExist)
}

// keepSession gives a session's folder a name under which no other session
// clears it away.
func keepSession(dir string) (kept string, ok bool) {
	kept = filepath.Join(filepath.Dir(dir), keptPrefix+strings.TrimPrefix(strings.TrimPrefix(filepath.Base(dir), sessionPrefix), keptPrefix))
	if _, err := os.Stat(filepath.Join(dir, "cache.db")); err != nil {
		return "", false // there is nothing new
	}
	if kept == dir {
		return dir, true
	}
	if os.Rename(dir, kept) != nil {
		return dir, true // and may not last beyond the next session
	}
	return kept, true
}

// resumeSession takes a folder that keepSession has kept.
func resumeSession(dir string) (abs string, end func(), err error) {
	if abs, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	alive := filepath.Join(abs, "alive")
	// It is removed at the end, so it has to be one of ours.
	named := strings.HasPrefix(filepath.Base(abs), keptPrefix) || strings.HasPrefix(filepath.Base(abs), sessionPrefix)
	folder, gone := os.Lstat(abs)
	if info, err := os.Lstat(alive); err != nil || gone != nil || !info.Mode().IsRegular() || !ours(folder) || !named {
		return "", nil, usage(fmt.Errorf("%s is not the folder of a session", dir), "")
	}
	l := flock.New(alive)
	if ok, err := l.TryLock(); err != nil {
		return "", nil, err
	} else if !ok {
		return "", nil, usage(fmt.Errorf("%s is in use", dir), "")
	}
	return abs, func() {
		os.RemoveAll(abs)
		l.Unlock()
	}, nil
}

// savesFile says, in the folder of a session that is to be saved, with which settings.
const savesFile = "saves"

// endedSession reports whether a folder that DVLCACHE_SESSION names is no session's,
// or none that we made.
func endedSession(dir string) bool {
	info, err := os.Stat(dir)
	_, dead := os.Lstat(filepath.Join(dir, "alive"))
	return err != nil || dead != nil || !ours(info)
}

// makeSession makes a folder for a session, in memory where the system has such
// a place, and removes those of sessions that were killed, or keeps what is to be
// saved of them. end removes it.
func makeSession(ui *terminal, save bool, saves string) (dir string, end func(), err error) {
	root := os.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		root = "/dev/shm"
	}
	prefix := fmt.Sprintf("%s%d-", sessionPrefix, os.Getuid())
	left, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
	for _, old := range left {
		// Who lives holds the lock of its folder. What isn't as we make
		// it is somebody else's business.
		alive, err := os.Lstat(filepath.Join(old, "alive"))
		folder, gone := os.Lstat(old)
		if err != nil || gone != nil || !alive.Mode().IsRegular() || !ours(folder) {
			continue
		}
		l := flock.New(filepath.Join(old, "alive"), flock.SetFlag(os.O_RDONLY))
		if ok, err := l.TryLock(); ok && err == nil {
			if text, hint := clearSession(old); text != "" {
				ui.message(text, hint)
			}
			l.Unlock()
		}
	}
	for range 10 {
		if dir, err = os.MkdirTemp(root, prefix+"*"); err != nil {
			root = os.TempDir()
			if dir, err = os.MkdirTemp(root, prefix+"*"); err != nil {
				return "", nil, err
			}
		}
		alive := filepath.Join(dir, "alive")
		l := flock.New(alive)
		if ok, err := l.TryLock(); ok && err == nil {
			if _, err := os.Stat(alive); err == nil {
				err := os.WriteFile(filepath.Join(dir, usersFile), nil, 0o600)
				if err == nil && save {
					err = os.WriteFile(filepath.Join(dir, savesFile), []byte(saves), 0o600)
				}
				if err != nil {
					os.RemoveAll(dir)
					l.Unlock()
					return "", nil, err
				}
				return dir, func() {
					os.RemoveAll(dir)
					l.Unlock()
				}, nil
			}
			l.Unlock()
		}
		// Another session took it for one that is dead.
		os.RemoveAll(dir)
	}
	return "", nil, fmt.Errorf("no folder in %s can be locked", root)
}

// clearSession removes the folder of a session that was killed, unless somebody below
// it still uses it, or it holds what was to be saved, which is kept and is to be told
// of.
func clearSession(dir string) (text, hint string) {
	if len(users(dir)) > 0 {
		return "", ""
	}
	if saves, err := os.ReadFile(filepath.Join(dir, savesFile)); err == nil {
		if kept, ok := keepSession(dir); ok {
			return "a session was killed before it was saved; what is new is kept in " + kept,
				fmt.Sprintf("%sdvlcache session --resume %s -- true saves it", saves, wordsText([]string{kept}))
		}
	}
	os.RemoveAll(dir)
	return "", ""
}
