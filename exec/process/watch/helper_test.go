//go:build linux && (amd64 || arm64)

package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// helperVariable makes this test binary a little dvlcache: it runs its
// arguments watched, with its own stdin and output, and writes the trace, or
// why it could not watch, into the file that the variable names.
const helperVariable = "WATCH_TEST_TRACE"

// report is what the helper writes.
type report struct {
	*Trace
	Unavailable string
}

func TestMain(m *testing.M) {
	if name := os.Getenv(helperVariable); name != "" {
		os.Unsetenv(helperVariable)
		os.Exit(helper(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// helper runs a command as dvlcache does: its stdout is shown when it has
// succeeded or failed watched, or else unwatched.
func helper(name string, args []string) int {
	var r report
	var out bytes.Buffer
	start := func() *exec.Cmd {
		cmd := exec.Command(args[0], args[1:]...)
		out.Reset()
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, os.Stderr
		if os.Getenv("WATCH_TEST_STDIN") == "empty" {
			cmd.Stdin = nil
		}
		cmd.WaitDelay = time.Second
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	cmd := start()
	w, err := Start(cmd, Options{})
	var no *Unavailable
	switch {
	case errors.As(err, &no):
		r.Unavailable = no.Error()
	case err == nil:
		err = w.Wait()
		r.Trace = w.Finish()
	}
	if r.Unavailable != "" || r.Trace != nil && r.Trace.Unwatchable != "" {
		cmd = start()
		err = cmd.Run()
	}
	os.Stdout.Write(out.Bytes())
	b, _ := json.MarshalIndent(r, "", " ")
	if err := os.WriteFile(name, b, 0o666); err != nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
	}
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "helper:", err)
		return 99
	}
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		return 128 + int(s.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

func readReport(t *testing.T, name string) (r report) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a command watched.
func run(t *testing.T, cmd *exec.Cmd) *Trace {
	t.Helper()
	w, err := Start(cmd, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return w.Finish()
}
