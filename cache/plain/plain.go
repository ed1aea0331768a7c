// Package plain says in messages what happened to a file whose name they say already.
package plain

import (
	"errors"
	"io/fs"
)

// Error takes the operation and path off a file system's error.
func Error(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
