//go:build !unix

package key

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
