package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"dvlcache/cache"
	"dvlcache/cache/internal/wire"
	"dvlcache/cache/key"
)

// Put stores a number, whatever is there.
func Put(t *testing.T, s cache.Store, id cache.ID, value float64) {
	t.Helper()
	_, gen, err := s.Get(context.Background(), id)
	var bad *cache.RecordError
	if err != nil && !errors.As(err, &bad) {
		t.Fatal(err)
	}
	err = s.Update(context.Background(), id, gen, func(*cache.Entry) *cache.Entry {
		e := &cache.Entry{}
		e.FindOrAdd("last").Add(cache.Sample{ID: 1, Value: value}, "")
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Numbered is a key that lies anywhere among the others.
func Numbered(i int) (k key.Key) {
	binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	return k
}

// PutNumbered stores i under key i.
func PutNumbered(s cache.Store, namespace string, from, to int) error {
	ctx := context.Background()
	var changes []cache.Change
	for i := from; i < to; i++ {
		id := cache.ID{Namespace: namespace, Key: Numbered(i)}
		_, gen, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		changes = append(changes, cache.Change{ID: id, Gen: gen, Change: func(*cache.Entry) *cache.Entry {
			e := &cache.Entry{Variant: cache.Variant{Output: &cache.Output{Text: fmt.Appendln(nil, i)}}}
			e.FindOrAdd("last").Add(cache.Sample{ID: uint64(i) + 1, Value: float64(i)}, fmt.Sprint(i))
			return e
		}})
	}
	return errors.Join(cache.UpdateAll(ctx, s, changes)...)
}

// ExportOf is all that a store exports, and the entries.
func ExportOf(t testing.TB, s cache.Lister) ([]byte, []cache.Transfer) {
	t.Helper()
	var b bytes.Buffer
	var all []cache.Transfer
	err := s.Each(context.Background(), cache.Range{}, func(id cache.ID, e *cache.Entry, bad *cache.RecordError) error {
		if bad != nil {
			return bad
		}
		line := cache.Export(id, e)
		b.Write(append(line, '\n'))
		id, e, err := cache.ParseExport(line)
		all = append(all, cache.Transfer{ID: id, Entry: e})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), all
}

// ImportAll imports in groups.
func ImportAll(t testing.TB, s cache.Store, all []cache.Transfer, conflict cache.Conflict) (n cache.Transferred) {
	t.Helper()
	for len(all) > 0 {
		group := all[:min(2000, len(all))]
		all = all[len(group):]
		part, err := cache.Import(context.Background(), s, group, conflict)
		if err != nil {
			t.Fatal(err)
		}
		n.Add(part)
	}
	return n
}

// Fill stores n entries of two namespaces, as calls leave them.
func Fill(t testing.TB, s cache.Store, n int) {
	t.Helper()
	var all []cache.Transfer
	for i := range n {
		id := cache.ID{Namespace: []string{"default", "mnist"}[i%2], Key: Numbered(i)}
		e := &cache.Entry{Created: time.Unix(1.7e9+int64(i), 0)}
		value := float64(i%1000) / 1000
		text := fmt.Sprintf("%.4f", value)
		x := cache.Sample{ID: cache.NewSampleID(), Value: value, Seconds: 1.5, Time: e.Created}
		e.Output = &cache.Output{Text: []byte(text + "\n"), ID: x.ID, Seconds: x.Seconds, Time: x.Time}
		e.FindOrAdd("last").Add(x, text)
		if i%10 == 0 {
			l := e.Find("last")
			l.Repeated = true
			l.Add(cache.Sample{ID: cache.NewSampleID(), Value: value + 0.25, Seconds: 1.5, Time: e.Created}, "")
		}
		e.SetCommand(ExampleCommand(i))
		all = append(all, cache.Transfer{ID: id, Entry: e})
	}
	ImportAll(t, s, all, cache.ConflictKeep)
}

// ExampleCommand is a command of about a hundred characters.
func ExampleCommand(i int) *key.Command {
	args := []string{"./train.sh", "--indices", fmt.Sprintf("%d,14,27,35,48,51,66,72,89,93,104,117,123,138,141,150", i), "--epochs", "20", "--data", "iris.csv"}
	var parts []key.Part
	for _, arg := range args[1:] {
		parts = append(parts, key.Part{Kind: key.PartArgument, Items: []key.Item{{Text: arg}}})
	}
	parts[len(parts)-1].Items[0].Digest = &key.Digest{7}
	parts = append(parts, key.Part{Kind: key.PartProgram, Items: []key.Item{{Text: "/home/ada/iris/train.sh", Digest: &key.Digest{1}}}},
		key.Part{Kind: key.PartInterpreter, Items: []key.Item{{Text: "/bin/sh", Digest: &key.Digest{2}}}},
		key.Part{Kind: key.PartDirectory, Items: []key.Item{{Text: "/home/ada/iris"}}})
	return &key.Command{Args: args, Dir: "/home/ada/iris", Paths: key.PathsAbsolute, TrackArgs: true, DependsOn: []string{}, Parts: parts}
}

// NextVersion is the version that comes after one.
func NextVersion(v byte) byte {
	for v++; !wire.IsVersion(v); v++ {
	}
	return v
}
