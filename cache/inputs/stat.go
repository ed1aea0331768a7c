package inputs

import (
	"encoding/binary"
	"io/fs"
	"os"
	"time"
)

// racyWindow is how long after a change a file's timestamps can't be trusted to tell
// of another one: the rule of package key.
const racyWindow = 2 * time.Second

// settled reports whether a change after this time can't leave the stamp as it is.
func (s *Stamp) settled(now time.Time) bool {
	return max(s.Mtime, s.Ctime) <= now.Add(-racyWindow).UnixNano()
}

// stateOf is for where the system's own stat isn't at hand. Without a change time
// nothing is ever settled.
func stateOf(info fs.FileInfo) (st state) {
	st.Size, st.Mtime, st.Mode = info.Size(), info.ModTime().UnixNano(), info.Mode()
	st.Device, st.Inode, st.Ctime = ids(info)
	return st
}

// namesIn returns the names in a folder.
func namesIn(folder string) ([]string, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// append encodes what tells a state from another, in stateSize bytes.
func (st *state) append(b []byte) []byte {
	for _, v := range [...]uint64{st.mount, st.Device, st.Inode, uint64(st.Size), uint64(st.Mtime), uint64(st.Ctime)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

const stateSize = 6 * 8
