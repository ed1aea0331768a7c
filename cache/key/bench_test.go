package key

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkFolderOfManyFiles: what a hit pays for a folder of 60,000 small files that
// counts.
func BenchmarkFolderOfManyFiles(b *testing.B) {
	dir := b.TempDir()
	data := filepath.Join(dir, "data")
	const files = 60_000
	for i := range files {
		sub := filepath.Join(data, fmt.Sprint(i/600))
		if i%600 == 0 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		writeFile(b, filepath.Join(sub, fmt.Sprint(i)), fmt.Sprint(i))
	}
	program := filepath.Join(dir, "program")
	writeFile(b, program, "")
	digests := NewDigests(filepath.Join(dir, "digests"))
	defer digests.Close()
	spec := CallSpec{Args: []string{program}, Program: program, Paths: PathsAbsolute, DependsOn: []string{data}, LookupEnv: os.LookupEnv}
	for b.Loop() {
		if _, err := Identify(context.Background(), spec, digests); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/file")
}

// BenchmarkUnorderedKey is the key of a subset of some 500 of 1,000 points, whose flag
// is unordered.
func BenchmarkUnorderedKey(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var subset []string
	for i := range 1000 {
		if rng.IntN(2) == 0 {
			subset = append(subset, strconv.Itoa(i+1))
		}
	}
	args := []string{"--indices", strings.Join(subset, ",")}
	rules := Rules{Unordered: []string{"indices"}}
	b.ReportAllocs()
	for b.Loop() {
		if parts := ParseArguments(rules, args); parts[1].Form != FormSorted {
			b.Fatal("it is not sorted")
		}
	}
}
