package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dvlcache/cache"
	"dvlcache/cache/key"
)

// longCommands stores entries of large subsets: 20,000 points take kilobytes, and the
// arguments come back to the letter; of more than a record can hold there is a sum.
func longCommands(t *testing.T, s cache.Store) {
	defer s.Close()
	ctx := context.Background()
	random := rand.New(rand.NewPCG(1, 2))
	points := func(n int, sorted bool) (list []string) {
		all := random.Perm(5 * n)[:n]
		if sorted {
			slices.Sort(all)
		}
		for _, i := range all {
			list = append(list, fmt.Sprint(i))
		}
		return list
	}
	for i, tt := range []struct {
		what   string
		points []string
		most   int // bytes of a record
		kept   bool
	}{
		{"20,000 in order", points(20_000, true), 12 << 10, true},
		{"20,000 in any order", points(20_000, false), 56 << 10, true},
		{"110,000 in any order", points(110_000, false), 1 << 10, false},
	} {
		joined := strings.Join(tt.points, ",")
		for form, args := range map[string][]string{
			"one argument": {"./train.sh", "--indices", joined}, "assigned": {"./train.sh", "indices=[" + joined + "]"},
			"many arguments": append([]string{"./train.sh", "--indices"}, tt.points...),
		} {
			for _, rules := range []key.Rules{{}, {Unordered: []string{"indices", "indices..."}}} {
				command := &key.Command{Args: args, Dir: "/d", Paths: key.PathsAbsolute, Parts: key.ParseArguments(rules, args[1:])}
				id := cache.ID{Namespace: t.Name(), Key: key.Key{byte(i), byte(len(form)), byte(len(rules.Unordered))}}
				_, gen, err := s.Get(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				var size int
				err = s.Update(ctx, id, gen, func(*cache.Entry) *cache.Entry {
					e := &cache.Entry{}
					e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: 0.5}, "0.5")
					e.SetCommand(command)
					size = len(cache.Seal(id, e))
					return e
				})
				if err != nil {
					t.Fatal(err)
				}
				e, _, err := s.Get(ctx, id)
				if err != nil || e.Find("last") == nil {
					t.Fatalf("%s, %s: %+v, %v", tt.what, form, e, err)
				}
				if size = max(size, e.Size()); size > tt.most {
					t.Errorf("%s, %s: %d bytes", tt.what, form, size)
				}
				line := cache.Export(id, e)
				_, moved, err := cache.ParseExport(line)
				if err != nil || !bytes.Equal(cache.Export(id, moved), line) || !slices.Equal(moved.Args(), e.Args()) {
					t.Errorf("%s, %s: its export is read back otherwise, %v", tt.what, form, err)
				}
				switch got := e.Command(); {
				case tt.kept && !slices.Equal(got.Args, args):
					t.Errorf("%s, %s: other arguments come back", tt.what, form)
				case !tt.kept && (got.Args != nil || got.TooLong == nil || got.TooLong.Args != len(args)-1):
					t.Errorf("%s, %s: %+v", tt.what, form, got.TooLong)
				}
			}
		}
	}
}
