package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReadLine(t *testing.T) {
	t.Setenv("PY", "bin/python")
	t.Setenv("NONE", "")
	for _, tt := range []struct {
		text        string
		interpreter string
		words       []string
		err         error
	}{
		{"#!/bin/sh\n", "/bin/sh", nil, nil},
		{"#!/bin/sh", "/bin/sh", nil, nil},
		{"#! \t/bin/sh \t\necho", "/bin/sh", nil, nil},
		{"#!/bin/sh\r\n", "/bin/sh\r", nil, nil},
		{"#!/bin/sh\x00 x\n", "/bin/sh", nil, nil},
		{"#!python3\n", "python3", nil, nil},
		{"#!/bin/sh -e\n", "/bin/sh", []string{"-e"}, nil},
		{"#!/bin/sh ./helper.sh\n", "/bin/sh", []string{"./helper.sh"}, nil},
		{"#!/usr/bin/env python3\n", "/usr/bin/env", []string{"python3"}, nil},
		{"#!/usr/bin/env python3 -u\n", "/usr/bin/env", []string{"python3 -u", "python3", "-u"}, nil},
		{"#!/usr/bin/env -Spython3\n", "/usr/bin/env", []string{"-Spython3", "python3"}, nil},
		{"#!/usr/bin/env --split-string=python3\n", "/usr/bin/env", []string{"--split-string=python3", "python3"}, nil},
		{"#!/usr/bin/env -vS 'my python' -u # no\n", "/usr/bin/env", []string{"-vS 'my python' -u # no", "-vS", "'my", "python'", "-u", "#", "no", "my python", "-u"}, nil},
		{"#!/usr/bin/env -S A=1 ${PY} x${NONE}\n", "/usr/bin/env", []string{"-S A=1 ${PY} x${NONE}", "-S", "A=1", "${PY}", "x${NONE}", "A=1", "bin/python", "x"}, nil},
		{"#!/usr/bin/env -S timeout 60 env -S'a b'\n", "/usr/bin/env",
			[]string{"-S timeout 60 env -S'a b'", "-S", "timeout", "60", "env", "-S'a", "b'", "timeout", "60", "env", "-Sa b", "a", "b"}, nil},
		{"#!\n", "/bin/sh", nil, nil},
		{"echo\n", "", nil, nil},
		{"", "", nil, nil},
		{"#!/bin/sh " + strings.Repeat("x", 300), "", nil, errLongLine},
		{"#!/usr/bin/env -S 'python3\n", "/usr/bin/env", nil, errSplit},
		{"#!/usr/bin/env -S python\\q\n", "/usr/bin/env", nil, errSplit},
		{"#!/usr/bin/env -S $PY\n", "/usr/bin/env", nil, errSplit},
		{"#!/usr/bin/env -S -C dir python3\n", "/usr/bin/env", nil, errChdir},
		{"#!/usr/bin/env -S --chdir=dir python3\n", "/usr/bin/env", nil, errChdir},
		{"#!/usr/bin/env -S -iC dir python3\n", "/usr/bin/env", nil, errChdir},
		{"#!/usr/bin/env -S perl -C\n", "/usr/bin/env", []string{"-S perl -C", "-S", "perl", "-C", "perl", "-C"}, nil},
		{"#!/usr/bin/perl -CSD\n", "/usr/bin/perl", []string{"-CSD"}, nil},
	} {
		script := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(script, []byte(tt.text), 0o755); err != nil {
			t.Fatal(err)
		}
		l := NewFinder().Line(script)
		if !errors.Is(l.Err, tt.err) || tt.err == nil && (l.Err != nil || l.Interpreter != tt.interpreter || !slices.Equal(l.Words, tt.words)) {
			t.Errorf("%q: %q %q %v", tt.text, l.Interpreter, l.Words, l.Err)
		}
	}
}

// TestSplitAsEnv splits texts as the system's env does.
func TestSplitAsEnv(t *testing.T) {
	t.Setenv("A", "x y")
	os.Unsetenv("B")
	env := func(text string) (string, error) {
		out, err := exec.Command("env", "-S", "printf [%s] . "+text).Output()
		return string(out), err
	}
	if out, err := env(`a\_b`); err != nil || out != "[.][a][b]" {
		t.Skipf("there is no env -S: %q, %v", out, err)
	}
	piece := rapid.SampledFrom([]string{"a", "b", " ", "\t", "'", "\"", "\\", "_", "c", "n", "#", "$", "${A}", "${B}", "{", "}", "=", "-", "é", "\n", "\\\\", "\\_", "\\'", "\\\"", "\\#", "\\$", "\\t", "x"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
		want, err := env(text)
		words, splitErr := splitString(text)
		if splitErr != nil || err != nil {
			return // such a call isn't cached, or nothing is started
		}
		got := "[.]"
		for _, w := range words {
			got += "[" + w + "]"
		}
		if got != want {
			t.Fatalf("%q: %s, env makes %s", text, got, want)
		}
	})
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"bin/tool", "two/tool", "here"} {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll("three/tool", 0o755)        // a folder is no program
	os.WriteFile("three/plain", nil, 0o644) // nor is a file that can't be executed
	os.MkdirAll(filepath.Join(dir, "x"), 0o755)
	for _, tt := range []struct{ path, name, want string }{
		{"bin:two", "tool", "bin/tool"},
		{"x:two:bin", "tool", "two/tool"},
		{"three:nowhere:" + dir + "/bin", "tool", dir + "/bin/tool"},
		{"three:bin", "plain", ""},
		{"three::bin", "here", "./here"},
		{"", "here", "./here"},
		{"bin", "here", ""},
		{"bin", "a\x00b", ""},
		{"bin", strings.Repeat("x", 5000), ""},
	} {
		for _, many := range []bool{false, true} {
			p := NewFinder().path(tt.path)
			for i := range 2 * manyWords {
				if many && p.Find(strings.Repeat("y", i+1)) != "" {
					t.Fatal("what isn't there is found")
				}
			}
			if got := p.Find(tt.name); got != tt.want {
				t.Errorf("PATH=%s %.20q (after many: %v): %q", tt.path, tt.name, many, got)
			}
		}
	}
}

// TestFindMany: where there are many words, a folder is looked at once.
func TestFindMany(t *testing.T) {
	dir := t.TempDir()
	p := NewFinder().path(dir)
	for i := range manyWords {
		p.Find(fmt.Sprint(i))
	}
	if err := os.WriteFile(filepath.Join(dir, "late"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if found := p.Find("late"); found != "" {
		t.Errorf("%s is found: the folder is looked at again", found)
	}
	if found := NewFinder().path(dir).Find("late"); found == "" {
		t.Error("what is there is not found")
	}
}

func TestPaths(t *testing.T) {
	t.Setenv("PATH", "/ours")
	standard := strings.Join(standardPath, " ")
	for _, tt := range []struct{ args, want string }{
		{"env A=1 tool", "/ours"},
		{"env PATH=/a tool", "/ours /a"},
		{"nice env PATH=/a PATH=/b tool", "/ours /a /b"},
		{"env -i tool", "/ours " + standard},
		{"env - tool", "/ours " + standard},
		{"env -vi tool", "/ours " + standard},
		{"env -u PATH tool", "/ours " + standard},
		{"env -uPATH tool", "/ours " + standard},
		{"env --unset=PATH tool", "/ours " + standard},
		{"timeout 5 env --ignore-environment tool", "/ours " + standard},
		{"nice /usr/bin/sudo tool", "/ours " + standard},
		{"env -P /a tool", "/ours /a"},
		{"python3 -i -u x.py", "/ours"},
	} {
		f := NewFinder()
		words := strings.Fields(tt.args)
		var want []*Path
		for _, p := range strings.Fields(tt.want) {
			want = append(want, f.path(p))
		}
		if got := f.Paths(words[0], words[1:]); !slices.Equal(got, want) {
			t.Errorf("%s: %d paths, not %s", tt.args, len(got), tt.want)
		}
	}
	os.Unsetenv("PATH")
	if f := NewFinder(); len(f.Paths("env", nil)) != len(standardPath) {
		t.Error("without a PATH there is the standard one")
	}
}

func TestIsLauncher(t *testing.T) {
	for _, name := range []string{"env", "/usr/bin/python3", "python3.11", "pypy3", "ruby2.7", "mpirun.openmpi", "mpiexec.hydra", "bash5", "xvfb-run", "sudo", "tclsh8.6", "linux32", "julia-1.9", "/lib64/ld-linux-x86-64.so.2", "qemu-aarch64"} {
		if !IsLauncher(name) {
			t.Errorf("%s is none", name)
		}
	}
	for _, name := range []string{"train.sh", "./score", "script.sh", "7", "", "pythonic", "environment"} {
		if IsLauncher(name) {
			t.Errorf("%s is one", name)
		}
	}
}

func TestProgramNames(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"train.py", "lock", "bin/tool"} {
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := os.WriteFile(name, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", "bin")
	for _, name := range []string{"python3", "timeout"} {
		os.WriteFile("bin/"+name, nil, 0o755)
	}
	for _, tt := range []struct {
		args, names string
		own         int
	}{
		{"./train.sh --x train.py", "train.sh", 0},
		{"python3 train.py --x 1", "python3 train.py", 1},
		{"python3 -u ./train.py --x tool", "python3 train.py", 2},
		{"/usr/bin/env A=1 timeout 60 python3 -u train.py --x 1", "env timeout python3 train.py", 6},
		{"nice -n 5 tool train.py", "nice tool", 3},
		{"flock lock python3 train.py 1", "flock python3 train.py", 3},
		{"python3 -m module --seed 1", "python3", 2},
		{"timeout 5 python3 -um module --seed 1", "timeout python3", 4},
		{"sh -c text sh 1", "sh", 2},
		{"perl -ne text x", "perl", 2},
		{"timeout -k 5 60 tool 1", "timeout tool", 4},
		{"uv run nowhere.py --x 1", "uv", 4},
	} {
		args := strings.Fields(tt.args)
		if names := strings.Join(ProgramNames(args), " "); names != tt.names || Own(args) != tt.own {
			t.Errorf("%s: %s, %d", tt.args, names, Own(args))
		}
	}
}
