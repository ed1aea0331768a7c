package witness

import "dvlcache/cache/internal/digest"

// File is a file to be watched, and what it was when its digest was found. Without a
// path it is none.
type File struct {
	Path string
	Seen digest.Seen
}
