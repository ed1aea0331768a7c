// Package witness tells what happened to files while a program ran.
package witness

import (
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Witness tells what happened to tracked files since it was made, by inotify.
// Nobody has read other contents than those before and after, if these are the
// same, where
//
//   - attributes alone were changed: touch, chmod, a link; or
//   - nobody read the file between the first change and the last, nor has it open
//     who may have.
//
// It can't see a mapping that was made before the first change, nor what other
// machines do; but then it doesn't see why the identity is another, either. Reading
// while the file is rewritten for the first time (truncated, say) is between the
// first change and the last.
type Witness struct {
	mu      sync.Mutex
	fd      int // -1 when it has ended
	end     chan struct{}
	lost    bool             // the kernel dropped events
	self    map[int32][]int  // by watch: the files, of which two may be one
	folders map[int32]string // by watch: the folder
	names   map[string][]int // by folder and name: the files
	files   []testimony
}

// testimony is what was seen of one file.
type testimony struct {
	attributes bool // they were changed
	changed    bool // its contents may have been
	read       bool // … and were read since
	other      bool // … and were changed again after that
	open       int  // times it is open
	opened     int  // times it was open or opened when and since it was changed
	before     int  // … of these, before the last change
	written    int  // times that ended with writing
	// Since the last change: what is read then is what is there at the end.
	openedSince, closedSince int
}

const (
	eventsOfChange = unix.IN_MODIFY | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_CREATE | unix.IN_DELETE |
		unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT
	eventsOfReading = unix.IN_ACCESS | unix.IN_CLOSE_NOWRITE
	eventsOfAll     = eventsOfChange | eventsOfReading | unix.IN_OPEN | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB
)

// mostWitnessed bounds the watches, of which a user has a limited number.
const mostWitnessed = 1024

// New begins to watch, or returns nil if that can't be had: then it is as if
// each change were one of contents.
func New(tracked []File) (*Witness, func()) {
	if len(tracked) > mostWitnessed {
		return nil, func() {}
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, func() {}
	}
	w := &Witness{fd: fd, end: make(chan struct{}), self: map[int32][]int{}, folders: map[int32]string{}, names: map[string][]int{}, files: make([]testimony, len(tracked))}
	stop := func() {
		close(w.end)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.drain()
		closeAside(w.fd)
		w.fd = -1
	}
	for i := range tracked {
		if tracked[i].Path != "" && !w.add(i, &tracked[i]) {
			stop()
			return nil, func() {}
		}
	}
	// Often enough that the kernel needn't drop any, and seldom enough not to
	// be in the way.
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.end:
				return
			case <-tick.C:
				w.mu.Lock()
				w.drain()
				w.mu.Unlock()
			}
		}
	}()
	return w, stop
}

// closeAside closes the descriptor of an inotify instance without waiting for it. The
// kernel takes 15 ms to end watches, and whoever closes the last descriptor waits as long,
// be it by its exit: that would be a third of a miss. So the last one is left in a socket
// that has itself in its queue, too, and that nobody can reach any more. Such sockets the
// kernel collects by itself, when it is told of the end of another one.
func closeAside(fd int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		go unix.Close(fd)
		return
	}
	if unix.Sendmsg(pair[1], []byte{0}, unix.UnixRights(pair[0], fd), nil, 0) == nil {
		unix.Close(fd)
	} else {
		go unix.Close(fd)
	}
	unix.Close(pair[0])
	unix.Close(pair[1])
}

// add watches a file, as itself and by its name.
func (w *Witness) add(i int, f *File) bool {
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return false
	}
	dir := filepath.Dir(path)
	if ofSystem(dir) {
		w.files[i].other = true // we don't look
		return true
	}
	folder, err := unix.InotifyAddWatch(w.fd, dir, eventsOfAll|unix.IN_ONLYDIR)
	if err != nil {
		return false
	}
	self, err := unix.InotifyAddWatch(w.fd, path, eventsOfAll)
	if err != nil {
		return false
	}
	w.self[int32(self)] = append(w.self[int32(self)], i)
	w.folders[int32(folder)] = dir
	w.names[path] = append(w.names[path], i)
	if id, err := f.Seen.Again(f.Path); err != nil || id != f.Seen.Identity {
		w.files[i].other = true // who knows by what
	}
	return true
}

// ofSystem reports whether a folder is one of the system's programs or libraries. The
// kernel goes over all names of a folder that it remembers to watch it, which takes
// milliseconds where thousands are; and what is put back there while a program runs
// is an update's doing.
func ofSystem(dir string) bool {
	dir += "/"
	return !strings.HasPrefix(dir, "/usr/local/") && slices.ContainsFunc([]string{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/"},
		func(folder string) bool { return strings.HasPrefix(dir, folder) })
}

// drain takes the events that have come.
func (w *Witness) drain() {
	if w.fd < 0 {
		return
	}
	var buf [64 << 10]byte
	for {
		n, err := unix.Read(w.fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			watch, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:size]), "\x00")
			b = b[size:]
			w.event(watch, mask, name)
		}
	}
}

func (w *Witness) event(watch int32, mask uint32, name string) {
	dir, folder := w.folders[watch]
	switch {
	case mask&unix.IN_Q_OVERFLOW != 0, folder && name == "" && mask&(unix.IN_IGNORED|unix.IN_UNMOUNT) != 0:
		w.lost = true
	case name != "":
		for _, i := range w.names[filepath.Join(dir, name)] {
			w.files[i].take(mask)
		}
	default:
		// By its folder most is told; by itself, what happens through another
		// link to it.
		for _, i := range w.self[watch] {
			w.files[i].take(mask & (unix.IN_MODIFY | unix.IN_ACCESS | unix.IN_ATTRIB))
		}
	}
}

func (t *testimony) take(mask uint32) {
	switch {
	case mask&unix.IN_ATTRIB != 0:
		t.attributes = true
	case mask&unix.IN_OPEN != 0:
		t.open++
		t.opened++
		t.openedSince++
	case mask&unix.IN_CLOSE_WRITE != 0:
		t.open--
		t.written++
	case mask&eventsOfReading != 0:
		if mask&unix.IN_CLOSE_NOWRITE != 0 {
			t.open--
			t.closedSince++
		}
		t.read = t.changed
	case mask&eventsOfChange != 0:
		if !t.changed {
			// Who has it open may write to it, or have read it.
			t.changed, t.opened, t.written = true, max(t.open, 0), 0
		}
		t.other = t.other || t.read
		t.before = t.opened
		t.openedSince, t.closedSince = 0, 0
	}
}

// SawNoOther reports whether nobody can have read other contents of a file than it
// has, if these are what they were.
func (w *Witness) SawNoOther(i int) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drain()
	t := &w.files[i]
	if w.lost || t.other {
		return false
	}
	if !t.changed {
		return t.attributes
	}
	// Whoever had it open between the changes must have been one who wrote. (Of
	// openings in a row the kernel tells one, so both are looked at.)
	return t.written >= t.before && t.closedSince <= t.openedSince
}
