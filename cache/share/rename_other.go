//go:build !linux

package share

// renameNew renames a folder where there is nothing of the new name.
func renameNew(from, to string) error { return renameUnlessThere(from, to) }
