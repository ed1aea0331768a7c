//go:build unix

package trust

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// mostLinks is how many links a name may lead over.
const mostLinks = 40

// File says why a file or folder, whose name is absolute, isn't to be trusted: it, a
// link on the way to it, or a folder on the way belongs to neither us nor root, or
// others may write to it. In a sticky folder, as /tmp, nobody can replace what isn't
// his. What isn't there, or can't be looked at, is no matter of trust.
func (p Places) File(path string) *Doubt {
	if p.hold(path) {
		return nil
	}
	rest := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at := "/"
	if info, err := os.Lstat(at); err == nil {
		if d := onTheWay(at, info); d != nil {
			return d
		}
	}
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return nil
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(next)
			if links++; err != nil || links > mostLinks {
				return nil
			}
			if d := owner(next, info, false); d != nil {
				return d
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
			continue
		}
		at = next
		if len(rest) > 0 {
			if d := onTheWay(next, info); d != nil {
				return d
			}
			continue
		}
		if d := owner(next, info, false); d != nil {
			return d
		}
		if d := writers(next, info); d != nil {
			return d
		}
	}
	return nil
}

// Folder says why a folder that we were told of isn't to be trusted: it belongs to
// somebody else.
func (p Places) Folder(path string) *Doubt {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() || p.hold(path) {
		return nil
	}
	return owner(path, info, false)
}

// onTheWay is about a folder that the way to a file leads through.
func onTheWay(path string, info os.FileInfo) *Doubt {
	if d := owner(path, info, true); d != nil || info.Mode()&fs.ModeSticky != 0 {
		return d
	}
	return writers(path, info)
}

// owner is about whose something is. On the way, root may be without a name, as the
// machine's is in a user namespace.
func owner(path string, info os.FileInfo, way bool) *Doubt {
	stat := info.Sys().(*syscall.Stat_t)
	switch uid := int(stat.Uid); {
	case uid == os.Geteuid(), uid == 0, os.Geteuid() == 0 && strconv.Itoa(uid) == os.Getenv("SUDO_UID"), way && nameless(uid):
		return nil
	default:
		return &Doubt{path, fmt.Sprintf("belongs to %s, neither to you nor to root", userName(uid))}
	}
}

// writers is about who else may write to something.
func writers(path string, info os.FileInfo) *Doubt {
	stat := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		return &Doubt{path, "may be written to by everybody"}
	case mode&0o020 != 0 && !private(int(stat.Gid)):
		return &Doubt{path, fmt.Sprintf("may be written to by the group %s", groupName(int(stat.Gid)))}
	}
	return nil
}

// nameless reports whether a user is the one that stands for all who have no name in
// our user namespace.
func nameless(uid int) bool {
	overflow, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil || strings.TrimSpace(string(overflow)) != strconv.Itoa(uid) {
		return false
	}
	names, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(names))
	return err == nil && !(len(fields) == 3 && fields[0] == "0" && fields[1] == "0" && fields[2] == "4294967295")
}

// Where users and groups are listed.
var passwdFile, groupFile = "/etc/passwd", "/etc/group"

// private reports whether a group has us alone, or us and root: a user's own group,
// which lets a umask of 002 be.
func private(gid int) bool {
	if gid == 0 {
		return true // root's
	}
	us := []string{"root", userName(os.Geteuid())}
	if uid, err := strconv.Atoi(os.Getenv("SUDO_UID")); err == nil && os.Geteuid() == 0 {
		us = append(us, userName(uid))
	}
	named := false
	for _, g := range records(groupFile) { // name:x:gid:members
		if len(g) < 4 || g[2] != strconv.Itoa(gid) {
			continue
		}
		named = true
		for member := range strings.SplitSeq(g[3], ",") {
			if member != "" && !slices.Contains(us, member) {
				return false
			}
		}
	}
	if !named {
		return false // it may be anybody's, by a directory service
	}
	for _, u := range records(passwdFile) { // name:x:uid:gid:…
		if len(u) >= 4 && u[3] == strconv.Itoa(gid) && !slices.Contains(us, u[0]) {
			return false
		}
	}
	return true
}

func userName(uid int) string {
	for _, u := range records(passwdFile) {
		if len(u) >= 3 && u[2] == strconv.Itoa(uid) {
			return u[0]
		}
	}
	return "user " + strconv.Itoa(uid)
}

func groupName(gid int) string {
	for _, g := range records(groupFile) {
		if len(g) >= 3 && g[2] == strconv.Itoa(gid) {
			return g[0]
		}
	}
	return strconv.Itoa(gid)
}

// records are the lines of a file as /etc/passwd is. It is read only where something
// is to be said, or a group may write: a start has no time for that.
func records(path string) (all [][]string) {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Split(strings.TrimSpace(line), ":"))
	}
	return all
}
