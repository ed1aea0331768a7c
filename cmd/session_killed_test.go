//go:build unix

package cmd

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestKilledSession: of a session that is killed, what was to be saved is kept, and
// what is told of it saves it; where there is nothing to save, nothing stays.
func TestKilledSession(t *testing.T) {
	for _, c := range []struct {
		args []string // of session
		runs string   // below it
		kept bool
	}{
		{nil, `"$D" run -- echo 7; `, false},
		{[]string{"--save"}, ``, false},
		{[]string{"--save"}, `"$D" run -- echo 7; `, true},
		{[]string{"--save", "--dir", "other", "--lock-timeout", "9s"}, `"$D" run -- echo 7; `, true},
	} {
		t.Run(strings.Join(c.args, " ")+" "+c.runs, func(t *testing.T) {
			b := newWorkbench(t)
			b.env = append(b.env, "D="+b.binary)
			s := b.command(slices.Concat([]string{"session"}, c.args, []string{"--", "sh", "-c", c.runs + `echo $DVLCACHE_SESSION >folder; sleep 1000`})...)
			s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			b.wait("it is under way", func() bool { return len(b.lines("folder")) == 1 })
			dir := b.lines("folder")[0]
			// A copy, so that no other test's session comes first.
			copied := b.path(filepath.Base(dir))
			if out, err := osexec.Command("cp", "-pR", dir, copied).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			syscall.Kill(-s.Process.Pid, syscall.SIGKILL)
			s.Wait()
			os.RemoveAll(dir)
			// Who still uses it keeps it.
			user := b.command("batch", "--", "echo")
			user.Env = append(user.Env, "DVLCACHE_SESSION="+copied)
			in, err := user.StdinPipe()
			if err == nil {
				err = user.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			b.wait("it is in use", func() bool { return len(users(copied)) == 1 && users(copied)[0].pid == user.Process.Pid })
			if text, _ := clearSession(copied); text != "" || endedSession(copied) {
				t.Errorf("it is gone while it is in use: %s", text)
			}
			in.Close()
			user.Wait()
			text, hint := clearSession(copied)
			if _, err := os.Stat(copied); err == nil {
				t.Error("its folder stays under its name")
			}
			if !c.kept {
				if text != "" {
					t.Errorf("it says: %s", text)
				}
				return
			}
			if !strings.Contains(text, "a session was killed before it was saved; what is new is kept in "+b.path(keptPrefix)) {
				t.Errorf("it says: %q", text)
			}
			call, ok := strings.CutSuffix(hint, " saves it")
			if !ok {
				t.Fatalf("the hint is %q", hint)
			}
			// From elsewhere, and with other settings.
			saves := osexec.Command("sh", "-c", strings.Replace(call, "dvlcache session", b.binary+" session", 1))
			saves.Dir = t.TempDir()
			saves.Env = append(slices.Clone(b.env), "DVLCACHE_DIR="+saves.Dir)
			if out, err := saves.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			run := []string{"run", "--only-cached", "--", "echo", "7"}
			if len(c.args) > 1 {
				run = slices.Insert(run, 1, c.args[1:]...)
			}
			if got := b.number(run...); got != "7" {
				t.Errorf("it is not saved: %s", got)
			}
		})
	}
}
