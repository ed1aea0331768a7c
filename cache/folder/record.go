package folder

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"dvlcache/cache"
	"dvlcache/cache/internal/wire"
	"dvlcache/cache/key"
)

// recordID tells a record, or a pack, from all others.
type recordID [8]byte

func (id recordID) String() string { return hex.EncodeToString(id[:]) }

// record is one of the records of a key.
type record struct {
	id recordID
	// epoch says how often the entry was deleted or refreshed before, as far as the writer
	// knew: of two records that differ in it, the lesser is over. It is odd since a
	// deletion, which so counts for more than a refresh side by side with it.
	epoch uint64
	// covers are the records in whose place this one is: the writer had read them.
	covers []recordID
	// entry is nil where bad says why it can't be read.
	entry *cache.Entry
	bad   *cache.RecordError
	// frame is how it lies in a file; nil where that is damaged beyond it.
	frame []byte
	loose bool     // that file is its own
	pack  recordID // or this pack
}

// A frame is
//
//	version byte | ID | epoch | count of covers | covers | sealed entry
//
// What comes before the sealed entry is a part of the namespace under which that is
// sealed, so that one checksum is for all.
const frameVersion = 1

// mostInherited is how many records a record covers besides those that its writer saw:
// those that these covered, should their files be back after a crash.
const mostInherited = 128

func (r *record) seal(id cache.ID) []byte {
	head := []byte{frameVersion}
	head = append(head, r.id[:]...)
	head = binary.AppendUvarint(head, r.epoch)
	head = binary.AppendUvarint(head, uint64(len(r.covers)))
	for _, c := range r.covers {
		head = append(head, c[:]...)
	}
	return append(head, cache.Seal(sealID(id, head), r.entry)...)
}

func sealID(id cache.ID, head []byte) cache.ID {
	return cache.ID{Namespace: id.Namespace + "\x00" + string(head), Key: id.Key}
}

// splitFrame takes a frame apart, without a look at its checksum.
func splitFrame(frame []byte) (r record, head, sealed []byte, ok bool) {
	in := wire.Reader{Rest: frame}
	if in.Byte() != frameVersion {
		return r, nil, nil, false
	}
	copy(r.id[:], in.Take(len(r.id)))
	r.epoch = in.Uvarint()
	if n := in.Count(len(recordID{})); n > 0 {
		r.covers = make([]recordID, n)
	}
	for i := range r.covers {
		copy(r.covers[i][:], in.Take(len(recordID{})))
	}
	if in.Bad {
		return r, nil, nil, false
	}
	r.frame = frame
	return r, frame[:len(frame)-len(in.Rest)], in.Rest, true
}

// openFrame is the record that a frame holds. named is the ID that its file's name has, or
// its pack's, which tells of a record that can't be read.
func openFrame(id cache.ID, frame []byte, named recordID, loose bool) record {
	bad := func(reason string) record {
		return record{id: named, bad: &cache.RecordError{ID: id, Reason: reason}, frame: frame, loose: loose}
	}
	r, head, sealed, ok := splitFrame(frame)
	if !ok {
		return bad("it has no known form")
	}
	e, err := cache.UnsealOwn(sealID(id, head), sealed)
	var wrong *cache.RecordError
	if errors.As(err, &wrong) {
		b := bad(wrong.Reason)
		b.bad.Newer = wrong.Newer
		return b
	}
	if loose && r.id != named {
		return bad("it lies under another's name")
	}
	if r.entry, r.loose = e, loose; !loose {
		r.pack = named
	}
	return r
}

// looseName is the name of a record's file.
func looseName(k key.Key, id recordID) string { return k.String() + "." + id.String() }

// parseLoose takes the name of a record's file apart.
func parseLoose(name string) (k key.Key, id recordID, ok bool) {
	digits, random, ok := strings.Cut(name, ".")
	if !ok || len(digits) != 2*len(k) || len(random) != 2*len(id) {
		return k, id, false
	}
	_, err := hex.Decode(k[:], []byte(digits))
	_, err2 := hex.Decode(id[:], []byte(random))
	return k, id, err == nil && err2 == nil
}

// state is what the records of a key say together.
type state struct {
	records []record
	heads   []*record // of the period, and not covered by others
	damaged []*record // that can't be read, and aren't covered
	bad     *cache.RecordError
	epoch   uint64
	entry   *cache.Entry // joined; nil if there are no records that can be read
}

// resolve finds out what the records of a key say together. One that can't be read, and
// that no other covers, may be what deleted or refreshed the entry: then nothing is
// believed of it.
func resolve(records []record) (s state) {
	s.records = dedupe(records)
	if len(s.records) == 1 && s.records[0].bad == nil { // as nearly always
		r := &s.records[0]
		return state{records: s.records, heads: []*record{r}, epoch: r.epoch, entry: r.entry}
	}
	covered := map[recordID]bool{}
	var latest *record
	for i := range s.records {
		r := &s.records[i]
		if r.bad != nil {
			continue
		}
		for _, c := range r.covers {
			covered[c] = true
		}
		if latest == nil || r.comparePeriod(latest) > 0 {
			latest = r
		}
	}
	for i := range s.records {
		switch r := &s.records[i]; {
		case covered[r.id]:
		case r.bad != nil:
			s.damaged = append(s.damaged, r)
			if s.bad == nil || s.bad.Newer && !r.bad.Newer {
				s.bad = r.bad
			}
		case r.comparePeriod(latest) == 0:
			s.heads = append(s.heads, r)
		}
	}
	if latest == nil {
		return s
	}
	s.epoch = latest.epoch
	for _, r := range s.heads {
		switch {
		case s.entry == nil:
			s.entry = r.entry
		case s.entry.Empty() && r.entry.Empty():
		case s.entry.Empty():
			s.entry = r.entry
		default:
			s.entry.Join(r.entry)
		}
	}
	if s.entry == nil { // they cover each other in a circle: nobody writes that
		s.entry = &cache.Entry{Token: latest.entry.Token}
	}
	return s
}

// comparePeriod orders records by the periods of the entry that they belong to.
func (r *record) comparePeriod(o *record) int {
	if r.epoch != o.epoch {
		if r.epoch < o.epoch {
			return -1
		}
		return 1
	}
	return bytes.Compare(r.entry.Token[:], o.entry.Token[:])
}

// dedupe leaves one of each record: the one that can be read, of copies.
func dedupe(records []record) []record {
	if len(records) < 2 {
		return records
	}
	slices.SortFunc(records, func(a, b record) int { return bytes.Compare(a.id[:], b.id[:]) })
	out := records[:0]
	for _, r := range records {
		if n := len(out); n > 0 && out[n-1].id == r.id {
			loose := out[n-1].loose || r.loose
			if out[n-1].bad != nil {
				out[n-1] = r
			}
			out[n-1].loose = loose
			continue
		}
		out = append(out, r)
	}
	return out
}

// cover has r cover all records of a state, and those that these cover, the latest first.
func (s *state) cover(r *record) {
	known := map[recordID]bool{}
	add := func(id recordID) {
		if !known[id] {
			known[id] = true
			r.covers = append(r.covers, id)
		}
	}
	for i := range s.records {
		add(s.records[i].id)
	}
	most := len(r.covers) + mostInherited
	for depth, more := 0, true; more; depth++ {
		more = false
		for i := range s.records {
			if covers := s.records[i].covers; depth < len(covers) && len(r.covers) < most {
				add(covers[depth])
				more = true
			}
		}
	}
}

// refreshed and deleted are the epochs that come after one.
func refreshed(epoch uint64) uint64 { return epoch&^1 + 2 }
func deleted(epoch uint64) uint64   { return refreshed(epoch) + 1 }

// token is that of the period.
func (s *state) token() (t cache.Token) {
	if s.entry != nil {
		t = s.entry.Token
	}
	return t
}
