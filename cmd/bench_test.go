//go:build unix

package cmd

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dvlcache/cache/memcached/memcachedtest"
)

// BenchmarkHit runs hits and a Go hello-world in turn, so that whatever else the
// machine does meets all of them alike. Its metrics are medians, as multiples of
// the hello-world's.
func BenchmarkHit(b *testing.B) {
	binary, err := buildBinary()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	// Copies, as make install leaves: what the linker has just written lies in
	// memory in smaller pieces, and starts a tenth more slowly.
	installed := func(built string) string {
		to := filepath.Join(dir, filepath.Base(built)+"-installed")
		program, err := os.ReadFile(built)
		if err == nil {
			err = os.WriteFile(to, program, 0o755)
		}
		if err != nil {
			b.Fatal(err)
		}
		return to
	}
	hello := filepath.Join(dir, "hello")
	source := filepath.Join(dir, "hello.go")
	train := filepath.Join(dir, "train.sh")
	os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"0.9130\") }\n"), 0o644)
	os.WriteFile(train, []byte("#!/bin/sh\necho 0.9130\n"), 0o755)
	build := osexec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", hello, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	hello, binary = installed(hello), installed(binary)
	time.Sleep(2100 * time.Millisecond) // until train.sh's digest is remembered
	call := []string{binary, "run", "--", train, "--indices", "1,4,7"}
	commands := []struct {
		name string
		args []string
		env  string
	}{
		{"hello", []string{hello}, "DVLCACHE_DIR=" + dir},
		{"bolt", call, "DVLCACHE_DIR=" + filepath.Join(dir, "cache")},
		{"memcached", call, "DVLCACHE_MEMCACHED=" + memcachedtest.Start(b).Address},
	}
	took := make([][]float64, len(commands))
	run := func(i int) {
		c := osexec.Command(commands[i].args[0], commands[i].args[1:]...)
		c.Env = append(os.Environ(), "DVLCACHE_DIR="+dir, commands[i].env)
		start := time.Now()
		out, err := c.Output()
		took[i] = append(took[i], time.Since(start).Seconds())
		if err != nil || string(out) != "0.9130\n" {
			b.Fatalf("%s: %q, %v", commands[i].name, out, err)
		}
	}
	for i := range commands { // fills the cache
		run(i)
		took[i] = nil
	}
	for b.Loop() {
		for i := range commands {
			run(i)
		}
	}
	median := func(i int) float64 { return slices.Sorted(slices.Values(took[i]))[len(took[i])/2] }
	b.ReportMetric(median(0)*1e3, "hello-ms")
	for i := 1; i < len(commands); i++ {
		b.ReportMetric(median(i)/median(0), fmt.Sprintf("%s/hello", commands[i].name))
	}
}
