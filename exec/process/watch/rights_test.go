//go:build linux && (amd64 || arm64)

package watch

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRights: programs that have rights of their own keep them for ordinary
// users. What such users can't watch is decided before it is executed.
func TestRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("makes programs with rights")
	}
	env := prepareMatrix(t)
	dir := sharedDir(t)
	copyProgram := func(name string, mode os.FileMode) string {
		to := filepath.Join(dir, name)
		in, err := os.Open("/usr/bin/id")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := os.Create(to)
		if err == nil {
			_, err = io.Copy(out, in)
			out.Close()
		}
		if err == nil {
			err = os.Chmod(to, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	setuid := copyProgram("setuid", 0o755|os.ModeSetuid)
	setgid := copyProgram("setgid", 0o755|os.ModeSetgid)
	capable := copyProgram("capable", 0o755)
	// VFS_CAP_REVISION_2 with CAP_NET_RAW, permitted and effective.
	value := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(capable, "security.capability", value, 0); err != nil {
		t.Logf("no capabilities here: %v", err)
		capable = ""
	}
	script := filepath.Join(dir, "script")
	os.WriteFile(script, []byte("#!"+setuid+" -u\n"), 0o755)
	for name, command := range map[string]string{
		"set-user-ID": setuid, "set-group-ID": setgid, "capabilities": capable, "a script's interpreter": script,
	} {
		if command == "" {
			continue
		}
		for _, way := range []struct {
			how    string
			before string // what the script does first
			direct bool
		}{{"direct", "", true}, {"below", "", false}, {"late", "cat /etc/passwd >/dev/null; ", false}} {
			p := testProgram{script: way.before + command}
			if way.direct {
				p.script = "exec " + command
			}
			bare := runMatrix(t, p, env, true, false)
			seen := runMatrix(t, p, env, true, true)
			if bare.out != seen.out || bare.status != seen.status || bare.out == "" && command != script {
				t.Errorf("%s, %s: bare %d %q, watched %d %q", name, way.how, bare.status, bare.out, seen.status, seen.out)
			}
			r := seen.report
			if r.Trace == nil || !strings.Contains(r.Unwatchable, "rights") {
				t.Errorf("%s, %s: %+v", name, way.how, r)
			}
			if seen := runMatrix(t, p, env, false, true); seen.report.Trace == nil || seen.report.Unwatchable != "" {
				t.Errorf("%s, %s: root isn't watched: %+v", name, way.how, seen.report)
			}
		}
	}

	// As the command itself it isn't even started.
	trace := filepath.Join(dir, "trace")
	os.Chmod(dir, 0o777)
	cmd := exec.Command(binaryOf(env), setuid)
	cmd.Env = append(env, helperVariable+"="+trace)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "euid=0") {
		t.Errorf("%v: %s", err, out)
	}
	var r report
	if b, err := os.ReadFile(trace); err != nil || json.Unmarshal(b, &r) != nil || !strings.Contains(r.Unavailable, "rights") {
		t.Errorf("%v: %+v", err, r)
	}
}

// TestAsOrdinaryUser runs the other tests of this package as an ordinary user.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is one")
	}
	env := prepareMatrix(t)
	dir := sharedDir(t)
	os.Chmod(dir, 0o777)
	cmd := exec.Command(binaryOf(env), "-test.short", "-test.run", "TestTrace|TestUnreadable|TestPrograms|TestStdin|TestUnseen|TestPathsOfTheKernel|TestManyAtOnce|TestKilled|TestLeavesDaemons|TestDisturbed")
	cmd.Dir = dir
	cmd.Env = append(env, "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
