//go:build unix

package trust

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestFile: what keeps a file from being trusted, and what doesn't.
func TestFile(t *testing.T) {
	const other, another = 12345, 12346
	asRoot := os.Geteuid() == 0
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own := func(t *testing.T, uid, gid int, names ...string) {
		for _, name := range names {
			if err := os.Lchown(name, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(t *testing.T, m os.FileMode, names ...string) {
		for _, name := range names {
			if err := os.Chmod(name, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		what  string
		root  bool // it takes root to bring it about
		alter func(t *testing.T, top, dir, file string)
		safe  []string // TOP, DIR
		doubt string   // empty: none; DIR and FILE are names
	}{
		{what: "all is ours"},
		{what: "a file that others may write to", alter: func(t *testing.T, _, _, file string) { mode(t, 0o666, file) }, doubt: "FILE may be written to by everybody"},
		{what: "a folder that others may write to", alter: func(t *testing.T, _, dir, _ string) { mode(t, 0o777, dir) }, doubt: "DIR may be written to by everybody"},
		{what: "one above", alter: func(t *testing.T, top, _, _ string) { mode(t, 0o777, top) }, doubt: "TOP may be written to by everybody"},
		{what: "a sticky folder", alter: func(t *testing.T, _, dir, _ string) { mode(t, 0o777|os.ModeSticky, dir) }},
		{what: "a sticky folder above", alter: func(t *testing.T, top, _, _ string) { mode(t, 0o777|os.ModeSticky, top) }},
		{what: "a sticky folder, and a file that others may write to", alter: func(t *testing.T, _, dir, file string) {
			mode(t, 0o777|os.ModeSticky, dir)
			mode(t, 0o622, file)
		}, doubt: "FILE may be written to by everybody"},
		{what: "another's file", root: true, alter: func(t *testing.T, _, _, file string) { own(t, other, other, file) }, doubt: "FILE belongs to user 12345, neither to you nor to root"},
		{what: "another's file in a sticky folder", root: true, alter: func(t *testing.T, _, dir, file string) {
			mode(t, 0o777|os.ModeSticky, dir)
			own(t, other, other, file)
		}, doubt: "FILE belongs to user 12345, neither to you nor to root"},
		{what: "another's folder", root: true, alter: func(t *testing.T, _, dir, _ string) { own(t, other, other, dir) }, doubt: "DIR belongs to user 12345, neither to you nor to root"},
		{what: "another's sticky folder", root: true, alter: func(t *testing.T, _, dir, _ string) {
			mode(t, 0o777|os.ModeSticky, dir)
			own(t, other, other, dir)
		}, doubt: "DIR belongs to user 12345, neither to you nor to root"},
		{what: "one above that is another's", root: true, alter: func(t *testing.T, top, _, _ string) { own(t, other, other, top) }, doubt: "TOP belongs to user 12345, neither to you nor to root"},
		{what: "a group's folder", root: true, alter: func(t *testing.T, _, dir, _ string) {
			own(t, 0, another, dir)
			mode(t, 0o775, dir)
		}, doubt: "DIR may be written to by the group 12346"},
		{what: "a group's file", root: true, alter: func(t *testing.T, _, _, file string) {
			own(t, 0, another, file)
			mode(t, 0o664, file)
		}, doubt: "FILE may be written to by the group 12346"},
		{what: "a file of root's own group", root: true, alter: func(t *testing.T, _, dir, file string) { mode(t, 0o775, dir); mode(t, 0o664, file) }},
		{what: "a link of ours", alter: func(t *testing.T, top, _, file string) { moved(t, file, filepath.Join(top, "moved")) }},
		{what: "a link of ours to what others may write to", alter: func(t *testing.T, top, _, file string) {
			mode(t, 0o666, file)
			moved(t, file, filepath.Join(top, "moved"))
		}, doubt: "TOP/moved may be written to by everybody"},
		{what: "a link of ours into a folder that others may write to", alter: func(t *testing.T, top, _, file string) {
			to := filepath.Join(top, "to")
			os.Mkdir(to, 0o755)
			moved(t, file, filepath.Join(to, "moved"))
			mode(t, 0o777, to)
		}, doubt: "TOP/to may be written to by everybody"},
		{what: "another's link to what is ours", root: true, alter: func(t *testing.T, top, dir, file string) {
			moved(t, file, filepath.Join(top, "moved"))
			mode(t, 0o777|os.ModeSticky, dir)
			own(t, other, other, file)
		}, doubt: "FILE belongs to user 12345, neither to you nor to root"},
		{what: "a link in a circle", alter: func(t *testing.T, _, _, file string) { os.Remove(file); os.Symlink(file, file) }},
		{what: "nothing", alter: func(t *testing.T, _, _, file string) { os.Remove(file) }},
		{what: "a safe folder", alter: func(t *testing.T, _, _, file string) { mode(t, 0o666, file) }, safe: []string{"DIR"}},
		{what: "one below a safe folder", alter: func(t *testing.T, _, _, file string) { mode(t, 0o666, file) }, safe: []string{"/nowhere", "TOP/"}},
		{what: "a folder whose name begins alike", alter: func(t *testing.T, _, _, file string) { mode(t, 0o666, file) }, safe: []string{"TOP/di"}, doubt: "FILE may be written to by everybody"},
		{what: "everywhere", alter: func(t *testing.T, _, _, file string) { mode(t, 0o666, file) }, safe: []string{"*"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.root && !asRoot {
				t.Skip("we aren't root")
			}
			top, err := os.MkdirTemp(base, "top")
			if err != nil {
				t.Fatal(err)
			}
			mode(t, 0o755, base, top)
			dir := filepath.Join(top, "dir")
			file := filepath.Join(dir, "file")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if c.alter != nil {
				c.alter(t, top, dir, file)
			}
			named := strings.NewReplacer("TOP", top, "DIR", dir, "FILE", file)
			var safe Places
			for _, place := range c.safe {
				safe = append(safe, named.Replace(place))
			}
			got := ""
			if d := safe.File(file); d != nil {
				got = d.Error()
			}
			if want := named.Replace(c.doubt); got != want {
				t.Errorf("doubt %q, not %q", got, want)
			}
		})
	}
}

// moved leaves a link where a file was.
func moved(t *testing.T, file, to string) {
	if err := os.Rename(file, to); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, file); err != nil {
		t.Fatal(err)
	}
}

// TestFolder: a cache in a folder of somebody else's isn't used, but by who was root's
// caller, and where it is said to be safe.
func TestFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("we aren't root")
	}
	t.Setenv("SUDO_UID", "")
	dir := t.TempDir()
	if d := Places(nil).Folder(dir); d != nil {
		t.Error(d)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if d := Places(nil).Folder(dir); d == nil || d.Path != dir {
		t.Errorf("doubt %v", d)
	}
	if d := (Places{dir}).Folder(dir); d != nil {
		t.Error(d)
	}
	t.Setenv("SUDO_UID", "12345")
	if d := Places(nil).Folder(dir); d != nil {
		t.Error(d)
	}
	if d := Places(nil).Folder(filepath.Join(dir, "nothing")); d != nil {
		t.Error(d)
	}
}

// TestPrivate: a user's own group is nobody else's.
func TestPrivate(t *testing.T) {
	dir := t.TempDir()
	users, groups := passwdFile, groupFile
	defer func() { passwdFile, groupFile = users, groups }()
	passwdFile, groupFile = filepath.Join(dir, "passwd"), filepath.Join(dir, "group")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "US", strconv.Itoa(os.Geteuid()))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(passwdFile, "me:x:US:7001:::\nher:x:1007:7001:::\n")
	for group, want := range map[string]bool{
		"me:x:7000:":       true,
		"me:x:7000:me":     true,
		"me:x:7000:root":   true,
		"lab:x:7000:me,he": false,
		"lab:x:7000:he":    false,
		"lab:x:7001:":      false, // it isn't 7000
		"":                 false, // nobody knows whose it is
	} {
		write(groupFile, group+"\n")
		if private(7000) != want {
			t.Errorf("%q: %v", group, !want)
		}
	}
	write(groupFile, "lab:x:7001:\n")
	if private(7001) {
		t.Error("a group that is also another's first one is private")
	}
	write(passwdFile, "me:x:US:7001:::\n")
	if !private(7001) {
		t.Error("a user's first group, which is nobody else's, isn't private")
	}
	if !private(0) {
		t.Error("root's group isn't root's")
	}
}
