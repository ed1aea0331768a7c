package cmd

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dvlcache/cache/memcached/memcachedtest"
)

// points are n whole numbers, in order, each as likely as another.
func points(n int) (list []string) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5 * n {
		if random.IntN(5*n-i) < n-len(list) {
			list = append(list, fmt.Sprint(i))
		}
	}
	return list
}

// TestLargeSubsets: a call with 20,000 points takes kilobytes on each backend, in each
// form and whatever is recorded, and verify makes it again to the letter. 110,000 arguments,
// of which a record can't hold what they are, are stored all the same.
func TestLargeSubsets(t *testing.T) {
	t.Parallel()
	b := newWorkbench(t)
	b.write("sum.sh", "#!/bin/sh\nprintf '%s\\n' \"$@\" | cksum | cut -d ' ' -f 1\n")
	list := points(20_000)
	joined := strings.Join(list, ",")
	many := append([]string{"./sum.sh", "--indices"}, list...)
	memcached := []string{"--memcached", memcachedtest.Start(t).Address}
	calls := 0
	for _, backend := range [][]string{nil, memcached} {
		for i, call := range [][]string{
			append([]string{"--"}, many...),
			append([]string{"--unordered", "indices...", "--"}, many...),
			append([]string{"--no-record-command", "--ignore", "x", "--"}, append(many, "--x", "1")...),
			{"--", "./sum.sh", "--indices", joined},
			{"--unordered", "indices", "--", "./sum.sh", "--indices", joined},
			{"--", "./sum.sh", "indices=[" + joined + "]"},
		} {
			run := slices.Concat([]string{"run", "-v"}, backend, call)
			number, said, status := b.run(run...)
			if again := b.number(slices.Concat([]string{"run", "--only-cached"}, backend, call)...); status != 0 || again != strings.TrimSpace(number) {
				t.Fatalf("call %d: status %d, %s and then %s", i, status, number, again)
			}
			key := regexp.MustCompile(`key ([0-9a-f]{64})`).FindStringSubmatch(said)[1]
			shown := b.number(slices.Concat([]string{"show"}, backend, []string{"--namespace", "default", key})...)
			size, _ := strconv.Atoi(regexp.MustCompile(`record +(\d+) bytes`).FindStringSubmatch(shown)[1])
			t.Logf("%q, call %d: %d bytes", backend, i, size)
			if size == 0 || size > 16<<10 {
				t.Errorf("%q, call %d: %d bytes", backend, i, size)
			}
			calls++
		}
	}
	if got := b.number("verify", "--quiet"); !strings.HasPrefix(got, "5 run: 5 the same, 0 differ") {
		t.Errorf("verify: %s", got)
	}

	many = many[:2]
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(110_000) {
		many = append(many, fmt.Sprint(i))
	}
	for _, backend := range [][]string{nil, memcached} {
		number := b.number(slices.Concat([]string{"run"}, backend, []string{"--"}, many)...)
		if again := b.number(slices.Concat([]string{"run", "--only-cached"}, backend, []string{"--"}, many)...); again != number {
			t.Errorf("%q: %s, and then %s", backend, number, again)
		}
	}
	shown := b.number("list", "--command", "sum.sh")
	if !strings.Contains(shown, "sum.sh (110001 arguments of ") {
		t.Errorf("list doesn't say what is kept of the arguments:\n%.2000s", shown)
	}
	if got := b.number("verify", "--quiet"); !strings.Contains(got, "2 not run: command, stdin or a large subset not recorded") {
		t.Errorf("verify: %s", got)
	}
	explained, _, _ := strings.Cut(b.number(slices.Concat([]string{"explain", "--"}, many, []string{"5"})...), "\n")
	if explained != "miss: --indices differs: 110001 arguments, stored 110000 arguments (nearest of 7 stored)" {
		t.Errorf("explain: %.200s", explained)
	}
}
