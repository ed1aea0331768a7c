package key

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// keyError is the error of Identify for these arguments.
func keyError(rules Rules, args ...string) error {
	spec := CallSpec{Args: append([]string{"./train.sh"}, args...), Program: "./train.sh", Rules: rules, TrackArgs: true, Paths: PathsAbsolute}
	_, err := Identify(context.Background(), spec, NewDigests(""))
	return err
}

// TestKeyOfPipe: what a pipe holds can't be looked at, so there is no key.
func TestKeyOfPipe(t *testing.T) {
	project(t, "file")
	if err := mkfifo("pipe"); err != nil {
		t.Skip(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := fmt.Sprintf("/dev/fd/%d", r.Fd())
	args := []string{"pipe", "--data=pipe", "@pipe", "--data=@pipe", "x=y=pipe", "-fpipe", "-f./pipe", "-isystem" + filepath.Join(must(os.Getwd()), "pipe"),
		fd, "-f" + fd, "--data=" + fd, "@" + fd, "--data=@" + fd, "file," + fd, fd + ",file", "-D" + fd + "=1", "cat " + fd + " | wc", "file:" + fd + ":file"}
	if _, err := os.Stat("/proc/self/fd"); err == nil {
		proc := fmt.Sprintf("/proc/self/fd/%d", r.Fd())
		args = append(args, proc, "-f"+proc, fmt.Sprintf("-f/proc/%d/fd/%d", os.Getpid(), r.Fd()))
	}
	for _, arg := range args {
		for name, rules := range map[string]Rules{"": {}, "--unordered x": {Unordered: []string{"x"}}, "--unordered x...": {Unordered: []string{"x..."}}} {
			var unreadable *UnreadableError
			if err := keyError(rules, "--x", arg, arg); !errors.As(err, &unreadable) {
				t.Errorf("%s: %s: %v", name, arg, err)
			}
		}
		// What is ignored isn't looked at.
		if err := keyError(Rules{IgnoreArg: []int{1}}, arg); err != nil {
			t.Errorf("ignored: %s: %v", arg, err)
		}
	}
	for _, arg := range []string{"-ffile", "/dev/fd/", "/dev/fd/x", "-f/dev/fd/987654", "/dev/stdin", "/dev/fd/1", "-o/dev/stdout", "--log=/dev/stderr", "-x" + strings.Repeat("y", 5000)} {
		if err := keyError(Rules{}, arg); err != nil {
			t.Errorf("%.40s: %v", arg, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestKeyOfDescriptor: a file behind a descriptor counts with its contents, be it
// glued to a flag: the name is the same for each.
func TestKeyOfDescriptor(t *testing.T) {
	project(t, "one", "two")
	key := func(file, form string) Key {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err != nil {
			t.Skip(err)
		}
		return identify(t, CallSpec{}, fmt.Sprintf(form, f.Fd())).Key
	}
	for _, form := range []string{"/dev/fd/%d", "-f/dev/fd/%d", "--in=/proc/self/fd/%d", "x,/dev/fd/%d"} {
		if key("one", form) == key("two", form) {
			t.Errorf("%s: two files share a key", form)
		}
	}
}

// TestKeyOfHidden: a file that may be there and can't be seen has no key.
func TestKeyOfHidden(t *testing.T) {
	project(t, "hidden/data", "file")
	if err := os.Chmod("hidden", 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod("hidden", 0o755)
	if _, err := os.Stat("hidden/data"); err == nil {
		t.Skip("all may be seen here")
	}
	for _, args := range [][]string{{"hidden/data"}, {"--data=hidden/data"}, {"@hidden/data"}, {"x=@hidden/data"}, {"--x", "1", "a=hidden/data"}} {
		var unreadable *UnreadableError
		if err := keyError(Rules{Unordered: []string{"x..."}}, args...); !errors.As(err, &unreadable) {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, arg := range []string{"file/data", "nowhere/data", strings.Repeat("x", 300), "a\x00b"} {
		if err := keyError(Rules{}, arg); err != nil {
			t.Errorf("%.40q: %v", arg, err)
		}
	}
}

// TestNamesNothing tells what isn't there from what can't be seen, which an ordinary
// user meets, and the superuser on a file system that fails.
func TestNamesNothing(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.ENOENT: true, syscall.ENOTDIR: true, syscall.ENAMETOOLONG: true, syscall.ELOOP: true,
		syscall.EACCES: false, syscall.EPERM: false, syscall.EIO: false, syscall.ESTALE: false, syscall.ENOTCONN: false, syscall.ETIMEDOUT: false,
	} {
		if got := namesNothing(&os.PathError{Op: "stat", Path: "x", Err: err}); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
