package cache

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dvlcache/cache/key"
)

func entries() *rapid.Generator[*Entry] {
	second := rapid.Custom(func(t *rapid.T) time.Time {
		return fromUnix(rapid.Int64Range(0, 1<<34).Draw(t, "time"))
	})
	return rapid.Custom(func(t *rapid.T) *Entry {
		e := &Entry{Created: second.Draw(t, "created")}
		copy(e.Token[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "token"))
		if rapid.Bool().Draw(t, "output") {
			e.Output = &Output{
				Text:    rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text"),
				Cut:     rapid.Bool().Draw(t, "cut"),
				ID:      rapid.Uint64().Draw(t, "id"),
				Seconds: rapid.Float64().Draw(t, "seconds"),
				Time:    second.Draw(t, "time"),
			}
			if e.Output.Text == nil {
				e.Output.Text = []byte{}
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "series") {
			s := Series{Extraction: rapid.String().Draw(t, "extraction")}
			for range rapid.IntRange(0, 300).Draw(t, "samples") {
				s.Add(Sample{ID: NewSampleID(), Value: rapid.Float64().Draw(t, "value"), Seconds: 1, Time: e.Created}, "text")
			}
			e.Series = append(e.Series, s)
		}
		if e.Empty() {
			if rapid.Bool().Draw(t, "list") {
				e.List = rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "names")
			}
			return e
		}
		for i := range rapid.IntRange(0, MaxVariants+1).Draw(t, "variants") {
			v := e.Variant.clone()
			e.Begin(Inputs{Shared: []key.Key{{byte(i)}}, Own: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "own")})
			e.Output, e.Series = v.Output, v.Series
			e.SetCommand(&key.Command{Args: []string{"a", "b"}, Dir: "/"})
		}
		return e
	})
}

// TestVariants: an entry keeps the last eight, and what is looked up under inputs is
// what was evaluated under them.
func TestVariants(t *testing.T) {
	e := &Entry{}
	in := func(i int) Inputs { return Inputs{Own: []byte{byte(i)}} }
	for i := range 20 {
		e.Begin(in(i))
		e.FindOrAdd("last").Add(Sample{ID: uint64(i + 1), Value: float64(i)}, "")
	}
	e.Begin(in(15)) // back to an earlier one
	if e.Find("last").Mean != 15 || e.Under(in(19)).Find("last").Mean != 19 || len(e.Variants()) != MaxVariants {
		t.Errorf("%+v", e)
	}
	if e.Under(in(11)) != nil || e.Under(in(12)) == nil || e.Under(Inputs{}) != nil {
		t.Error("the wrong ones are forgotten")
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entries().Draw(t, "entry")
		id := ID{Namespace: rapid.String().Draw(t, "namespace"), Key: key.Key{1}}
		got, err := Unseal(id, Seal(id, e))
		if err != nil {
			t.Fatal(err)
		}
		if e.size = got.Size(); !reflect.DeepEqual(got, e) {
			t.Fatalf("got %+v, want %+v", got, e)
		}
	})
}

func TestRecordThatIsDamagedOrElsewhereDoesNotOpen(t *testing.T) {
	id := ID{Namespace: "a", Key: key.Key{1}}
	e := &Entry{Token: NewToken(), Created: time.Unix(1e9, 0)}
	e.FindOrAdd("last").Add(Sample{ID: 7, Value: 0.913, Seconds: 2, Time: time.Unix(1e9, 0)}, "0.9130")
	rec := Seal(id, e)
	var bad *RecordError
	for i := range len(rec) * 8 {
		flipped := bytes.Clone(rec)
		flipped[i/8] ^= 1 << (i % 8)
		if _, err := Unseal(id, flipped); !errors.As(err, &bad) {
			t.Fatalf("bit %d flipped: error %v", i, err)
		}
	}
	for n := range len(rec) {
		if _, err := Unseal(id, rec[:n]); !errors.As(err, &bad) {
			t.Fatalf("cut to %d bytes: error %v", n, err)
		}
	}
	for _, other := range []ID{{"b", id.Key}, {"", id.Key}, {"a", key.Key{2}}} {
		if _, err := Unseal(other, rec); !errors.As(err, &bad) {
			t.Errorf("copied to %v: error %v", other, err)
		}
	}
	newer := bytes.Clone(rec)
	newer[0]++
	if _, err := Unseal(id, newer); !errors.As(err, &bad) || !bad.Newer {
		t.Errorf("a newer version: error %v", err)
	}
}

func TestSeriesCountsASampleOnce(t *testing.T) {
	s := &Series{}
	if !s.Add(Sample{ID: 1, Value: 0.5}, "0.50") || s.Text != "0.50" {
		t.Fatalf("the first sample: %+v", s)
	}
	if s.Add(Sample{ID: 1, Value: 0.5}, "0.50") || s.Count != 1 {
		t.Errorf("a sample came twice and counts twice: %+v", s)
	}
	if !s.Add(Sample{ID: 2, Value: 1}, "1") || s.Count != 2 || s.Mean != 0.75 || s.Text != "" {
		t.Errorf("the second sample: %+v", s)
	}
	for i := range 400 {
		s.Add(Sample{ID: uint64(i + 10), Value: float64(i)}, "")
	}
	if len(s.Samples) != MaxSamples || s.Samples[MaxSamples-1].Value != 399 || s.Count != 402 {
		t.Errorf("%d samples kept of %d, the last %+v", len(s.Samples), s.Count, s.Samples[len(s.Samples)-1])
	}
}

// FuzzRecord looks for records that open and don't close again to the same
// bytes, and for ones that ask for too much. The checksum is put right, or
// nothing would get behind it.
func FuzzRecord(f *testing.F) {
	id := ID{Namespace: "n"}
	e := &Entry{Token: Token{1}, Created: time.Unix(1e9, 0), Variant: Variant{Output: &Output{Text: []byte("0.5\n"), Cut: true}}}
	e.FindOrAdd("last").Add(Sample{ID: 7, Value: math.Inf(1)}, "inf")
	f.Add(Seal(id, e)[headerSize:])
	f.Add(Seal(id, &Entry{})[headerSize:])
	f.Fuzz(func(t *testing.T, payload []byte) {
		sum := checksum(id, payload)
		rec := append(append([]byte{recordVersion}, sum[:]...), payload...)
		e, err := Unseal(id, rec)
		if err != nil {
			return
		}
		again, err := Unseal(id, Seal(id, e))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(Seal(id, again), Seal(id, e)) {
			t.Fatalf("%+v and %+v", e, again)
		}
	})
}
