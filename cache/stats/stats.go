// Package stats counts what a cache does, across processes.
package stats

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dvlcache/cache/internal/files"
	"dvlcache/cache/share"
)

// Counter names one of the counters of Stats.
type Counter int

// The counters. Their order is the order in the file: add at the end.
const (
	Hits        Counter = iota // calls answered without an evaluation
	Misses                     // calls that were not
	Sets                       // numbers stored
	Evaluations                // programs that ran to their end
	Failures                   // … and failed or printed no number
	Waits                      // calls that waited for another's evaluation
	Timeouts                   // waits for the storage that were given up
	Errors                     // bad records, and storage that was out of order
	Reconnects                 // connections made anew, after one that failed
	NanosSaved                 // what hits would have taken to evaluate
	NanosSpent                 // what evaluations took
	NumCounters                // not a counter
)

// Counts are the values of all counters.
type Counts [NumCounters]int64

// Seconds returns a counter of nanoseconds in seconds.
func (c Counts) Seconds(of Counter) float64 { return float64(c[of]) / float64(time.Second) }

// Stats counts, in files that the processes of this machine share: one small
// file per namespace, in one folder. They are mapped into memory and added to
// atomically, so that counts are exact and a hit pays neither for a lock nor
// for a sync: a power cut may lose the last ones.
//
// A Stats may be used by many goroutines. Where the files can't be had, it
// counts nothing.
type Stats struct {
	dir string
	// Notice, if not nil, is told, in one line, of a file that was set
	// aside because it holds no statistics.
	Notice func(string)
}

// New returns the counters kept in the folder dir.
func New(dir string) *Stats { return &Stats{dir: dir} }

// A statistics file is one page: a magic word that names layout and version,
// the length of the namespace, the counters from countersAt on, and the
// namespace from nameAt on. All words are little-endian, the counters in the
// machine's order, since they are added to in place.
const (
	statsSize  = 4096
	statsMagic = "dvlstat1"
	countersAt = 64
	nameAt     = 1024
	// MaxNamespace is how long a namespace may be, in bytes.
	MaxNamespace = statsSize - nameAt
)

func (s *Stats) path(namespace string) string {
	sum := sha256.Sum256([]byte(namespace))
	return filepath.Join(s.dir, fmt.Sprintf("%x", sum[:12]))
}

// Add adds to the counters of a namespace.
func (s *Stats) Add(namespace string, delta Counts) {
	if s == nil {
		return
	}
	path := s.path(namespace)
	f, err := openStats(path, namespace)
	if errors.Is(err, errNoStats) {
		aside := files.AsideName(path)
		if os.Rename(path, aside) != nil {
			return
		}
		if s.Notice != nil {
			s.Notice(fmt.Sprintf("%s holds no statistics; it is kept as %s and counting begins anew", path, filepath.Base(aside)))
		}
		f, err = openStats(path, namespace)
	}
	if err != nil {
		return
	}
	defer f.Close()
	addMapped(f, delta)
}

// errNoStats is a file that is not ours, or damaged.
var errNoStats = errors.New("it holds no statistics")

// openStats opens a statistics file, and makes it if it is missing. What it
// writes depends on the namespace alone, so that processes that do this at
// once do no harm.
func openStats(path, namespace string) (*os.File, error) {
	f, err := files.OpenBelow(path, os.O_RDWR)
	if os.IsNotExist(err) {
		// Its folder alone: what it lies in may be gone for good, as that
		// of a session that has ended.
		if err := share.Make(filepath.Dir(path)); err != nil && !os.IsExist(err) {
			return nil, err
		}
		f, err = files.OpenBelow(path, os.O_RDWR|os.O_CREATE)
	}
	if errors.Is(err, syscall.EISDIR) {
		return nil, errNoStats
	} else if err != nil {
		return nil, err
	}
	var head [len(statsMagic)]byte
	f.ReadAt(head[:], 0)
	info, err := f.Stat()
	if err == nil && string(head[:]) == statsMagic && info.Size() == statsSize {
		return f, nil
	}
	if err == nil && head == [len(statsMagic)]byte{} && info.Size() <= statsSize && info.Mode().IsRegular() {
		if err = f.Truncate(statsSize); err == nil {
			page := binary.LittleEndian.AppendUint64([]byte(statsMagic), uint64(len(namespace)))
			_, err = f.WriteAt([]byte(namespace), nameAt)
			if err == nil {
				_, err = f.WriteAt(page, 0)
			}
		}
		if err == nil {
			return f, nil
		}
	}
	f.Close()
	if err == nil {
		err = errNoStats
	}
	return nil, err
}

// Read returns the counts of a namespace, or, if namespace is nil, the sums of
// all. It writes nothing. What was never counted is 0.
func (s *Stats) Read(namespace *string) (Counts, error) {
	var sum Counts
	if namespace != nil {
		return readStats(s.path(*namespace))
	}
	files, err := os.ReadDir(s.dir)
	if err != nil && !os.IsNotExist(err) {
		return sum, err
	}
	for _, f := range files {
		if strings.Contains(f.Name(), ".") {
			continue
		}
		c, err := readStats(filepath.Join(s.dir, f.Name()))
		if err != nil {
			return sum, err
		}
		for i := range sum {
			sum[i] += c[i]
		}
	}
	return sum, nil
}

// Namespaces returns the counts of each namespace that has any. It writes
// nothing, and passes over what it can't read.
func (s *Stats) Namespaces() map[string]Counts {
	all := map[string]Counts{}
	if s == nil {
		return all
	}
	files, _ := os.ReadDir(s.dir)
	for _, f := range files {
		page, err := readPage(filepath.Join(s.dir, f.Name()))
		if err != nil || page == nil {
			continue
		}
		if n := binary.LittleEndian.Uint64(page[len(statsMagic):]); n <= MaxNamespace {
			all[string(page[nameAt:nameAt+n])] = countsOf(page)
		}
	}
	return all
}

// AddTo adds all counts to those of another Stats, namespace by namespace.
func (s *Stats) AddTo(other *Stats) {
	for namespace, counts := range s.Namespaces() {
		other.Add(namespace, counts)
	}
}

func readStats(path string) (Counts, error) {
	page, err := readPage(path)
	if err != nil || page == nil {
		return Counts{}, err
	}
	return countsOf(page), nil
}

// readPage reads a file of statistics; what is none is nil, and is not waited
// for.
func readPage(path string) ([]byte, error) {
	f, err := files.OpenBelow(path, os.O_RDONLY)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != statsSize {
		return nil, nil // not yet, or no longer, statistics
	}
	page := make([]byte, statsSize)
	if _, err := f.ReadAt(page, 0); err != nil || string(page[:len(statsMagic)]) != statsMagic {
		return nil, nil
	}
	return page, nil
}

func countsOf(page []byte) (c Counts) {
	for i := range c {
		c[i] = int64(binary.NativeEndian.Uint64(page[countersAt+8*i:]))
	}
	return c
}
