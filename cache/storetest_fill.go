package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"
)

// testEntry stores a number, whatever is there.
func testEntry(t *testing.T, s Store, id ID, value float64) {
	t.Helper()
	_, gen, err := s.Get(context.Background(), id)
	var bad *RecordError
	if err != nil && !errors.As(err, &bad) {
		t.Fatal(err)
	}
	err = s.Update(context.Background(), id, gen, func(*Entry) *Entry {
		e := &Entry{}
		e.FindOrAdd("last").Add(Sample{ID: 1, Value: value}, "")
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
}

// numbered is a key that lies anywhere among the others.
func numbered(i int) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	return k
}

// putNumbered stores i under key i.
func putNumbered(s Store, namespace string, from, to int) error {
	ctx := context.Background()
	var changes []Change
	for i := from; i < to; i++ {
		id := ID{namespace, numbered(i)}
		_, gen, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		changes = append(changes, Change{id, gen, func(*Entry) *Entry {
			e := &Entry{Output: &Output{Text: fmt.Appendln(nil, i)}}
			e.FindOrAdd("last").Add(Sample{ID: uint64(i) + 1, Value: float64(i)}, fmt.Sprint(i))
			return e
		}})
	}
	return errors.Join(UpdateAll(ctx, s, changes)...)
}

// exportOf is all that a store exports, and the entries.
func exportOf(t testing.TB, s Lister) ([]byte, []Transfer) {
	t.Helper()
	var b bytes.Buffer
	var all []Transfer
	err := s.Each(context.Background(), Range{}, func(id ID, e *Entry, bad *RecordError) error {
		if bad != nil {
			return bad
		}
		line := Export(id, e)
		b.Write(append(line, '\n'))
		id, e, err := ParseExport(line)
		all = append(all, Transfer{id, e})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), all
}

// importAll imports in groups.
func importAll(t testing.TB, s Store, all []Transfer, conflict Conflict) (n Transferred) {
	t.Helper()
	for len(all) > 0 {
		group := all[:min(2000, len(all))]
		all = all[len(group):]
		part, err := Import(context.Background(), s, group, conflict)
		if err != nil {
			t.Fatal(err)
		}
		n.Add(part)
	}
	return n
}

// fill stores n entries of two namespaces, as calls leave them.
func fill(t testing.TB, s Store, n int) {
	t.Helper()
	var all []Transfer
	for i := range n {
		id := ID{[]string{"default", "mnist"}[i%2], numbered(i)}
		e := &Entry{Created: time.Unix(1.7e9+int64(i), 0)}
		value := float64(i%1000) / 1000
		text := fmt.Sprintf("%.4f", value)
		x := Sample{ID: NewSampleID(), Value: value, Seconds: 1.5, Time: e.Created}
		e.Output = &Output{Text: []byte(text + "\n"), ID: x.ID, Seconds: x.Seconds, Time: x.Time}
		e.FindOrAdd("last").Add(x, text)
		if i%10 == 0 {
			l := e.Find("last")
			l.Repeated = true
			l.Add(Sample{ID: NewSampleID(), Value: value + 0.25, Seconds: 1.5, Time: e.Created}, "")
		}
		e.SetCommand(exampleCommand(i))
		all = append(all, Transfer{id, e})
	}
	importAll(t, s, all, ConflictKeep)
}

// exampleCommand is a command of about a hundred characters.
func exampleCommand(i int) *Command {
	args := []string{"./train.sh", "--indices", fmt.Sprintf("%d,14,27,35,48,51,66,72,89,93,104,117,123,138,141,150", i), "--epochs", "20", "--data", "iris.csv"}
	var parts []Part
	for _, arg := range args[1:] {
		parts = append(parts, Part{Kind: PartArgument, Items: []Item{{Text: arg}}})
	}
	parts[len(parts)-1].Items[0].Digest = &Digest{7}
	parts = append(parts, Part{Kind: PartProgram, Items: []Item{{Text: "/home/ada/iris/train.sh", Digest: &Digest{1}}}},
		Part{Kind: PartInterpreter, Items: []Item{{Text: "/bin/sh", Digest: &Digest{2}}}},
		Part{Kind: PartDirectory, Items: []Item{{Text: "/home/ada/iris"}}})
	return &Command{Args: args, Dir: "/home/ada/iris", Paths: PathsAbsolute, TrackArgs: true, DependsOn: []string{}, Parts: parts}
}

// nextVersion is the version that comes after one.
func nextVersion(v byte) byte {
	for v++; !isVersion(v); v++ {
	}
	return v
}
